"""A world in which programs are applied, changed and rolled back while their batches run, fail, die and are caught up.

What is decided comes from the real functions: where a dataset stands, what is due, when a program takes effect. The world keeps
what commits would keep, by simpler means, and checks at each batch what it reads.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.program.intervals import Interval, ceil, covered, floor
from shared_metadata.state.boundary import intervals_of, last_common
from shared_metadata.state.effect import Effect, FlowProgress, begins_again, natural_effect, restatement
from shared_metadata.state.entries import BEGINNING, Entry, Timeline
from shared_metadata.state.records import Batch, FlowState, Moved, TableOutcome, TableState, TableStatus
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.skipped import Skipped
from shared_metadata.state.timeline import Programs, restored

ORIGIN = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
PLACE = Position("program.sql", 1, 1)
MINUTES = (1, 2, 10, 30, 60)  # each divides the next, so that any of them may read any other
Made = Mapping[str, str]  # flow ▸ the definition of it that a version's rows went through


@dataclass(frozen=True)
class Version:
    """A dataset's version: what it was made by, all the way up, and which versions it read."""

    start: datetime
    end: datetime
    made: Made
    reads: Mapping[str, datetime]


@dataclass
class Execution:
    """A claimed batch of one table, at work until a moment."""

    flow: str
    dataset: str
    batch: DueBatch
    interval: Interval
    program: Program
    token: int
    until: datetime
    reads: Mapping[str, Version]


@dataclass
class World:
    """`commits` are those of each dataset: start, end and the number of the entry by which they were made.

    `names` are those of the executions that the conductor has started: a service takes each once.
    `starts` are the moments at which a dataset may begin anew: boundaries of programs that have it. `restated` are the boundaries of
    restatements.
    """

    chance: Random
    failing: float
    now: datetime
    timeline: Timeline = field(default_factory=Timeline)
    programs: dict[str, Program] = field(default_factory=dict)
    states: dict[str, FlowState] = field(default_factory=dict)
    versions: dict[str, dict[datetime, Version]] = field(default_factory=dict)
    tokens: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    recorded: dict[tuple[str, datetime], Batch] = field(default_factory=dict)
    pins: dict[tuple[str, Interval, str], dict[str, datetime]] = field(default_factory=dict)
    running: list[Execution] = field(default_factory=list)
    commits: dict[str, list[tuple[datetime, datetime, int]]] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    starts: dict[str, set[datetime]] = field(default_factory=dict)
    restated: list[datetime] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    _along: dict[Timeline, Programs] = field(default_factory=dict)

    @property
    def along(self) -> Programs:
        if self.timeline not in self._along:
            entries = [(entry, self.programs[entry.version]) for entry in self.timeline.entries]
            self._along = {self.timeline: Programs(entries)}
        return self._along[self.timeline]

    # -- what an operator does

    def apply(self, program: Program, *, restate_minutes: int | None = None) -> None:
        """As `atoll apply`; nothing while another update set is pending."""
        last = self.timeline.entries[-1].version if self.timeline.entries else ""
        if self.timeline.pending(self.now) or (program.version == last and restate_minutes is None):
            return
        effect = self._effect(program, restate_minutes) if self.timeline.entries else Effect(BEGINNING, soon=True)
        if effect is None:
            return
        entry = Entry(program.version, effect.boundary, self.now, "", self.timeline.next_number, effect.restates)
        needed = self._needed(effect.boundary)
        programs = Programs([(known, self.programs[known.version]) for known in needed])
        kept = programs.kept_before(program, effect.boundary, restates=effect.restates)
        restates = effect.restates or any(known.restates for known in needed[kept:])
        entry = dataclasses.replace(entry, restates=restates and kept > 0)
        self.programs[program.version] = program
        self.restated += [entry.boundary] if entry.restates else []
        self._open(program, effect, programs, Programs([*programs.entries[:kept], (entry, program)]))
        for name in effect.earlier:
            self._begin_earlier(name, effect.boundary)
        self.timeline = Timeline((*needed[:kept], entry), self.timeline.revision + 1)
        for flow in program.flows:
            self.starts.setdefault(flow, set()).add(entry.boundary)

    def cancel(self) -> None:
        if self.timeline.pending(self.now):
            self.timeline = Timeline(self.timeline.entries[:-1], self.timeline.revision + 1)

    def _effect(self, program: Program, restate_minutes: int | None) -> Effect | None:
        along = self.along
        progress = self._progress(along)
        if restate_minutes is None:
            return natural_effect(along, program, progress, self.now)
        since = self.now - timedelta(minutes=restate_minutes)
        affected = along.affected_by(program, since)
        boundary = last_common(since, intervals_of(affected, *along.in_force(since), program))
        try:
            return restatement(along, program, progress, boundary, self.now)
        except InputError:
            return None

    def _progress(self, along: Programs) -> dict[str, FlowProgress]:
        progress = {}
        for name in self.states:
            tables = self.states[name].tables
            through = [along.progress(name, dataset, state).through for dataset, state in tables.items()]
            stopped = any(state.stopped for state in tables.values())
            begins = max(state.begins or BEGINNING for state in tables.values())
            failing = any(state.failures and not state.stopped for state in tables.values())
            progress[name] = FlowProgress(min(through), max(through), name in self.ran, stopped, begins, failing)
        return progress

    def _needed(self, boundary: datetime) -> tuple[Entry, ...]:
        entries, along = self.timeline.entries, self.along
        last = min(max(len(entries) - 2, 0), max(along.in_force_from(boundary) - 1, 0)) if entries else 0
        first = next((n for n in range(last) if along.outstanding(n, self.states)), last)
        return entries[along.needs(first) if entries else 0 :]

    def _open(self, program: Program, effect: Effect, former: Programs, along: Programs) -> None:
        for flow in program.flows.values():
            length = timedelta(seconds=flow.interval_seconds)
            start = floor(self.now, flow.interval_seconds) - length if effect.soon else effect.boundary
            for name in [name for table in flow.tables for name in table.inputs]:
                while ceil(start + length, self._length(program, name)) < self._first_end(program, name, along):
                    start += length
            tables = dict(self.states[flow.id].tables) if flow.id in self.states else {}
            for table in flow.tables:
                state = tables.get(table.dataset)
                if state is None or (self.timeline.entries and begins_again(former, flow.id, table.dataset, state, _given(start))):
                    before = state.watermark if state and state.watermark > start else None
                    skipped = state.skipped if state else ()
                    tables[table.dataset] = TableState(start, begins=start, again_until=before, skipped=skipped)
                    self.starts.setdefault(table.dataset, set()).add(start)
            held = self.states.get(flow.id, FlowState(flow.id, {}))
            self.states[flow.id] = dataclasses.replace(held, tables=tables)

    def _begin_earlier(self, flow: str, boundary: datetime) -> None:
        for dataset, state in self.states[flow].tables.items():
            if state.begins and state.begins > boundary:
                self._store(flow, dataset, dataclasses.replace(state, begins=boundary))
                self.starts.setdefault(dataset, set()).add(boundary)

    def _length(self, program: Program, dataset: str) -> int:
        return program.producers[dataset].interval_seconds

    def _first_end(self, program: Program, dataset: str, along: Programs) -> datetime:
        maker = program.producers[dataset].id
        progress = along.progress(maker, dataset, self.states[maker].tables[dataset])
        length = (progress.program or program).flows[maker].interval_seconds
        following: datetime = progress.once_more_as_one or progress.through + timedelta(seconds=length)
        covered = (version.start + timedelta(seconds=length) for version in self.versions.get(dataset, {}).values())
        return min([following, *covered])

    # -- what the conductor and the slices do

    def start(self, *, by_hand: bool = False) -> None:
        """Claims what is due, each table by itself."""
        along = self.along
        for batch in due_batches(along, self.states, self.now, ignore_failures=by_hand):
            for dataset in batch.datasets:
                if any((e.dataset, e.flow, e.interval.start) == (dataset, batch.flow, batch.interval.start) for e in self.running):
                    continue
                self._settle(along, batch.flow, dataset)
                assert self.states[batch.flow].tables[dataset].watermark == batch.interval.start
                recorded = self.recorded.get((batch.flow, batch.interval.start))
                if recorded and batch.waits(recorded):
                    continue
                if not by_hand and batch.execution_name in self.names:
                    self._count_failure(batch.flow, dataset)  # as for an execution that has ended without an outcome
                    continue
                self.names |= set() if by_hand else {batch.execution_name}
                self._claim(along, batch, dataset)

    def _settle(self, along: Programs, flow: str, dataset: str) -> None:
        state = self.states[flow].tables[dataset]
        progress = along.progress(flow, dataset, state)
        if progress.advanced:
            self._store(flow, dataset, restored(progress, state))

    def _claim(self, along: Programs, batch: DueBatch, dataset: str) -> None:
        found = along.with_flow(batch.flow, batch.interval.start)
        assert found and found[0].number == batch.entry
        program, key = found[1], (dataset, batch.interval.start)
        self.tokens[key] += 1
        self.ran.add(batch.flow)
        former = self.recorded.get((batch.flow, batch.interval.start))
        asked = batch.interval
        interval = former.begun(asked, program.version, batch.until, batch.restated) if former else asked
        begun = former or Batch(batch.flow, interval, 0, (dataset,), "", {}, {})
        taken = dataclasses.replace(begun, interval=interval, program_version=program.version, outcomes={})
        self.recorded[batch.flow, interval.start] = taken
        reads = self._reads(along, program, batch.flow, interval, dataset)
        until = self.now + timedelta(minutes=self.chance.randrange(6))
        self.running.append(Execution(batch.flow, dataset, batch, interval, program, self.tokens[key], until, reads))

    def _reads(self, along: Programs, program: Program, made_by: str, interval: Interval, dataset: str) -> dict[str, Version]:
        """Of each input the version that the plan step would find; all of it must come from the batch's own program."""
        flow, found = program.flows[made_by], {}
        for name in next(table.inputs for table in flow.tables if table.dataset == dataset):
            producer = program.producers[name]
            upto = ceil(interval.end, producer.interval_seconds)
            through = along.progress(producer.id, name, self.states[producer.id].tables[name]).through
            if name in flow.tolerates:
                pins = self.pins.setdefault((dataset, interval, found_version(program)), {})
                oldest = interval.end - timedelta(seconds=flow.tolerates[name])
                switch = along.last_switch(producer.id, interval.start)
                oldest = max(oldest, switch + timedelta(microseconds=1)) if switch else oldest
                version = self._lagging(name, min(upto, through), upto, oldest, pins)
            else:
                assert through >= interval.end, "ran before its input was complete"
                version = self._covering(name, upto)
            assert version is not None, f"{name} has no version by {upto}"
            for maker, definition in version.made.items():
                assert program.flows[maker].query == definition, f"{dataset} {interval} reads {name} made by another {maker}"
            found[name] = version
        return found

    def _lagging(self, name: str, moment: datetime, upto: datetime, oldest: datetime, pins: dict[str, datetime]) -> Version | None:
        """As the plan step finds the version of an input that may lag, the same at each attempt while it is there."""
        pinned = self.versions.get(name, {}).get(pins[name]) if name in pins else None
        if pinned and pinned.start < upto:
            return pinned
        version = self._covering(name, moment)
        if version and version.end > moment:
            former = max((v for v in self.versions[name].values() if v.end <= moment), key=lambda v: v.end, default=None)
            version = former if former and former.end >= oldest else version
        pins |= {name: version.end} if version else {}
        return version

    def _covering(self, name: str, moment: datetime) -> Version | None:
        """As MetadataReader.covering_version."""
        known = self.versions.get(name, {}).values()
        found = max((v for v in known if v.end <= moment), key=lambda v: v.end, default=None)
        later = min((v for v in known if v.end > moment), key=lambda v: v.end, default=None)
        straddles = later and later.start < moment and not (found and found.end == moment)
        return later if straddles else found

    def end(self) -> None:
        """Executions whose time has come commit, fail or die."""
        for execution in [e for e in self.running if e.until <= self.now]:
            self.running.remove(execution)
            fate = self.chance.random()
            if fate < self.failing / 2:
                self._fail(execution)
            elif fate >= self.failing:
                self._commit(execution)

    def _fail(self, execution: Execution) -> None:
        state = self.states[execution.flow].tables[execution.dataset]
        if self._is_last(execution) and state.watermark == execution.interval.start:
            self._count_failure(execution.flow, execution.dataset)

    def _count_failure(self, flow: str, dataset: str) -> None:
        state = self.states[flow].tables[dataset]
        retry_at = self.now + timedelta(seconds=30 * (state.attempts + 1))
        self._store(flow, dataset, dataclasses.replace(state, attempts=state.attempts + 1, retry_at=retry_at))

    def _commit(self, execution: Execution) -> None:
        batch, dataset, interval = execution.batch, execution.dataset, execution.interval
        state = self.states[execution.flow].tables[dataset]
        if not self._is_last(execution) or state.watermark != interval.start or state.entry > batch.entry:
            return  # stale
        left = batch.again_until if batch.again_until and batch.again_until > interval.end else None
        moved = TableState(interval.end, entry=batch.entry, again_until=left, begins=state.begins, skipped=state.skipped)
        self._store(execution.flow, dataset, moved)
        done = {"outcomes": {dataset: TableOutcome(TableStatus.COMMITTED, 1)}, "moved": {dataset: Moved("", batch.entry)}}
        key = execution.flow, interval.start
        self.recorded[key] = dataclasses.replace(self.recorded[key], **done)  # type: ignore[arg-type]
        made = {execution.flow: execution.program.flows[execution.flow].query}
        for version in execution.reads.values():
            made |= version.made
        reads = {name: version.end for name, version in execution.reads.items()}
        known = self.versions.setdefault(dataset, {})
        if batch.again_until or not reads or not self._unchanged(known, execution, reads):
            known[interval.end] = Version(interval.start, interval.end, made, reads)
            intervals = covered(interval, execution.program.flows[execution.flow].interval_seconds)
            skipped = Skipped.after(moved.skipped, interval, intervals).now
            self._store(execution.flow, dataset, dataclasses.replace(moved, skipped=skipped))
        self.commits.setdefault(dataset, []).append((interval.start, interval.end, batch.entry))

    def _unchanged(self, known: Mapping[datetime, Version], execution: Execution, reads: Mapping[str, datetime]) -> bool:
        """Whether the current version was made by the same definition from the same inputs."""
        start, query = execution.interval.start, execution.program.flows[execution.flow].query
        current = known.get(start) or max((v for v in known.values() if v.end <= start), key=lambda v: v.end, default=None)
        return current is not None and current.reads == reads and current.made.get(execution.flow) == query

    def _is_last(self, execution: Execution) -> bool:
        return self.tokens[execution.dataset, execution.interval.start] == execution.token

    def _store(self, flow: str, dataset: str, state: TableState) -> None:
        held = self.states[flow]
        self.states[flow] = dataclasses.replace(held, tables={**held.tables, dataset: state})


def found_version(program: Program) -> str:
    """Names a program for the pins: attempts by another program pin anew."""
    return str(id(program))


def view(name: str, query: str, minutes: int, inputs: tuple[str, ...], tolerates: Mapping[str, int], *, covers: bool) -> Flow:
    flow = Flow(name, Kind.VIEW, "organize.s", "lake", 60 * minutes, (Table(name, inputs=inputs),), PLACE, query=query)
    return dataclasses.replace(flow, tolerates=tolerates, covers=covers)


class Author:
    """Writes programs and changes them: flows are numbered, and each reads some of lower numbers."""

    def __init__(self, chance: Random, flows: int) -> None:
        self._chance, self._count, self._written = chance, flows, 0
        self.current: dict[int, Flow] = {}
        self._former: list[dict[int, Flow]] = []
        for number in range(flows):
            self._write(number)

    def program(self) -> Program:
        return Program({}, {}, {flow.id: flow for flow in self.current.values()})

    def change(self) -> Program:
        """Changes, adds or removes some flows; brings an earlier program back; or leaves all as it is."""
        self._former.append(dict(self.current))
        chance = self._chance.random()
        if chance < 0.25:
            self.current = dict(self._chance.choice(self._former[-4:] if chance < 0.2 else self._former[-1:]))
            return self.program()
        for _ in range(self._chance.randrange(1, 3)):
            number = self._chance.randrange(self._count)
            if self._chance.random() < 0.3 and len(self.current) > 1:
                self._remove(number)
            else:
                self._write(number)
        return self.program()

    def _write(self, number: int) -> None:
        self._written += 1
        lower = [flow.id for known, flow in self.current.items() if known < number]
        inputs = tuple(sorted(self._chance.sample(lower, min(len(lower), self._chance.randrange(3)))))
        tolerates = {name: 60 * self._chance.choice((5, 60, 180)) for name in inputs if self._chance.random() < 0.25}
        former = self.current.get(number)
        minutes = former.interval_seconds // 60 if former and self._chance.random() < 0.8 else self._chance.choice(MINUTES)
        covers = self._chance.random() < 0.6
        self.current[number] = view(f"lake.a.f{number}", f"definition {self._written}", minutes, inputs, tolerates, covers=covers)

    def _remove(self, number: int) -> None:
        gone = self.current.pop(number, None)
        for known, flow in list(self.current.items()):
            if gone and gone.id in flow.tables[0].inputs:
                inputs = tuple(name for name in flow.tables[0].inputs if name != gone.id)
                tolerates = {name: seconds for name, seconds in flow.tolerates.items() if name != gone.id}
                self._written += 1
                query = f"definition {self._written}"
                minutes = flow.interval_seconds // 60
                self.current[known] = view(flow.id, query, minutes, inputs, tolerates, covers=flow.covers)


def _given(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment
