"""A round that looks only at what has happened starts what one that looks at everything would start."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor import agenda
from conductor.environment import Environment
from conductor.starter import Starter
from shared_metadata.errors import StaleToken
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.records import Claim, Event, EventKind, TableCommit
from shared_metadata.state.schedule import due_batches
from shared_metadata.store import items, keys
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import ACCOUNT, REGION, CountsCalls, FakeStepFunctions, Stream, new_starter, new_table, tell
from tests.conductor.test_history import History
from tests.conformance.fixtures import SettableClock
from tests.metadata.behaviour import FIRST, apply, claim, commit, program, scheduled, view

ALWAYS = timedelta(days=365)
VIEWS = (
    view("lake.a.v", "lake.crm.t000", "lake.crm.t001", seconds=7200),
    view("lake.a.w", "lake.a.v", "lake.crm.t001"),
    replace(view("lake.a.lags", "lake.crm.t001"), tolerates={"lake.crm.t001": 7200}),
    view("lake.a.alone", seconds=600),
)


class Tolerant(History):
    """A history in which one view does not wait for its input, and workers may be slower than their leases."""

    def _end_table(self, claim: Claim, dataset: str, now: datetime) -> None:
        with suppress(StaleToken):
            super()._end_table(claim, dataset, now)

    def _check(self, claim: Claim, dataset: str, now: datetime) -> None:
        if self.program.flows[claim.flow].tolerates:
            self.ends.setdefault(dataset, [claim.interval.start]).append(claim.interval.end)
        else:
            super()._check(claim, dataset, now)


class Conductors:
    """Processes of the conductor: each has a memory of its own, and any of them may be called. events: whether the stream's come."""

    def __init__(self, writer: MetadataWriter, states: FakeStepFunctions, chance: Random, *, events: float = 0.5) -> None:
        self._writer, self._states, self._chance, self._events = writer, states, chance, events
        self._stream = Stream(writer)
        self.processes = [self._new() for _ in range(2)]

    def _new(self) -> Starter:
        return new_starter(self._writer, self._states)

    def call(self, now: datetime) -> Starter:
        """The clock calls one of them, sometimes after the stream has called one; now and then one is gone."""
        if self._chance.random() < 0.1:
            self.processes[self._chance.randrange(2)] = self._new()
        brought = [items.event(items.from_item(r["dynamodb"]["NewImage"])) for r in self._stream.take()["Records"]]
        if brought and self._chance.random() < self._events:
            self._chance.choice(self.processes).start_after(brought, now)
        chosen = self._chance.choice(self.processes)
        chosen.start_due(now)
        return chosen


def left_lying(writer: MetadataWriter, states: FakeStepFunctions, now: datetime) -> list[str]:
    """What is due and neither runs nor was ever started under its name."""
    programs = writer.reader.programs()
    due = due_batches(programs, writer.reader.flow_states(list(programs.flow_ids)), now)
    environment, found = Environment("metadata", ACCOUNT, REGION), []
    for batch in due:
        recorded = writer.reader.batch(batch.flow, batch.interval.start)
        free = [d for d in batch.datasets if not (recorded and recorded.running(d, now))]
        arn = environment.execution_arn(batch.slice_id, batch.execution_name)
        if free and len(free) == len(batch.datasets) and arn not in states.executions:
            found.append(batch.execution_name)
    return found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), events=st.sampled_from([0.0, 0.5, 1.0]))
def test_nothing_that_is_due_is_left_lying_by_a_round_that_looks_only_at_what_happened(seed: int, events: float) -> None:
    """Without a further whole look but in a new process: what is not heard of by events, or does not wait for time, would stay."""
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(new_table(), "metadata", clock), FakeStepFunctions(clock)  # type: ignore[arg-type]
    applied = apply(writer, program(2, views=VIEWS))
    history, conductors = Tolerant(applied, writer, states, chance), Conductors(writer, states, chance, events=events)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(agenda, "WHOLE", ALWAYS)
        patched.setattr(agenda, "HORIZON", timedelta(days=2))
        for _ in range(25):
            clock.advance(minutes=chance.choice((1, 2, 4, 20, 130)))
            conductors.call(clock.now)
            assert left_lying(writer, states, clock.now) == []
            history.claim_all()
            history.end_some(clock.now)
            if chance.random() < 0.7:
                tell(writer, states, clock.now)
    assert len(history.ends) >= 4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_no_event_told_of_is_found_within_the_hour(seed: int) -> None:
    """Neither the stream's nor those that are asked for: an event that was written under a key of long ago."""
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(new_table(), "metadata", clock), FakeStepFunctions(clock)  # type: ignore[arg-type]
    applied = apply(writer, program(2, views=VIEWS))
    history, starter = Tolerant(applied, writer, states, chance), new_starter(writer, states)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer.reader, "changes", lambda *_: {})
        for _ in range(12):
            for _ in range(6):
                clock.advance(minutes=10, seconds=1)
                starter.start_due(clock.now)
            assert left_lying(writer, states, clock.now) == []
            history.claim_all()
            history.end_some(clock.now)
            tell(writer, states, clock.now)
    assert len(history.ends) >= 4


@pytest.fixture
def stood(writer: MetadataWriter, starter: Starter, clock: SettableClock) -> Starter:
    """One that has looked at everything, a minute before the first batches are due."""
    apply(writer, program(2, views=VIEWS))
    clock.now = FIRST.end - timedelta(minutes=1)
    starter.start_due(clock.now)
    return starter


def test_a_round_reads_the_states_of_what_happened_of_its_readers_and_of_what_those_read(
    stood: Starter, writer: MetadataWriter, dynamodb: CountsCalls, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(writer, claim(writer))
    read, flow_states = [], writer.reader.flow_states
    monkeypatch.setattr(writer.reader, "flow_states", lambda flows, known: read.append(flows) or flow_states(flows, known))
    stood.start_due(clock.now)
    assert read == [["lake.crm", "lake.crm:load"]]


def test_batches_that_run_cost_no_call_of_step_functions_however_often_they_are_looked_at(
    writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock
) -> None:
    applied = apply(writer, program(views=tuple(view(f"lake.a.v{n:03}") for n in range(120))))
    new_starter(writer, states).start_due(clock.now)
    for arn, body in zip(list(states.executions), states.inputs, strict=True):
        names = [table.dataset for table in applied.flows[body["flow"]].tables]
        writer.claim(body["flow"], FIRST, names, program_version="v", owner=arn, lease_seconds=960)
    states.calls.clear()
    for _ in range(3):
        clock.advance(minutes=1)
        done = new_starter(writer, states).start_due(clock.now)
        assert (done.due, done.running, done.started) == (121, 121, 0)
    assert not states.calls


def test_a_process_that_died_in_the_middle_of_a_round_leaves_nothing_to_the_next_that_it_does_not_find(
    writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(writer, program(views=tuple(view(f"lake.a.v{n}") for n in range(5))))
    start, count = states.start_execution, Counter[str]()

    def dies(**asked: Any) -> Any:
        count["start"] += 1
        if count["start"] == 3:
            raise KeyboardInterrupt
        return start(**asked)

    with monkeypatch.context() as patched:
        patched.setattr(states, "start_execution", dies)
        with pytest.raises(KeyboardInterrupt):
            new_starter(writer, states).start_due(clock.now)
    clock.advance(minutes=1)
    assert new_starter(writer, states).start_due(clock.now).started == 4
    assert len(states.executions) == 6


def test_a_round_that_failed_is_made_up_for_by_the_next_of_the_same_process(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    states.refuses["StartExecution"] = "ValidationException"
    with pytest.raises(Exception, match="ValidationException"):
        starter.start_due(clock.now)
    states.refuses.clear()
    assert starter.start_due(clock.now).started == 1


def limited(writer: MetadataWriter, states: FakeStepFunctions, most: int) -> Starter:
    environment = Environment("metadata", ACCOUNT, REGION, max_running=most)
    return Starter(writer, states, environment, lambda *_: None)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), most=st.integers(1, 5))
def test_no_more_than_so_many_batches_run_at_once_and_those_that_wait_come_by_age(seed: int, most: int) -> None:
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(new_table(), "metadata", clock), FakeStepFunctions(clock)  # type: ignore[arg-type]
    names = [f"lake.a.v{n}" for n in range(6)]
    apply(writer, program(views=tuple(view(name) for name in names)))
    end, starter = FIRST.end + timedelta(hours=3), limited(writer, states, most)
    clock.now = end + timedelta(minutes=1)
    while set((through := standings(writer, names)).values()) != {end}:
        clock.advance(seconds=10)
        before = len(states.executions)
        starter.start_due(clock.now)
        running = [(arn, json.loads(e["input"])) for arn, e in states.executions.items() if e["status"] == "RUNNING"]
        assert 0 < len(running) <= most
        busy = {body["flow"] for _, body in running}
        assert len(running) == most or {name for name in names if through[name] < end} <= busy, "there is room"
        oldest = min((moment for name, moment in through.items() if name not in busy and moment < end), default=end)
        assert all(from_text(body["start"]) <= oldest for body in states.inputs[before:]), "a younger batch has overtaken"
        for arn, body in chance.sample(running, chance.randint(1, len(running))):
            datasets = [table.dataset for table in writer.reader.active_program().flows[body["flow"]].tables]
            interval = Interval(from_text(body["start"]), from_text(body["end"]))
            held = writer.claim(body["flow"], interval, datasets, program_version="v", owner=arn, lease_seconds=60)
            writer.commit(held, [TableCommit(dataset, 1, pointer={"manifest": "m"}) for dataset in datasets])
            states.executions[arn]["status"] = "SUCCEEDED"


def standings(writer: MetadataWriter, flows: list[str]) -> dict[str, datetime]:
    found = writer.reader.flow_states(flows)
    return {name: table.watermark for state in found.values() for name, table in state.tables.items()}


def test_what_waits_for_room_is_not_read_again_before_there_is_some(
    writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(writer, program(views=tuple(view(f"lake.a.v{n:02}") for n in range(30))))
    starter = limited(writer, states, 3)
    assert starter.start_due(clock.now).started == 3
    read, flow_states = [], writer.reader.flow_states
    monkeypatch.setattr(writer.reader, "flow_states", lambda flows, known: read.extend(flows) or flow_states(flows, known))
    clock.advance(minutes=1)
    assert starter.start_due(clock.now).started == 0 and read == []
    held = claim(writer, flow="lake.a.v00", datasets=("lake.a.v00",), owner=next(iter(states.executions)))
    writer.commit(held, [TableCommit("lake.a.v00", 1, pointer={"manifest": "m"})])
    clock.advance(minutes=1)
    assert starter.start_due(clock.now).started == 1
    assert sorted(read) == ["lake.a.v00", "lake.a.v03", "lake.a.v04"], "one for the room, and one for what was heard of"


def test_another_program_is_looked_at_as_a_whole_at_once_and_when_its_time_has_come(
    stood: Starter, writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock
) -> None:
    more = program(2, views=(*VIEWS, view("lake.a.new", seconds=600)))
    scheduled(writer, more, FIRST.end)
    clock.advance(minutes=2)
    stood.start_due(clock.now)
    assert {body["flow"] for body in states.inputs} == {"lake.crm", "lake.a.alone"}
    clock.advance(minutes=10)
    stood.start_due(clock.now)
    assert "lake.a.new" in {body["flow"] for body in states.inputs}


def test_an_event_that_names_flows_or_passed_datasets_wakes_them_and_their_readers() -> None:
    from shared_metadata.state.timeline import Programs

    made: Program = program(2, views=VIEWS)
    neighbours = agenda.Neighbours(Programs.always(made))
    passed = Event(EventKind.BATCH_COMPLETED, FIRST.end, "lake.crm", {"passed": ["lake.crm.t000"]})
    freed = Event(EventKind.FLOW_RESUMED, FIRST.end, "lake.crm", {"flows": ["lake.a.v"]})
    assert neighbours.touched([passed]) == {"lake.crm", "lake.crm:load", "lake.a.v", "lake.a.w", "lake.a.lags"}
    assert neighbours.touched([freed]) == {"lake.crm", "lake.crm:load", "lake.a.v", "lake.a.w"}
    assert neighbours.touched([Event(EventKind.SCHEMA_CHANGED, FIRST.end, "lake.crm")]) == set()


def test_every_kind_of_event_is_known_to_wake_or_not() -> None:
    """A new kind has to be thought of here."""
    tells_nothing = {EventKind.SCHEMA_CHANGED, EventKind.EXPECTATION_FAILED, EventKind.DATASET_LATE, EventKind.SOURCE_CHANGED}
    assert agenda.WAKES | agenda.RENEWS | tells_nothing == set(EventKind)


def covering(program: Program, *keeps: str) -> Program:
    """The program with all its flows covering missed intervals, but for those that need each."""
    return replace(program, flows={name: replace(flow, covers=name not in keeps) for name, flow in program.flows.items()})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), keeps=st.sampled_from(["", "lake.a.far", "lake.a.near"]))
def test_a_batch_covers_what_the_states_of_all_flows_allow_however_few_a_round_looks_at(seed: int, keeps: str) -> None:
    """A reader far away that keeps its intervals needs each version of what it is made from."""
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(new_table(), "metadata", clock), FakeStepFunctions(clock)  # type: ignore[arg-type]
    chain = [view("lake.a.near", "lake.crm.t000"), view("lake.a.mid", "lake.a.near"), view("lake.a.far", "lake.a.mid")]
    applied = apply(writer, covering(program(2, views=(*chain, view("lake.a.other", "lake.crm.t001"))), keeps))
    conductors, ended, longest = Conductors(writer, states, chance), set[str](), 0
    for _ in range(30):
        clock.advance(minutes=chance.choice((1, 5, 60, 200)))
        all_states = writer.reader.flow_states(list(applied.flows))
        allowed = {(b.flow, b.interval.start): b.interval for b in due_batches(writer.reader.programs(), all_states, clock.now)}
        before = set(states.executions)
        conductors.call(clock.now)
        for arn in states.executions.keys() - before:
            body = json.loads(states.executions[arn]["input"])
            interval = Interval(from_text(body["start"]), from_text(body["end"]))
            assert interval == allowed[body["flow"], interval.start]
            longest = max(longest, round((interval.end - interval.start) / timedelta(hours=1)))
        for arn, execution in states.executions.items():
            if arn not in ended and chance.random() < 0.7:
                ended.add(arn)
                execution["status"] = "SUCCEEDED"
                end_batch(writer, applied, json.loads(execution["input"]), arn)
    assert longest > 1 or keeps


def end_batch(writer: MetadataWriter, program: Program, body: dict[str, Any], owner: str) -> None:
    flow = program.flows[body["flow"]]
    names = body.get("datasets") or [table.dataset for table in flow.tables]
    interval = Interval(from_text(body["start"]), from_text(body["end"]))
    held = writer.claim(
        flow.id, interval, names, program_version="v", owner=owner, lease_seconds=960, interval_seconds=flow.interval_seconds
    )
    writer.commit(held, [TableCommit(name, 1, pointer={"at": body["end"]}) for name in held.datasets])


def test_a_reader_far_away_that_makes_its_past_again_keeps_the_intervals_of_what_it_is_made_from(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its state tells that it does, and a round would not look at it."""
    monkeypatch.setattr(agenda, "WHOLE", ALWAYS)
    chain = (view("lake.a.near", "lake.crm.t000"), view("lake.a.far", "lake.a.near"))
    apply(writer, covering(program(views=chain)))
    clock.now = FIRST.end - timedelta(minutes=1)
    starter.start_due(clock.now)
    item = writer.reader._client.get_item(TableName="metadata", Key=items.to_item(keys.state("lake.a.far", "lake.a.far")))["Item"]
    item["table"]["M"]["again_until"] = {"S": to_text(FIRST.end + timedelta(days=1))}
    writer.reader._client.put_item(TableName="metadata", Item=item)
    clock.advance(hours=5)
    starter.start_due(clock.now)
    assert [(body["flow"], from_text(body["end"])) for body in states.inputs] == [("lake.crm", FIRST.end)]
