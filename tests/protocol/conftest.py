"""The model's time stands still but where the model moves it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

STILL = SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0, sleep=lambda _: None)


@pytest.fixture(autouse=True, scope="module")
def still() -> None:
    """What a step measures of itself would tell two equal worlds apart. Other tests of the process have their time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("collect", "organize", "runtime.deadline", "runtime.meter"):
            patch.setattr(f"shared_metadata.contract.{module}.time", STILL)
        patch.setattr("shared_metadata.store.batch_writer.time", STILL)
        maintenance = "shared_metadata.contract.maintenance"
        patch.setattr(f"{maintenance}.ageing.beside_one_another", lambda call, given: [call(one) for one in given])
        for rounds in ("HOURS", "DAYS"):  # else no version of so short a past is forgotten
            patch.setattr(f"{maintenance}.retention.{rounds}", 0)
        yield
