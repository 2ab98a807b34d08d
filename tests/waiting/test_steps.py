"""Steps of all stages that wait for statements elsewhere: what they hand on, count, cancel and record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.waiting.pauses import LONGEST_SECONDS, TRANSITIONS_OF_LOOK, looks_of_each
from shared_metadata.contract.waiting.statements import Look
from shared_metadata.contract.waiting.turn import NotYet
from shared_metadata.contract.waiting.waits import RESUME_BYTES
from shared_metadata.errors import DefinitionError, StaleToken
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import TableCommit
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, cloud, run_batch
from tests.waiting.remote import Lost, Remote
from tests.waiting.slices import COLLECT, LOAD, PUBLISH, RESULT, SLICES, STAGED, TABLE, program, steps_of

__all__ = ["cloud"]
FLOWS = {COLLECT: "collect", LOAD: "organize", RESULT: "organize", PUBLISH: "harness"}
ROWS = [1, 11, 2, 12]
# of each flow, what its statements are for, in their order
PURPOSES = [
    *("unload", "unload"), *("copy", "count", "insert"), *("select", "insert"), *("diff", "publish")
]  # fmt: skip


class World:
    """The chain of the tests' own slices in an account in memory."""

    def __init__(self, cloud: Cloud, remote: Remote) -> None:
        self.cloud, self.remote = cloud, remote
        self.program: Program = cloud.apply(program())

    def steps(self, flow: str) -> Steps:
        """As a fresh process makes them."""
        stage = FLOWS[flow]
        return steps_of(stage, self.cloud.services(SLICES[stage].id), self.remote)

    def run(self, flow: str, **how: Any) -> BatchRun:
        return run_batch(self.steps(flow), self.cloud.event(flow), **how)

    def planned(self, flow: str) -> dict[str, Any]:
        """The state of the flow's only table, after plan."""
        (state,) = self.steps(flow).plan(self.cloud.event(flow), FakeContext())["work"]
        return json.loads(json.dumps(state))  # type: ignore[no-any-return]

    def call(self, flow: str, step: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """One call in a process of its own."""
        return json.loads(json.dumps(getattr(self.steps(flow), step)(dict(state), FakeContext())))  # type: ignore[no-any-return]

    def loading(self, **shall: Any) -> dict[str, Any]:
        """A load that waits.  shall: of its statements."""
        self.run(COLLECT)
        for what, value in shall.items():
            self.remote.shall(what, value)
        state = self.call(LOAD, "load", self.planned(LOAD))
        assert "waiting" in state
        return state


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, Remote(tmp_path / "remote.sqlite"))


def test_every_stage_waits_and_gives_what_one_that_does_not_gives(world: World) -> None:
    runs = {flow: world.run(flow) for flow in FLOWS}
    assert sorted(world.remote.rows(TABLE)) == sorted(world.remote.rows(PUBLISH)) == sorted(ROWS)
    assert world.remote.purposes() == PURPOSES and world.remote.purposes("done") == PURPOSES
    assert [len(run.pauses) for run in runs.values()] == [4, 6, 4, 4]
    states = world.cloud.reader.flow_states([*FLOWS])
    assert {table.attempts for state in states.values() for table in state.tables.values()} == {0}


def test_the_statements_of_a_batch_stand_in_its_statistics_and_their_cost_in_its_cost(world: World) -> None:
    for flow in FLOWS:
        world.run(flow)
    found = {flow: world.cloud.reader.statistics(flow, 1)[0] for flow in FLOWS}
    assert [one["purpose"] for one in found[LOAD]["statements"]] == ["copy", "count", "insert"]
    assert [one["purpose"] for one in found[COLLECT]["statements"]] == ["unload", "unload"]
    first = found[LOAD]["statements"][0]
    assert (first["id"], first["queue_seconds"], first["run_seconds"], first["bytes_scanned"]) == ("s-3", 1.5, 2.5, 1000)


def test_what_each_look_takes_is_counted_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is three transitions and an invocation more."""
    used: dict[int, Mapping[str, float]] = {}
    for need in (0, 3):
        world.remote.shall("need", need)
        world.run(COLLECT)
        steps = world.steps(LOAD)
        recorded: list[TableCommit] = []
        monkeypatch.setattr(steps.services.writer, "commit", lambda _, commits, into=recorded, **__: into.extend(commits))
        run_batch(steps, world.cloud.event(LOAD))
        (used[need],) = [one.used for one in recorded]
    looks = 3 * 3  # of load, check and commit
    assert used[3]["state_transition"] - used[0]["state_transition"] == TRANSITIONS_OF_LOOK * looks
    assert used[3]["lambda_invocation"] - used[0]["lambda_invocation"] == looks
    assert used[0]["state_transition"] == 3 + 2 + 3  # Kind, Load, AfterLoad; Check, AfterCheck; Commit, AfterCommit, TableDone


def test_a_call_that_dies_after_it_submitted_submits_nothing_again(world: World) -> None:
    world.run(COLLECT)
    state = world.planned(LOAD)
    world.remote.shall("die", "raise")
    with pytest.raises(Lost):
        world.call(LOAD, "load", state)
    waiting = world.call(LOAD, "load", state)
    assert waiting["waiting"]["step"] == "load" and world.remote.purposes().count("copy") == 1


def test_a_call_whose_answer_was_lost_goes_on_with_the_state_of_before(world: World) -> None:
    waiting = world.loading()
    for _ in range(3):
        answer = world.call(LOAD, "load", waiting)
    assert world.remote.purposes().count("copy") == 1 and "waiting" not in answer


def test_the_token_of_another_claim_is_another_one(world: World) -> None:
    """A second attempt does not see the statement of the first."""
    world.loading()
    world.cloud.clock.advance(seconds=LEASE_SECONDS + 1)
    world.run(LOAD)
    first, second = [one for one in world.remote.statements() if one["purpose"] == "copy"]
    assert first["token"] != second["token"] and sorted(world.remote.rows(TABLE)) == sorted(ROWS)


def test_an_installation_that_begins_anew_is_not_given_the_results_of_the_former_one(world: World) -> None:
    """Its first batch has the names and the number that the first batch had before."""
    anew = World(Cloud(), world.remote)
    for one in (world, anew):
        one.run(COLLECT)
    before, after = (one.cloud.reader.batches(COLLECT, STAGED)[0] for one in (world, anew))
    assert (before.interval, before.token) == (after.interval, after.token) and world.remote.purposes() == ["unload"] * 4


def test_one_who_waits_finds_out_that_another_has_taken_over(world: World) -> None:
    waiting = world.loading()
    world.cloud.clock.advance(seconds=LEASE_SECONDS + 1)
    world.run(LOAD)
    with pytest.raises(StaleToken):
        world.call(LOAD, "load", waiting)


@pytest.mark.parametrize("took", [0, 850])
def test_the_lease_holds_through_every_pause_of_six_hours(world: World, took: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a call takes before it says that it has to wait."""
    look = Remote.look

    def slow(remote: Remote, id: str) -> Look:
        world.cloud.clock.advance(seconds=took * (id == "s-3"))
        return look(remote, id)

    monkeypatch.setattr(Remote, "look", slow)
    state, clock, pauses = world.loading(need=10_000, limit=6 * 3600), world.cloud.clock, []
    began = clock.now
    with pytest.raises(DefinitionError, match=r"remote statement s-3 was not done within 21,600 s, and is cancelled.*Remedy: have"):
        while len(pauses) < 60:
            pauses.append(state["waiting"]["seconds"])
            held = world.cloud.reader.batch(LOAD, from_text(state["start"]))
            clock.advance(seconds=pauses[-1])
            assert held is not None and held.running(TABLE, clock.now) is not None
            state = world.call(LOAD, "load", state)
    assert clock.now - began >= timedelta(hours=6) and max(pauses) == LONGEST_SECONDS
    assert world.remote.purposes("cancelled") == ["copy"]


def test_a_failed_wait_is_recorded_as_one_attempt_and_the_next_one_is_made(world: World) -> None:
    world.run(COLLECT)
    world.remote.shall("fail", "disk full")
    run = world.run(LOAD, record_errors=True)
    assert run.results[TABLE]["status"] == "FAILED" and "disk full" in run.results[TABLE]["error"]
    assert world.cloud.reader.flow_states([LOAD])[LOAD].tables[TABLE].attempts == 1
    world.remote.shall("fail", "")
    world.cloud.clock.advance(hours=1)
    world.run(LOAD)
    assert sorted(world.remote.rows(TABLE)) == sorted(ROWS)


def test_what_is_staged_again_meanwhile_is_loaded_after_what_was_planned(world: World) -> None:
    """A restatement during the wait: the batch that waits makes what its plan has read, and is then made again."""
    waiting = world.loading()
    event = world.cloud.event(COLLECT, rerun=True, interval=_interval(waiting))
    run_batch(world.steps(COLLECT), event)
    assert len(world.remote.purposes()) == 5  # a collect's two, a copy, and a collect's two
    state: Mapping[str, Any] = waiting
    for step in ("load", "check", "commit"):
        while "waiting" in (state := world.call(LOAD, step, state)):
            pass
    assert state["status"] == "COMMITTED"
    copied = next(one for one in world.remote.statements() if one["purpose"] == "copy")
    again = world.cloud.reader.latest_version(STAGED)
    made = world.cloud.reader.latest_version(TABLE)
    assert again and made and again.token == 2 and made.token == 1 and sorted(copied["value"]) == sorted(ROWS)
    run_batch(world.steps(LOAD), world.cloud.event(LOAD, rerun=True, interval=_interval(waiting)))
    made = world.cloud.reader.latest_version(TABLE)
    assert made and made.token == 2 and sorted(world.remote.rows(TABLE)) == sorted(ROWS)


def test_a_step_that_its_slice_does_not_declare_does_not_wait(world: World) -> None:
    world.run(COLLECT)
    state, steps = world.planned(LOAD), world.steps(LOAD)
    steps.declaration = dataclasses.replace(steps.declaration, waits=("commit",))
    with pytest.raises(DefinitionError, match=r"organize.waiting does not say that its step load waits.*waits=\('load',\)"):
        steps.load(state, FakeContext())


def test_a_token_that_no_state_carries_is_refused_and_its_statement_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(COLLECT)
    state, steps, cancelled = world.planned(LOAD), world.steps(LOAD), []

    def much(*_: Any) -> Any:
        raise NotYet("much", {"x": "y" * RESUME_BYTES}, limit_seconds=60, cancel=lambda: cancelled.append("much"))

    monkeypatch.setattr(steps, "_load", much)
    with pytest.raises(DefinitionError, match="more than 32,768 bytes"):
        steps.load(state, FakeContext())
    assert cancelled == ["much"]


def test_where_the_history_has_no_room_for_another_look_the_statement_is_cancelled_by_name(world: World) -> None:
    waiting = {**world.loading(), "looks": 0}
    with pytest.raises(DefinitionError, match=r"s-3 was not done.*room for 25,000 events.*Remedy: give an execution fewer"):
        world.call(LOAD, "load", waiting)
    assert world.remote.purposes("cancelled") == ["copy"]


def test_the_parts_of_a_table_share_what_its_execution_has_room_for(world: World) -> None:
    state = world.planned(COLLECT)
    alone = {**state, "parts": [0]}
    steps = world.steps(COLLECT)
    assert (steps.pieces(state), steps.pieces(alone), steps.pieces({**state, "parts": []})) == (2, 1, 1)
    assert state["looks"] == looks_of_each(2) < looks_of_each(1)


def _interval(state: Mapping[str, Any]) -> Interval:
    return Interval(from_text(state["start"]), from_text(state["end"]))
