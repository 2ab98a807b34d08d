"""The deployed airline while its functions die, AWS falters, operators start what the clock starts, and the whole machine stops."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from infra.embedded.state import wait_until
from tests.e2e.test_airline import Deployed
from tests.faults import deployed

pytestmark = [
    pytest.mark.xdist_group("airline"),
    pytest.mark.timeout(900),
    pytest.mark.budget(600),
    pytest.mark.deep,
    pytest.mark.skipif(not os.environ.get("ATOLL_STOPS"), reason="takes minutes: ATOLL_STOPS=1, or make faults DEPLOYED=1"),
]
SEED = 1


def test_functions_that_die_operators_and_a_stop_of_the_machine_lose_nothing_and_make_nothing_twice(airline: Deployed) -> None:
    """All before one comparison, for each wait for the clock is a minute; `make faults DEPLOYED=1` compares after each."""
    since, kinds = datetime.now(UTC), deployed.troubles(SEED)
    with deployed.faltering(airline, kinds) as waiting:
        airline.demo.change()
        deployed.start_by_hand(airline)
        wait_until(lambda: not any(one.kinds for one in waiting.values()), 300, f"not all struck: {waiting}")
    assert {step: [kind for kind, _ in one.struck] for step, one in waiting.items()} == kinds
    assert all(len(one.killed) == 1 for one in waiting.values()), waiting

    wait_until(lambda: len(deployed.running(airline)) > 1, 120, "nothing runs")
    deployed.stop_hard(airline.demo.stack)
    deployed.start_again(airline.demo.stack)
    assert deployed.wrong(airline, since) == []
