"""The model's time stands still but where the model moves it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

STILL = SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0, sleep=lambda _: None)


@pytest.fixture(autouse=True, scope="module")
def still() -> None:
    """What a step measures of itself would tell two equal worlds apart. Other tests of the process have their time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("collect", "organize", "steps", "meter"):
            patch.setattr(f"shared_metadata.contract.{module}.time", STILL)
        patch.setattr("shared_metadata.writer.time", STILL)
        patch.setattr("shared_metadata.contract.ageing.beside_one_another", lambda call, given: [call(one) for one in given])
        patch.setattr("shared_metadata.contract.retention.HOURS", 0)  # else no version of so short a past is forgotten
        patch.setattr("shared_metadata.contract.retention.DAYS", 0)
        yield
