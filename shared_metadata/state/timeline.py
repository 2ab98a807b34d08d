"""The timeline of program versions: which one runs a batch, and the effect of a switch on a dataset.

A batch belongs to the last version that changes its flow, or what it reads, and takes effect by its start: of a flow that a
restatement does not concern, what was in force stays. Former versions stay as long as some of their batches are unfinished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import accumulate

from shared_metadata.program import Flow, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.boundary import changed_flows, with_readers
from shared_metadata.state.entries import BEGINNING, Entry
from shared_metadata.state.records import FlowState, TableState
from shared_metadata.state.skipped import before, uncut


@dataclass(frozen=True)
class DatasetProgress:
    """The progress of a flow's dataset along the timeline.

    through: it is complete up to here; its next batch starts here.
    program: whose next batch that is; None when no version from here on has the dataset.
    entry: the number of that program's entry, or 0.
    again_until: batches that start before this moment were made before, by an earlier version.
    advanced: it differs from what is stored, and has to be stored before the batch is claimed: `through`, or that failures of the
        batch do not count any more, since another program has taken it over.
    restated: the number of the last entry that has this batch reprocessed, also where no earlier version had made it; 0 for none.
        It is of that entry's program alone: neither what was recorded of it nor the names of its executions before count.
    until: when the next program takes effect, beyond which no batch of this one goes that covers several intervals.
    skipped: as in TableState, of what stays as it is, and of this program's own batches that are reprocessed as they were made.
    """

    through: datetime
    program: Program | None
    entry: int
    again_until: datetime | None
    advanced: bool
    until: datetime | None = None
    skipped: tuple[Interval, ...] = ()
    restated: int = 0

    @property
    def once_more_as_one(self) -> datetime | None:
        """Where a batch of several intervals ends that is reprocessed from `through` on; None where there is none."""
        return next((gap.end for gap in self.skipped if gap.start <= self.through < gap.end), None)


class Programs:
    """A timeline with its programs."""

    def __init__(self, entries: Sequence[tuple[Entry, Program]]) -> None:
        self.entries = tuple(_told_apart(entries))
        self._reached = tuple(accumulate((entry.boundary for entry, _ in self.entries), max))
        self._affected: dict[int, frozenset[str]] = {}
        self._made: dict[int, dict[str, tuple[Flow, Table]]] = {
            id(program): {table.dataset: (flow, table) for flow in program.flows.values() for table in flow.tables}
            for _, program in self.entries
        }
        self._readers: dict[int, dict[str, list[tuple[Flow, Table]]]] = {}
        self._tables: dict[str, list[dict[str, Table]]] = {}

    @staticmethod
    def always(program: Program) -> Programs:
        """A timeline with one program for all times."""
        return Programs([(Entry(program.version, BEGINNING, BEGINNING), program)])

    @property
    def last(self) -> Program:
        """The program that was applied last."""
        return self.entries[-1][1]

    @property
    def reached(self) -> datetime:
        """The boundary before which no other may lie, unless it is that of a restatement."""
        return self._reached[-1]

    def covers(self, moment: datetime) -> bool:
        """Whether the program of a moment is one of these: earlier ones are forgotten once all their batches are made."""
        return self.entries[0][0].boundary <= moment

    @cached_property
    def flow_ids(self) -> tuple[str, ...]:
        """All flows of all programs, sorted."""
        return tuple(sorted({name for _, program in self.entries for name in program.flows}))

    def datasets(self, flow: str) -> Collection[str]:
        """All datasets that a flow makes in any of these programs."""
        return dict.fromkeys(name for tables in self._tables_of(flow) for name in tables)

    def _tables_of(self, flow: str) -> list[dict[str, Table]]:
        """The tables of a flow, by dataset, in each entry's program."""
        if flow not in self._tables:
            known = (program.flows.get(flow) for _, program in self.entries)
            self._tables[flow] = [{table.dataset: table for table in one.tables} if one else {} for one in known]
        return self._tables[flow]

    def active(self, now: datetime) -> tuple[Entry, Program]:
        """The entry and the program of the present."""
        return next((known for known in reversed(self.entries) if known[0].boundary <= now), self.entries[0])

    def version(self, program: Program) -> str:
        """The version of one of these programs; computing it anew would write it as JSON."""
        return next(entry.version for entry, known in self.entries if known is program)

    def with_flow(self, flow: str, start: datetime) -> tuple[Entry, Program] | None:
        """The program as in `at`, or the nearest later version that has the flow, or else the nearest earlier one, or None."""
        following = self._following(flow, start)
        order = (self.entries[number] for number in (*following, *reversed(range(following[0]))))
        return next((known for known in order if flow in known[1].flows), None)

    def producer(self, program: Program, dataset: str) -> Flow | None:
        """The flow that makes a dataset in one of these programs."""
        made = self._made[id(program)].get(dataset)
        return made[0] if made else None

    def table(self, program: Program, dataset: str) -> Table | None:
        """The table of a dataset in one of these programs."""
        made = self._made[id(program)].get(dataset)
        return made[1] if made else None

    def readers(self, program: Program, dataset: str) -> Sequence[tuple[Flow, Table]]:
        """The flows that read a dataset in one of these programs, with the tables that each makes of it."""
        if id(program) not in self._readers:
            found = self._readers.setdefault(id(program), {})
            for flow in program.flows.values():
                for table in flow.tables:
                    for name in table.inputs:
                        found.setdefault(name, []).append((flow, table))
        return self._readers[id(program)].get(dataset, ())

    def progress(self, flow: str, dataset: str, state: TableState) -> DatasetProgress:
        """The progress of a dataset: after its reprocessing, and after the time in which no version had it."""
        through, again_until, taken_over = state.watermark, state.again_until, False
        for index, (entry, _) in enumerate(self.entries):
            if self._reprocesses(index, flow, state):
                first = uncut(state.skipped, max(entry.boundary, state.begins or entry.boundary))
                taken_over |= first <= through
                through, again_until = min(through, first), max(through, again_until or through) if first < through else again_until
        following, tables = self._following(flow, through), self._tables_of(flow)
        number = next((number for number in following if dataset in tables[number]), None)
        if number is None:
            return DatasetProgress(through, None, 0, again_until, advanced=False)
        if number != following[0] and any(dataset in known for known in tables[: following[0]]):
            through, again_until = self._begins(number, flow), None  # it was removed and added again
        (entry, program), until = self.entries[number], self._until(number, flow)
        own = until if until and not self._reprocesses(number, flow, state) else through
        advanced, skipped = through != state.watermark or taken_over, before(state.skipped, max(own, through))
        restated = self.restated(flow, through)
        return DatasetProgress(through, program, entry.number, again_until, advanced, until, skipped, restated)

    def _reprocesses(self, index: int, flow: str, state: TableState) -> bool:
        """Whether an entry has the batches of a flow's dataset reprocessed from its boundary on, and has not begun to."""
        entry, _ = self.entries[index]
        return index > 0 and entry.restates and entry.number > state.entry and flow in self.affected(index)

    def restated(self, flow: str, start: datetime) -> int:
        """The number of the last entry that has a flow's batch reprocessed, which an earlier program may have tried; 0 for none."""
        for number in range(self._index(flow, start), 0, -1):
            entry, _ = self.entries[number]
            if entry.restates and entry.boundary <= start < entry.at and flow in self.affected(number):
                return entry.number
        return 0

    def is_over(self, flow: str, dataset: str, state: TableState) -> bool:
        """Whether a dataset was removed, and all its batches are made; before that, its readers still wait for it."""
        removed = dataset not in self._tables_of(flow)[-1]
        return removed and self.progress(flow, dataset, state).program is None

    def last_switch(self, flow: str, start: datetime) -> datetime | None:
        """The last boundary up to `start` at which this flow, or one that it reads through others, changed.

        What changed at the first boundary is not known where the entries before are forgotten: anything may have.
        """
        found = (n for n in range(self._index(flow, start), 0, -1) if flow in self.affected(n) and self._begins(n, flow) <= start)
        first = self.entries[0][0].boundary
        return next((self.entries[number][0].boundary for number in found), first if BEGINNING < first <= start else None)

    def affected(self, index: int) -> frozenset[str]:
        """The flows that an entry after the first changed, and their readers."""
        if index not in self._affected:
            entry, program = self.entries[index]
            self._affected[index] = self.affected_by(program, entry.boundary, index)
        return self._affected[index]

    def affected_by(self, program: Program, since: datetime, index: int | None = None) -> frozenset[str]:
        """The flows that would change if `program` were the next to take effect, and all that read them then or since that moment.

        Where it changes nothing of the last program, as that one applied once more does, they are those that differ since then.
        index: of the entry that it is the program of; without one, it is to follow all of these.
        """
        in_force = self.in_force(since, index)
        changed = changed_flows(in_force[-1], program)
        changed = changed or frozenset().union(*(changed_flows(former, program) for former in in_force[:-1]))
        return with_readers(changed, *in_force, program)

    def in_force(self, since: datetime, index: int | None = None) -> list[Program]:
        """The programs before an entry, or of all of them, to which a batch may belong that starts at a moment or later."""
        return [program for _, program in self.entries[self.in_force_from(since, index) : index]]

    def in_force_from(self, since: datetime, index: int | None = None) -> int:
        """The number of entries to which no batch belongs that starts at a moment or later."""
        return max((number for number, moment in enumerate(self._reached[:index]) if moment <= since), default=0)

    def changed_since(self, flow: str, since: datetime) -> datetime | None:
        """The last boundary after a moment at which a flow, or one that it reads through others, changed."""
        changes = [(n, entry.boundary) for n, (entry, _) in enumerate(self.entries) if n and flow in self.affected(n)]
        last = max((n for n, boundary in changes if boundary <= since), default=0)  # it goes on beyond those before it
        return max((boundary for n, boundary in changes if n > last), default=None)

    def needs(self, index: int) -> int:
        """The index of the first entry to keep for one: a restatement needs those whose batches it leaves as they are."""
        while index and self.entries[index][0].boundary < self._reached[index]:
            index -= 1
        return index

    def kept_before(self, program: Program, boundary: datetime, *, restates: bool) -> int:
        """The number of these entries that stay when another is added; to the last ones no batch may belong any more.

        One that restates replaces others that do, whose every change it makes anew, if it affects the same without them: tries at one
        thing. Any other replaces only those of its own boundary.
        """
        kept = len(self.entries)
        if not restates:
            while kept and self.entries[kept - 1][0].boundary >= boundary:
                kept -= 1
            return kept
        affected = self.affected_by(program, boundary)
        while kept > 1 and self._is_a_try(kept - 1, boundary, affected) and affected == self.affected_by(program, boundary, kept - 1):
            kept -= 1
        return kept

    def _is_a_try(self, index: int, boundary: datetime, affected: frozenset[str]) -> bool:
        """Whether an entry restates, from a boundary on or later, and nothing but what is affected."""
        entry, _ = self.entries[index]
        return entry.restates and entry.boundary >= boundary and self.affected(index) <= affected

    def outstanding(self, index: int, states: Mapping[str, FlowState]) -> bool:
        """Whether batches of the entry's program are unfinished, or the next program has not yet made one of every dataset.

        A stopped and removed dataset is not waited for, unless a later program has it again: it first makes the batches that were
        left.
        """
        boundary, following = self.entries[index + 1][0].boundary, self.entries[index + 1][1]
        for flow, dataset in {*_datasets(self.entries[index][1]), *_datasets(following)}:
            state = states[flow].tables.get(dataset) if flow in states else None
            if state is None:
                continue
            tables, progress = self._tables_of(flow), self.progress(flow, dataset, state)
            stays, through = dataset in tables[index + 1], progress.through
            waited_for = stays or not state.stopped or any(dataset in later for later in tables[index + 2 :])
            if progress.advanced or (through < boundary and waited_for) or (stays and through == boundary):
                return True
        return False

    def after(self, program: Program, flow: str) -> datetime | None:
        """The moment at which a flow's next program after this one takes effect; None for never."""
        return self._until(next(index for index, (_, known) in enumerate(self.entries) if known is program), flow)

    def _following(self, flow: str, start: datetime) -> list[int]:
        """The entries to which a flow's batches belong that start then or later, one after another."""
        index = self._index(flow, start)
        switches = sorted({self._begins(later, flow) for later in range(index + 1, len(self.entries))})
        return [index, *(self._index(flow, moment) for moment in switches)]

    def _until(self, index: int, flow: str) -> datetime | None:
        return min((self._begins(later, flow) for later in range(index + 1, len(self.entries))), default=None)

    def _index(self, flow: str, start: datetime) -> int:
        return max((number for number in range(len(self.entries)) if self._begins(number, flow) <= start), default=0)

    def _begins(self, index: int, flow: str) -> datetime:
        """The moment from which a flow's batches belong to an entry: that of a restatement to those of what it affects alone."""
        boundary, reached = self.entries[index][0].boundary, self._reached[index]
        return boundary if boundary == reached or flow in self.affected(index) else reached


def _told_apart(entries: Sequence[tuple[Entry, Program]]) -> Iterator[tuple[Entry, Program]]:
    """The entries, where a program that came back is another object: programs are told by their identity."""
    seen = set[int]()
    for entry, program in entries:
        yield entry, replace(program) if id(program) in seen else program
        seen.add(id(program))


def restored(progress: DatasetProgress, state: TableState) -> TableState:
    """The state to store for a dataset that has advanced: no attempt at its next batch has failed, or none counts."""
    if progress.through == state.watermark:
        return replace(state, forgiven=state.attempts, retry_at=None, error="", dead_letter=None, entry=progress.entry)
    fresh = TableState(progress.through, state.cursor, begins=state.begins, skipped=progress.skipped, quiesced=state.quiesced)
    return replace(fresh, entry=progress.entry, again_until=progress.again_until)


def _datasets(program: Program) -> Iterator[tuple[str, str]]:
    return ((flow.id, table.dataset) for flow in program.flows.values() for table in flow.tables)
