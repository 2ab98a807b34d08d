"""The conductor against a simulation of the world: random programs, failures, outages and clocks; the rules checked are simple."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.program import Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import MAX_ATTEMPTS, FlowState, TableState
from shared_metadata.state.schedule import DueBatch, due_batches

ORIGIN = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
PLACE = Position("program.sql", 1, 1)
MINUTES = (1, 2, 5, 10, 30, 60)
TICKS = 70


@dataclass
class World:
    """The watermarks as commits would move them, and a plain record of everything that was run. It knows no `due_batches`."""

    program: Program
    now: datetime
    states: dict[str, FlowState] = field(default_factory=dict)
    ran: Counter[tuple[str, datetime, datetime]] = field(default_factory=Counter)
    ends: dict[str, list[datetime]] = field(default_factory=dict)

    def open(self) -> None:
        for flow in self.program.flows.values():
            start = _floor(self.now, flow.interval_seconds) - timedelta(seconds=flow.interval_seconds)
            tables = {table.dataset: TableState(start) for table in flow.tables}
            self.states[flow.id] = FlowState(flow.id, tables)
            self.ends |= {dataset: [start] for dataset in tables}

    def run(self, batch: DueBatch, fails: Mapping[str, bool]) -> None:
        """One execution: checks the rules for each table, then moves or fails it."""
        flow = self.program.flows[batch.flow]
        assert batch.slice_id == flow.slice_id
        assert batch.interval.end <= self.now, "ran before its interval was over"
        for table in flow.tables:
            if table.dataset in batch.datasets:
                self._check(table, batch.interval)
                self._end(flow.id, table.dataset, batch, fails[table.dataset])

    def _check(self, table: Table, interval: Interval) -> None:
        assert interval.start == self.ends[table.dataset][-1], "skipped a batch or ran one twice"
        for name in table.inputs:
            assert self.ends[name][-1] >= interval.end, "ran before its input was complete"

    def _end(self, flow: str, dataset: str, batch: DueBatch, failed: bool) -> None:
        state = self.states[flow].tables[dataset]
        assert state.retry_at is None or state.retry_at <= self.now
        assert state.attempts == batch.attempt < MAX_ATTEMPTS
        if failed:
            retry_at = self.now + timedelta(seconds=30 * (state.attempts + 1))
            state = dataclasses.replace(state, attempts=state.attempts + 1, retry_at=retry_at, error="x")
        else:
            self.ran[(dataset, batch.interval.start, batch.interval.end)] += 1
            self.ends[dataset].append(batch.interval.end)
            state = TableState(batch.interval.end)
        self.states[flow] = FlowState(flow, {**self.states[flow].tables, dataset: state})


def _floor(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A random acyclic program: each flow has one to three tables, each of which reads some tables of earlier flows."""
    flows: dict[str, Flow] = {}
    datasets: list[str] = []
    for number in range(draw(st.integers(1, 6))):
        tables = tuple(
            Table(
                f"lake.f{number}.t{i}",
                inputs=tuple(draw(st.lists(st.sampled_from(datasets), max_size=3, unique=True))) if datasets else (),
            )
            for i in range(draw(st.integers(1, 3)))
        )
        seconds = 60 * draw(st.sampled_from(MINUTES))
        name = f"lake.f{number}"
        flows[name] = Flow(name, Kind.VIEW, f"organize.s{number % 2}", "lake", seconds, tables, PLACE, mode=Mode.REPLACE)
        datasets += [table.dataset for table in tables]
    return Program({}, {}, flows)


def simulate(program: Program, seed: int, failing: float, outage: range) -> World:
    """Minutes pass by ones, sometimes in jumps; executions end at once or some minutes later, out of order, well or badly."""
    chance = Random(seed)
    world = World(program, ORIGIN + timedelta(minutes=chance.randrange(300), seconds=chance.randrange(60)))
    world.open()
    running: dict[str, tuple[datetime, DueBatch]] = {}
    for tick in range(TICKS):
        world.now += timedelta(minutes=1 if chance.random() < 0.9 else chance.randrange(2, 60))
        for name, (until, batch) in sorted(running.items(), key=lambda item: item[1][0]):
            if until <= world.now:
                del running[name]
                world.run(batch, {dataset: chance.random() < failing for dataset in batch.datasets})
        if tick in outage:
            continue  # nobody asks the conductor
        busy = {(batch.flow, dataset) for _, batch in running.values() for dataset in batch.datasets}
        for batch in due_batches(program, world.states, world.now):
            free = tuple(d for d in batch.datasets if (batch.flow, d) not in busy)
            if free:
                started = dataclasses.replace(batch, datasets=free)
                assert started.execution_name not in running
                running[started.execution_name] = (world.now + timedelta(minutes=chance.randrange(4)), started)
    return world


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, TICKS), st.integers(0, 40))
def test_nothing_runs_early_nothing_is_skipped_and_nothing_runs_twice(
    program: Program, seed: int, failing: float, outage_start: int, outage_length: int
) -> None:
    world = simulate(program, seed, failing, range(outage_start, outage_start + outage_length))
    assert set(world.ran.values()) <= {1}
    for ends in world.ends.values():
        assert ends == sorted(set(ends))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.integers(0, 2**32))
def test_everything_that_can_run_has_run_when_the_world_stands_still(program: Program, seed: int) -> None:
    """After any history without lasting failures, each table ends at the last boundary that its inputs and the clock allow."""
    world = simulate(program, seed, 0.0, range(20, 40))
    while batches := due_batches(program, world.states, world.now):
        for batch in batches:
            world.run(batch, dict.fromkeys(batch.datasets, False))
    expected: dict[str, datetime] = {}
    for flow in program.flows.values():  # inputs come before their readers
        for table in flow.tables:
            limit = min([world.now, *(expected[name] for name in table.inputs)])
            expected[table.dataset] = max(_floor(limit, flow.interval_seconds), world.ends[table.dataset][0])
    assert {dataset: ends[-1] for dataset, ends in world.ends.items()} == expected


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 2**32))
def test_a_table_that_keeps_failing_stops_only_its_readers(program: Program, seed: int) -> None:
    broken = next(iter(program.flows.values())).tables[0].dataset
    world = World(program, ORIGIN + timedelta(seconds=seed % 7200))
    world.open()
    for _ in range(40):
        world.now += timedelta(minutes=7)
        for batch in due_batches(program, world.states, world.now):
            world.run(batch, {dataset: dataset == broken for dataset in batch.datasets})
    owner = next(flow.id for flow in program.flows.values())
    assert world.states[owner].tables[broken].attempts <= MAX_ATTEMPTS
    assert len(world.ends[broken]) == 1
    for flow in program.flows.values():
        for table in flow.tables:
            if not table.inputs and table.dataset != broken:
                assert world.ends[table.dataset][-1] > world.ends[table.dataset][0]


@given(programs(), st.integers(0, 10_000))
def test_due_batches_come_oldest_first_with_names_of_their_own(program: Program, seconds: int) -> None:
    world = World(program, ORIGIN)
    world.open()
    found = due_batches(program, world.states, ORIGIN + timedelta(seconds=seconds))
    assert [batch.interval for batch in found] == sorted(batch.interval for batch in found)
    names = [batch.execution_name for batch in found]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 80 and set(name) <= set(_ALLOWED) for name in names)


_ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


def test_the_name_of_an_execution_does_not_change_with_time_but_with_the_attempt() -> None:
    flow = Flow("lake.Ünïcode." + "x" * 200, Kind.VIEW, "organize.s", "lake", 60, (Table("lake.a.b"),), PLACE)
    program = Program({}, {}, {flow.id: flow})
    states = {flow.id: FlowState(flow.id, {"lake.a.b": TableState(ORIGIN)})}
    early, late = (due_batches(program, states, ORIGIN + timedelta(minutes=m))[0] for m in (1, 500))
    assert early == late
    assert len(early.execution_name) <= 80 and set(early.execution_name) <= set(_ALLOWED)
    failed = {flow.id: FlowState(flow.id, {"lake.a.b": TableState(ORIGIN, attempts=1)})}
    assert due_batches(program, failed, ORIGIN + timedelta(minutes=1))[0].execution_name != early.execution_name


def test_an_operator_does_not_wait_for_a_batch_that_failed_too_often() -> None:
    flow = Flow("lake.a", Kind.VIEW, "organize.s", "lake", 60, (Table("lake.a.b"),), PLACE)
    program = Program({}, {}, {flow.id: flow})
    failed = TableState(ORIGIN, attempts=MAX_ATTEMPTS, retry_at=ORIGIN + timedelta(days=1))
    states, now = {flow.id: FlowState(flow.id, {"lake.a.b": failed})}, ORIGIN + timedelta(minutes=1)
    assert due_batches(program, states, now) == []
    assert len(due_batches(program, states, now, ignore_failures=True)) == 1
