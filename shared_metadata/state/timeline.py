"""The timeline of program versions, in the order of their boundaries: which one runs a batch, and the effect of a switch on a
dataset.

A batch belongs to the version in whose time it starts. Former versions stay as long as some of their batches are unfinished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from shared_metadata.program import Flow, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.boundary import affected_flows
from shared_metadata.state.records import FlowState, TableState
from shared_metadata.state.skipped import before, uncut

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A program version and when it takes effect.

    at, by: when and by whom it was applied.  number: higher than that of all entries before it.
    restates: batches of the changed flows and their readers since the boundary, made by an earlier version, are reprocessed.
    """

    version: str
    boundary: datetime
    at: datetime
    by: str = ""
    number: int = 1
    restates: bool = False


@dataclass(frozen=True)
class Timeline:
    """The entries by boundary, of which at most the last lies in the future; `revision` counts its changes."""

    entries: tuple[Entry, ...] = ()
    revision: int = 0

    def active(self, now: datetime) -> Entry | None:
        """The entry of the present; None when nothing was ever applied."""
        return next((entry for entry in reversed(self.entries) if entry.boundary <= now), None)

    def pending(self, now: datetime) -> Entry | None:
        """The entry that has yet to take effect."""
        return self.entries[-1] if self.entries and self.entries[-1].boundary > now else None

    def former(self, now: datetime) -> Entry | None:
        """The entry before the active one, whose program a rollback brings back."""
        past = [entry for entry in self.entries if entry.boundary <= now]
        return next((entry for entry in reversed(past[:-1]) if entry.version != past[-1].version), None)

    @property
    def earliest(self) -> datetime:
        """The moment before which no further entry may lie."""
        return self.entries[-1].boundary if self.entries else BEGINNING

    @property
    def next_number(self) -> int:
        """The next entry's number, higher than that of a cancelled one too."""
        return max([self.revision, *(entry.number for entry in self.entries)]) + 1


@dataclass(frozen=True)
class DatasetProgress:
    """The progress of a flow's dataset along the timeline.

    through: it is complete up to here; its next batch starts here.
    program: whose next batch that is; None when no version from here on has the dataset.
    entry: the number of that program's entry, or 0.
    again_until: batches that start before this moment were made before, by an earlier version.
    advanced: `through` differs from the stored watermark, and has to be stored before the batch is claimed.
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

    @property
    def once_more_as_one(self) -> datetime | None:
        """Where a batch of several intervals ends that is reprocessed from `through` on; None where there is none."""
        return next((gap.end for gap in self.skipped if gap.start <= self.through < gap.end), None)


class Programs:
    """A timeline with its programs."""

    def __init__(self, entries: Sequence[tuple[Entry, Program]]) -> None:
        self.entries = tuple(entries)
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
        return self.entries[self._index(now)]

    def version(self, program: Program) -> str:
        """The version of one of these programs; computing it anew would write it as JSON."""
        return next(entry.version for entry, known in self.entries if known is program)

    def with_flow(self, flow: str, start: datetime) -> tuple[Entry, Program] | None:
        """The program as in `at`, or the nearest later version that has the flow, or else the nearest earlier one, or None."""
        index = self._index(start)
        order = [*self.entries[index:], *reversed(self.entries[:index])]
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
        through, again_until = state.watermark, state.again_until
        for index, (entry, _) in enumerate(self.entries):
            if self._reprocesses(index, flow, state):
                first = uncut(state.skipped, max(entry.boundary, state.begins or entry.boundary))
                through, again_until = min(through, first), max(through, again_until or through) if first < through else again_until
        index = self._index(through)
        known = [number for number, tables in enumerate(self._tables_of(flow)) if dataset in tables]
        following = next((number for number in known if number >= index), None)
        if following is not None and following > index and known[0] < index:
            through, again_until = self.entries[following][0].boundary, None  # it was removed and added again
        if following is None:
            return DatasetProgress(through, None, 0, again_until, advanced=False)
        (entry, program), until = self.entries[following], self._until(following)
        own = until if until and not self._reprocesses(following, flow, state) else through
        advanced, skipped = through != state.watermark, before(state.skipped, max(own, through))
        return DatasetProgress(through, program, entry.number, again_until, advanced, until, skipped)

    def _reprocesses(self, index: int, flow: str, state: TableState) -> bool:
        """Whether an entry has the batches of a flow's dataset reprocessed from its boundary on, and has not begun to."""
        entry, _ = self.entries[index]
        return index > 0 and entry.restates and entry.number > state.entry and flow in self.affected(index)

    def is_over(self, flow: str, dataset: str, state: TableState) -> bool:
        """Whether a dataset was removed, and all its batches are made; before that, its readers still wait for it."""
        removed = dataset not in self._tables_of(flow)[-1]
        return removed and self.progress(flow, dataset, state).program is None

    def last_switch(self, flow: str, start: datetime) -> datetime | None:
        """The last boundary up to `start` at which this flow, or one that it reads through others, changed."""
        for index in range(self._index(start), 0, -1):
            if flow in self.affected(index):
                return self.entries[index][0].boundary
        return None

    def affected(self, index: int) -> frozenset[str]:
        """The flows that an entry after the first changed, and their readers."""
        if index not in self._affected:
            self._affected[index] = affected_flows(self.entries[index - 1][1], self.entries[index][1])
        return self._affected[index]

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

    def after(self, program: Program) -> datetime | None:
        """The moment at which the program after this one takes effect; None for never."""
        return self._until(next(index for index, (_, known) in enumerate(self.entries) if known is program))

    def _until(self, index: int) -> datetime | None:
        return self.entries[index + 1][0].boundary if index + 1 < len(self.entries) else None

    def _index(self, start: datetime) -> int:
        return max((number for number, (entry, _) in enumerate(self.entries) if entry.boundary <= start), default=0)


def restored(progress: DatasetProgress, state: TableState) -> TableState:
    """The state to store for a dataset that has advanced: no attempt at its next batch has failed."""
    fresh = TableState(progress.through, state.cursor, begins=state.begins, skipped=progress.skipped, quiesced=state.quiesced)
    return replace(fresh, entry=progress.entry, again_until=progress.again_until)


def _datasets(program: Program) -> Iterator[tuple[str, str]]:
    return ((flow.id, table.dataset) for flow in program.flows.values() for table in flow.tables)
