"""Derives where every dataset has to stand from the records of its batches, along the timeline; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Batch, LastChange, TableState, change_of
from shared_metadata.state.schedule import attempts_named
from shared_metadata.state.timeline import Programs
from shared_metadata.verification.facts import Facts

ANY_ENTRY = 2**31  # the entry of a dataset that no later program version moves back


@dataclass(frozen=True, slots=True)
class Left:
    """A move of a dataset from a batch's start to its end; there is one in memory for each batch.

    entry, cursor: as the batch recorded them; None for the cursor where only the event records it.  changed: whether the batch has
    made a version.
    """

    end: datetime
    flow: str
    entry: int
    cursor: str | None
    changed: bool = False


@dataclass(frozen=True)
class Derived:
    """The position that a dataset has to have.

    state: None where it can't be derived: neither a batch nor a start is recorded.
    cursor_known: False where the last batch's record is gone, and its cursor with it.
    gaps: batches before the watermark without a record.
    """

    state: TableState | None
    cursor_known: bool = True
    gaps: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Maker:
    """The batch that made a version."""

    entry: int
    flow: str
    start: datetime


class Derivation:
    """The derivation over all that is recorded.

    makers: dataset and end ▸ the batch that made its version last: after a change of the interval several batches end at one moment.
    """

    def __init__(self, facts: Facts, programs: Programs) -> None:
        self._programs, self._facts = programs, facts
        self._left: dict[tuple[str, str], dict[datetime, Left]] = {}
        self.makers: dict[tuple[str, datetime], Maker] = {}
        for (_, start, dataset), batch in facts.batches.items():
            self._take(start, dataset, batch)
        for done in facts.completed.values():
            for dataset in done.datasets:
                if not facts.has_aged(done.flow, done.interval.end) and not facts.records(done.flow, done.interval.start, dataset):
                    for name in (dataset, *done.completed_by(dataset)):
                        left = Left(done.interval.end, done.flow, ANY_ENTRY, None)
                        self._keep(done.flow, name, done.datasets, done.interval.start, left)

    def _take(self, start: datetime, dataset: str, batch: Batch) -> None:
        outcome, end = batch.outcomes.get(dataset), batch.interval.end
        changed = outcome is not None and outcome.pointer is not None
        for name, moved in batch.moved.items():
            left = Left(end, batch.flow, moved.entry, moved.cursor, changed=changed and name == dataset)
            self._keep(batch.flow, name, batch.datasets, start, left)
        if changed:
            maker = Maker(batch.moved[dataset].entry if dataset in batch.moved else 0, batch.flow, start)
            known = self.makers.setdefault((dataset, end), maker)
            if known.entry <= maker.entry:
                self.makers[dataset, end] = maker

    def _keep(self, flow: str, dataset: str, own: Collection[str], start: datetime, left: Left) -> None:
        """Keeps the later program's move of two; one may be an empty batch of the input that completed this dataset."""
        maker = flow if dataset in own else self._maker(flow, dataset, start)
        known = self._left.setdefault((maker, dataset), {}).setdefault(start, left)
        if known.entry < left.entry:
            self._left[maker, dataset][start] = left

    def _maker(self, flow: str, dataset: str, start: datetime) -> str:
        """The flow that makes a dataset beside this one; another program version may have another flow make it."""
        found = self._programs.with_flow(flow, start)
        maker = self._programs.producer(found[1], dataset) if found else None
        return maker.id if maker else flow

    def of(self, flow: str, dataset: str) -> Derived:
        """Derives a dataset's position by following the batches from its start."""
        held = self._facts.states[flow].tables.get(dataset) if flow in self._facts.states else None
        left = self._left.get((flow, dataset), {})
        begins = held.begins if held else None
        if not left:
            if held is None or begins is None:
                return Derived(held)
            tried = self._attempts(flow, dataset, begins, held)
            return Derived(TableState(begins, held.cursor, tried, begins=begins, forgiven=tried))
        aged = self._aged(flow, dataset)
        following = {moment: one for moment, one in left.items() if aged is None or one.end > aged}
        start = min((moment for moment in following if begins is None or moment >= begins), default=begins or min(left))
        if aged and begins and begins <= aged:
            start = min(start, aged)
        watermark, gaps = self._follow(flow, dataset, following, start, begins, again=False)
        furthest, _ = self._follow(flow, dataset, following, start, begins, again=True)
        if held and (again_from := self._again_from(flow, dataset, held, aged)):
            watermark, gaps = again_from, ()
        last = _last(left, watermark, held)
        attempts = self._attempts(flow, dataset, watermark, held)
        state = TableState(
            watermark,
            last.cursor if last.cursor is not None else held.cursor if held else "",
            attempts,
            forgiven=attempts,
            entry=self._entry(flow, watermark, begins, last.entry if last.cursor is not None else held.entry if held else 0, held),
            again_until=furthest if furthest > watermark else None,
            begins=start if held is None else begins,
            skipped=held.skipped if held else (),
            last=self._last_change(flow, dataset) if held is None else held.last,
        )
        return Derived(state, last.cursor is not None, gaps)

    def _entry(self, flow: str, watermark: datetime, begins: datetime | None, moved_by: int, held: TableState | None) -> int:
        """The entry that moved a dataset last, or the one that has taken over what begins where it stands."""
        taken_over = self._needed_entry(flow, watermark, begins)
        settled = held is not None and held.watermark == watermark and held.entry == taken_over
        return max(moved_by, taken_over) if settled else moved_by

    def _aged(self, flow: str, dataset: str) -> datetime | None:
        """The end of the aged batches that moved a dataset: its own flow's, and those of its input that loaded nothing."""
        staged = (self._programs.producer(program, f"{dataset}:staged") for _, program in self._programs.entries)
        flows = {flow, *(collect.id for collect in staged if collect)}
        return max((self._facts.aged[name] for name in flows if name in self._facts.aged), default=None)

    def _again_from(self, flow: str, dataset: str, held: TableState, aged: datetime | None) -> datetime | None:
        """The position of a dataset that is being reprocessed, where no batch records it; None elsewhere.

        Aged batches do not, nor does one of several intervals until it is reprocessed up to where a restatement cuts it.
        """
        progress = self._programs.progress(flow, dataset, held)
        unrecorded = progress.once_more_as_one or (aged and progress.through < aged)
        return progress.through if progress.again_until and unrecorded else None

    def _last_change(self, flow: str, dataset: str) -> LastChange | None:
        """The last change as the batches record it; its cost is in the statistics alone."""
        own = sorted((key for key in self._facts.batches if (key[0], key[2]) == (flow, dataset)), reverse=True)
        batches = (batch for batch in map(self._facts.batches.__getitem__, own) if dataset in batch.moved)
        changes = (change_of(batch.outcomes[dataset]) for batch in batches if dataset in batch.outcomes)
        return next((change for change in changes if change), None)

    def _attempts(self, flow: str, dataset: str, start: datetime, held: TableState | None) -> int:
        """Failed attempts by name, none held against the batch: earlier ones have used up their executions' names."""
        batch = self._facts.batches.get((flow, start, dataset))
        worker = batch.workers.get(dataset) if batch else None
        counted = held.attempts if held and held.watermark == start else 0
        return max(attempts_named(worker.owner) if worker else 0, counted)

    def _follow(
        self, flow: str, dataset: str, left: Mapping[datetime, Left], start: datetime, begins: datetime | None, *, again: bool
    ) -> tuple[datetime, tuple[Interval, ...]]:
        """The end of the last batch that counts; `again`: includes batches that a later program version is to reprocess, also those
        after one that was reprocessed as a shorter one.
        """
        at, gaps = start, list[Interval]()
        while True:
            at = self._programs.progress(flow, dataset, TableState(at, entry=ANY_ENTRY, begins=begins)).through
            found = left.get(at)
            if found and (again or found.entry >= self._needed_entry(flow, at, begins)):
                # If reprocessing begins inside a batch, only what lies before that moment counts.
                entry = ANY_ENTRY if again else found.entry
                skipped = (Interval(at, found.end),) if self._skips(flow, dataset, at, found) else ()
                left_at = TableState(found.end, entry=entry, begins=begins, skipped=skipped)
                through = self._programs.progress(flow, dataset, left_at).through
                if through <= at:
                    return at, tuple(gaps)
                at = through
                continue
            needed = (m for m, one in left.items() if m > at and (again or one.entry >= self._needed_entry(flow, m, begins)))
            later = min(needed, default=None)
            if found or later is None:
                return at, tuple(gaps)
            gaps.append(Interval(at, later))
            at = later

    def _skips(self, flow: str, dataset: str, start: datetime, left: Left) -> bool:
        """Whether a batch has skipped moments, by the state where there is one.

        One that changed nothing has not, also if an operator has run it again since.
        """
        held = self._facts.states[flow].tables.get(dataset) if flow in self._facts.states else None
        return left.changed if held is None else any(gap.start <= start < gap.end for gap in held.skipped)

    def _needed_entry(self, flow: str, start: datetime, begins: datetime | None) -> int:
        """The number of the last timeline entry that has batches from this start on reprocessed."""
        entries = enumerate(self._programs.entries)
        numbers = [
            entry.number
            for index, (entry, _) in entries
            if index and entry.restates and max(entry.boundary, begins or entry.boundary) <= start
            if flow in self._programs.affected(index)
        ]
        return max(numbers, default=0)


def _last(left: Mapping[datetime, Left], watermark: datetime, held: TableState | None) -> Left:
    """The dataset's last move. Amid reprocessing it is the one to the watermark, if the state says so: it may be an earlier batch of
    the same program as those after it, which a restatement has cut.
    """
    cut = (one for one in left.values() if held and held.again_until and one.end == watermark)
    same = (one for one in cut if held and (one.cursor, one.entry) == (held.cursor, held.entry))
    return next(same, None) or max(left.items(), key=lambda found: (found[1].entry, found[0]))[1]
