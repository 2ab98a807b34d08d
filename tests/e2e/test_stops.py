"""The deployed airline while its functions die, AWS falters, operators start what the clock starts, and the whole machine stops."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.embedded.state import wait_until
from shared_metadata.intervals import floor
from tests.e2e.test_airline import MINUTE, Deployed, state_command
from tests.faults import deployed

pytestmark = [pytest.mark.xdist_group("airline"), pytest.mark.timeout(900)]
SEED = 1


def test_each_function_dies_and_aws_falters_while_operators_start_what_the_clock_starts(
    airline: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, kinds = datetime.now(UTC), deployed.troubles(SEED)
    with deployed.faltering(airline, kinds) as waiting:
        airline.demo.change()
        ended = deployed.start_by_hand(airline)
        wait_until(lambda: not any(one.kinds for one in waiting.values()), 300, f"not all struck: {waiting}")
    assert set(ended) <= {"SUCCEEDED", "FAILED"}
    assert {step: [kind for kind, _ in one.struck] for step, one in waiting.items()} == kinds
    assert_all_is_well(airline, since, monkeypatch)


def test_the_whole_machine_stops_in_the_middle_of_batches_and_comes_back(airline: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    since = datetime.now(UTC)
    airline.demo.change()
    wait_until(lambda: len(deployed.running(airline)) > 1, 120, "nothing runs")
    deployed.stop_hard(airline.demo.stack)
    deployed.start_again(airline.demo.stack)
    assert_all_is_well(airline, since, monkeypatch)


def assert_all_is_well(airline: Deployed, since: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all batches are made that end by now: published is what the sources say, and nothing was made twice."""
    airline.demo.wait(airline.program, floor(datetime.now(UTC), 60) + MINUTE, "the batches after it")
    assert airline.differences() == []
    assert deployed.made_twice(airline, since) == []
    monkeypatch.chdir(airline.demo.stack.folders.home.parent)
    verified = state_command("verify", "--json")
    assert verified["differences"] == [] and verified["not_compared_with"] == {}
