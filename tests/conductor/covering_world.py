"""A world of one program in which everything has a content, so that what covering batches make can be held against what each of the
intervals would have made by itself.

What is due comes from the real decision; how far a batch goes that was begun before, and what is skipped, from the real records.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from random import Random

from shared_metadata.program import Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval, ceil, covered, floor, next_interval
from shared_metadata.state.records import Batch, FlowState, TableOutcome, TableState, TableStatus
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.skipped import Skipped

PLACE = Position("program.sql", 1, 1)
ROWS = 7  # of a source; each change is one's, and takes it to the change's own time
MINUTES = (1, 5, 15, 30, 60)


@dataclass(frozen=True)
class Rows:
    """A collected table: each row's own time, as it was loaded last; digest: of all that came, one row after the other, so that
    neither a missing nor a second one goes unnoticed."""

    times: tuple[tuple[int, datetime], ...] = ()
    digest: int = 0

    def with_rows(self, rows: tuple[datetime, ...]) -> Rows:
        times, digest = dict(self.times), self.digest
        for row in rows:
            times[row.minute % ROWS], digest = row, hash((digest, row))
        return Rows(tuple(sorted(times.items())), digest)


@dataclass(frozen=True)
class Version:
    """content: of staged files their rows, of collected tables theirs, of anything else a digest of all that it was made from."""

    end: datetime
    start: datetime
    content: object


END = attrgetter("end")


@dataclass
class Source:
    """When the table at the source changed, a moment a minute at most."""

    changes: tuple[datetime, ...]
    _last: dict[datetime, tuple[datetime, ...]] = field(default_factory=dict)

    def rows(self, interval: Interval, read: datetime) -> tuple[datetime, ...]:
        """The rows whose time is in an interval, when they are read: each has that of its last change until then, and no other."""
        if read not in self._last:
            self._last[read] = tuple(sorted({one.minute % ROWS: one for one in self.changes if one < read}.values()))
        return tuple(moment for moment in self._last[read] if interval.start <= moment < interval.end)

    def state(self, moment: datetime) -> datetime | None:
        return max((one for one in self.changes if one < moment), default=None)


@dataclass
class Execution:
    batch: DueBatch
    dataset: str
    interval: Interval
    token: int
    until: datetime


@dataclass
class World:
    """A flow's batches are recorded as the metadata layer records them, by flow and start.

    reads: of a collected dataset, up to where batches have read its source, and at which moment.
    """

    program: Program
    sources: Mapping[str, Source]
    begin: datetime
    now: datetime
    chance: Random
    failing: float = 0.0
    states: dict[str, FlowState] = field(default_factory=dict)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    recorded: dict[tuple[str, datetime], Batch] = field(default_factory=dict)
    tokens: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    running: list[Execution] = field(default_factory=list)
    batches: Counter[str] = field(default_factory=Counter)
    reads: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    checked: int = 0

    def __post_init__(self) -> None:
        self._ideal: dict[tuple[str, datetime], object] = {}
        self._known: dict[str, tuple[datetime, object]] = {}  # up to where, and what is there
        self._makers = self.program.producers
        for flow in self.program.flows.values():
            tables = {table.dataset: TableState(self.begin, begins=self.begin) for table in flow.tables}
            self.states[flow.id] = FlowState(flow.id, tables)

    def watermark(self, dataset: str) -> datetime:
        return self.states[self._makers[dataset].id].tables[dataset].watermark

    # -- what happens

    def tick(self, *, conductor: bool = True) -> None:
        for execution in [e for e in self.running if e.until <= self.now]:
            self.running.remove(execution)
            self._end(execution)
        if conductor:
            for batch in due_batches(self.program, self.states, self.now):
                for dataset in batch.datasets:
                    self._claim(batch, dataset)

    def settle(self, *, seconds: int = 1, most: int = 3000) -> None:
        """Nothing fails any more, and what stopped is redriven; until nothing is due."""
        self.failing = 0.0
        for state in self.states.values():
            for dataset, table in state.tables.items():
                self._store(self.states[state.flow], dataset, replace(table, attempts=0))
        for _ in range(most):
            self.tick()
            if not self.running:
                return
            self.now += timedelta(seconds=seconds)
            for execution in self.running:
                execution.until = min(execution.until, self.now)
        raise AssertionError("it does not come to rest")

    def _claim(self, batch: DueBatch, dataset: str) -> None:
        if any(e.dataset == dataset and e.interval.start == batch.interval.start for e in self.running):
            return
        flow, key = self.program.flows[batch.flow], (batch.flow, batch.interval.start)
        interval, former = self._fitted(flow, batch.interval), self.recorded.get(key)
        asked, interval = interval, former.begun(interval, "v") if former else interval
        if interval.end > asked.end:
            return  # it waits
        self.tokens[key] += 1
        fresh = Batch(flow.id, interval, 0, (), "v", {}, {})
        self.recorded[key] = replace(former or fresh, interval=interval)
        until = self.now + timedelta(seconds=self.chance.randrange(300))
        self.running.append(Execution(batch, dataset, interval, self.tokens[key], until))

    def _fitted(self, flow: Flow, interval: Interval) -> Interval:
        """As contract/fitting.py."""
        if flow.follows and covered(interval, flow.interval_seconds) > 1:
            return self._of_one_version(flow, interval)
        if flow.kind != Kind.LOAD or flow.mode == Mode.REPLACE or covered(interval, flow.interval_seconds) == 1:
            return interval
        staged = self.recorded[self._makers[flow.tables[0].inputs[0]].id, interval.start]
        return Interval(interval.start, min(interval.end, staged.interval.end))

    def _of_one_version(self, flow: Flow, interval: Interval) -> Interval:
        (name,), seconds = flow.tables[0].inputs, flow.interval_seconds
        first = next_interval(interval.start, seconds)
        moment = ceil(first.end, self._makers[name].interval_seconds)
        read = self._covering(name, moment)
        following = self._after(name, max(moment, read.end) if read else moment)
        last = floor(following.start, seconds) if following else interval.end
        return Interval(first.start, max(first.end, min(last, interval.end)))

    def _end(self, execution: Execution) -> None:
        state = self.states[execution.batch.flow]
        table, fate = state.tables[execution.dataset], self.chance.random()
        if table.watermark != execution.interval.start or fate < self.failing / 2:
            return  # it died
        if fate < self.failing:
            self._store(state, execution.dataset, replace(table, attempts=table.attempts + 1, retry_at=self.now))
            return
        self._commit(state, execution)

    def _commit(self, state: FlowState, execution: Execution) -> None:
        dataset, interval, flow = execution.dataset, execution.interval, self.program.flows[state.flow]
        self.batches[dataset] += 1
        made = self._made(flow, dataset, interval)
        former = self._at(dataset, interval.start)
        changed = made is not None and (former is None or former.content != made)
        if changed:
            insort(self.versions.setdefault(dataset, []), Version(interval.end, interval.start, made), key=END)
        self._check(flow, dataset, interval.end)
        held = state.tables[dataset]
        covers = changed and covered(interval, flow.interval_seconds) > 1
        skipped = Skipped.after(held.skipped, interval, 1 + covers).now
        self._store(state, dataset, TableState(interval.end, begins=held.begins, skipped=skipped))
        key = (flow.id, interval.start)
        outcomes = {**self.recorded[key].outcomes, dataset: TableOutcome(TableStatus.COMMITTED)}
        self.recorded[key] = replace(self.recorded[key], outcomes=outcomes)

    def _store(self, state: FlowState, dataset: str, table: TableState) -> None:
        self.states[state.flow] = replace(state, tables={**state.tables, dataset: table})

    # -- what a batch makes

    def _made(self, flow: Flow, dataset: str, interval: Interval) -> object:
        """None where it changes nothing."""
        if flow.kind == Kind.COLLECT:
            source = self.sources[dataset]
            self.reads.setdefault(dataset, []).append((interval.end, self.now))
            return ("all", source.state(interval.end)) if flow.mode == Mode.REPLACE else source.rows(interval, self.now) or None
        table = next(table for table in flow.tables if table.dataset == dataset)
        if flow.kind == Kind.LOAD:
            return self._loaded(flow, table, interval)
        read = tuple(self._read(flow, name, interval) for name in table.inputs)
        return _result(flow, interval, read, self._held(dataset, interval.start))

    def _loaded(self, flow: Flow, table: Table, interval: Interval) -> object:
        (name,) = table.inputs
        staged = self._at(name, interval.end)
        if staged is None or staged.end <= interval.start:
            return None
        return staged.content if flow.mode == Mode.REPLACE else _added(self._held(table.dataset, interval.start), staged.content)

    def _held(self, dataset: str, moment: datetime) -> object:
        held = self._at(dataset, moment)
        return held.content if held else None

    def _at(self, dataset: str, moment: datetime) -> Version | None:
        known = self.versions.get(dataset, [])
        number = bisect_right(known, moment, key=END)
        return known[number - 1] if number else None

    def _after(self, dataset: str, moment: datetime) -> Version | None:
        known = self.versions.get(dataset, [])
        number = bisect_right(known, moment, key=END)
        return known[number] if number < len(known) else None

    def _read(self, flow: Flow, name: str, interval: Interval) -> object:
        """As the plan step finds it (MetadataReader.covering_version)."""
        maker = self._makers[name]
        moment = ceil(interval.end, maker.interval_seconds)
        assert self.states[maker.id].tables[name].watermark >= moment, "ran before its input was complete"
        found = self._covering(name, moment)
        return found.content if found else None

    def _covering(self, name: str, moment: datetime) -> Version | None:
        found, later = self._at(name, moment), self._after(name, moment)
        return later if later and later.start < moment and not (found and found.end == moment) else found

    # -- what it should have made

    def _read_at(self, dataset: str, end: datetime) -> datetime:
        """When the source was read for the interval up to there: a batch by itself would have had the same then."""
        reads = self.reads[dataset]
        return reads[bisect_left(reads, end, key=itemgetter(0))][1]

    def _check(self, flow: Flow, dataset: str, end: datetime) -> None:
        if flow.kind == Kind.COLLECT:
            return
        held = self._at(dataset, end)
        assert (held.content if held else None) == self.ideal(dataset, end), f"{dataset} as of {end}"
        self.checked += 1

    def ideal(self, dataset: str, end: datetime) -> object:
        """The content as of a boundary, of batches of one interval each."""
        start, content = self._known.get(dataset, (self.begin, None))
        if start < end:
            flow = self._makers[dataset]
            table = next(table for table in flow.tables if table.dataset == dataset)
            while start < end:
                interval = next_interval(start, flow.interval_seconds)
                start, content = interval.end, self._ideal_after(flow, table, interval, content)
                self._ideal[dataset, start] = content
            self._known[dataset] = start, content
        return self._ideal.get((dataset, end))

    def _ideal_after(self, flow: Flow, table: Table, interval: Interval, content: object) -> object:
        if flow.kind == Kind.LOAD:
            source = self.sources[table.inputs[0]]
            if flow.mode == Mode.REPLACE:
                return ("all", source.state(interval.end))
            return _added(content, source.rows(interval, self._read_at(table.inputs[0], interval.end)))
        read = tuple(self.ideal(name, ceil(interval.end, self._makers[name].interval_seconds)) for name in table.inputs)
        return _result(flow, interval, read, content)


def _added(content: object, rows: object) -> object:
    held = content if isinstance(content, Rows) else Rows()
    return held.with_rows(rows) if isinstance(rows, tuple) and rows else content


def _result(flow: Flow, interval: Interval, read: tuple[object, ...], held: object) -> object:
    """Of a view over what it reads: the whole, or what each interval adds; one that does not cover knows its batch's start.

    One that follows adds the rows whose own time is in the interval.
    """
    if flow.follows:
        times = sorted(time for table in read if isinstance(table, Rows) for _, time in table.times)
        return (*(held or ()), *(time for time in times if interval.start <= time < interval.end)) or None  # type: ignore[misc]
    if flow.covers:
        return hash((flow.query, *read))
    return hash((flow.query, interval, *read, held if flow.mode == Mode.APPEND else ()))


def collected(name: str, minutes: int, tables: int, mode: Mode, *, covers: bool = True) -> tuple[Flow, Flow]:
    """A statement that collects some tables."""
    names = [f"lake.{name}.t{number}" for number in range(tables)]
    staged = tuple(Table(f"{one}:staged") for one in names)
    loaded = tuple(Table(one, inputs=(f"{one}:staged",)) for one in names)
    collect = Flow(f"lake.{name}", Kind.COLLECT, "collect.s", "lake", 60 * minutes, staged, PLACE, mode=mode, covers=covers)
    return collect, replace(collect, id=f"lake.{name}:load", kind=Kind.LOAD, slice_id="organize.s", tables=loaded)


def view(name: str, minutes: int, inputs: tuple[str, ...], *, mode: Mode = Mode.REPLACE, covers: bool = True) -> Flow:
    table = Table(f"lake.v.{name}", inputs=inputs)
    return Flow(table.dataset, Kind.VIEW, "organize.s", "lake", 60 * minutes, (table,), PLACE, mode=mode, query=name, covers=covers)


def log(name: str, minutes: int, of: str) -> Flow:
    """A view that adds the rows of each interval's own time, of a table that is collected in MERGE."""
    return replace(view(name, minutes, (of,), mode=Mode.APPEND, covers=False), follows=True)


def program_of(*flows: Flow) -> Program:
    return Program({}, {}, {flow.id: flow for flow in flows})


def world_of(program: Program, begin: datetime, now: datetime, chance: Random, failing: float = 0.0, share: float = 0.3) -> World:
    """share: of the minutes in which each source changes."""
    minutes = int((now - begin).total_seconds()) // 60 + 3 * 1440
    moments = [begin + timedelta(seconds=60 * minute + 30) for minute in range(minutes)]
    staged = [t.dataset for flow in program.flows.values() if flow.kind == Kind.COLLECT for t in flow.tables]
    sources = {name: Source(tuple(moment for moment in moments if chance.random() < share)) for name in staged}
    return World(program, sources, begin, now, chance, failing)
