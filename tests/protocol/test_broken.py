"""The model can fail: each of these mistakes is found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.protocol.broken import BROKEN
from tests.protocol.machine import CommitProtocol
from tests.protocol.promises import Broken


@pytest.mark.parametrize("mistake", sorted(BROKEN))
def test_a_mistake_in_the_protocol_is_found(mistake: str) -> None:
    machine = type("Machine", (CommitProtocol,), {"made": BROKEN[mistake]})
    found = settings(
        max_examples=2000,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
        report_multiple_bugs=False,
    )
    with pytest.raises(Broken):
        run_state_machine_as_test(machine, settings=found)
