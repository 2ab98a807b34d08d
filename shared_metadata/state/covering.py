"""The end of a table's next batch: one interval, or all missed ones together, as its inputs and readers allow; pure.

If a flow covers (Flow.covers), no reader needs any but the last of several missed versions. So its batch ends where the last of
them would have, but not beyond a moment at which a reader needs a version of it: the inputs of both stop there too. Anywhere else it
ends only where each input has a version of that very moment, inside of nothing that one has skipped. Nothing stops for a flow that
follows (Flow.follows): any version that covers an interval has its rows, and its claim keeps to one of them (contract/fitting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared_metadata.program import Flow, Program, Table
from shared_metadata.program.intervals import Interval, ceil, floor, next_interval
from shared_metadata.state.records import FlowState
from shared_metadata.state.skipped import LONGEST
from shared_metadata.state.timeline import DatasetProgress, Programs

T = TypeVar("T")


class Covering:
    """Covering at one moment. known: (flow, dataset) ▸ its progress."""

    def __init__(
        self,
        programs: Programs,
        states: Mapping[str, FlowState],
        known: Mapping[tuple[str, str], DatasetProgress],
        now: datetime,
    ) -> None:
        self._programs, self._states, self._progress, self._now = programs, states, known, now
        self._stops: dict[tuple[int, datetime, bool], dict[str, datetime | None]] = {}
        self._reaches: dict[int, dict[str, datetime]] = {}
        self._limited: dict[tuple[object, ...], tuple[Sequence[datetime], datetime | None]] = {}

    def next_batch(self, flow: Flow, table: Table, progress: DatasetProgress) -> Interval | None:
        """The table's next batch; None while no interval is over, or an input is not there."""
        first = next_interval(progress.through, flow.interval_seconds)
        if first.end > self._now or progress.program is None:
            return None
        limits, stop = self._limits_of_all(flow, progress, first)
        ends = (self._latest(flow, table, progress, first, limit, stop) for limit in limits)
        end = next((end for end in ends if end), None)
        return Interval(first.start, end) if end else None

    def _limits_of_all(self, flow: Flow, progress: DatasetProgress, first: Interval) -> tuple[Sequence[datetime], datetime | None]:
        """The limits as in `_limits`, which are the same for all tables of a flow with the same progress."""
        again = (progress.again_until, progress.once_more_as_one)
        key = (id(progress.program), flow.id, progress.through, again, progress.until)
        if key not in self._limited:
            self._limited[key] = self._limits(flow, progress, first)
        return self._limited[key]

    def _limits(self, flow: Flow, progress: DatasetProgress, first: Interval) -> tuple[Sequence[datetime], datetime | None]:
        """The latest ends of the batch, the first possible one first; and where it must stop, if anywhere.

        A table that others of the flow have overtaken has no halts: it ends its batches where they did.
        """
        assert progress.program is not None
        if not _covers(flow, progress, progress.through):
            end = _one_by_one(flow, progress, first)
            return (end,), end
        stop, halt = (self._next_stop(flow, progress, first, halts=halts) for halts in (False, True))
        last = self._last(flow, first.start, progress.until)
        stop = min(stop or last, last) if last <= self._now else stop
        furthest = max(floor(min(stop or self._now, last, self._now), flow.interval_seconds), first.end)
        overtaken = any(self._through(progress.program, table.dataset) > first.start for table in flow.tables)
        return sorted({furthest if overtaken else min(furthest, halt or furthest), furthest}), stop

    def _latest(
        self, flow: Flow, table: Table, progress: DatasetProgress, first: Interval, limit: datetime, stop: datetime | None
    ) -> datetime | None:
        """The latest end up to a limit at which all inputs can be read; stop: an end at which a reader needs a version."""
        assert progress.program is not None
        end, before = limit, None
        while end != before and end >= first.end:
            before = end
            for name in table.inputs:
                end = self._readable(progress.program, flow, name, first.start, end, exactly=end != stop and not flow.follows)
        return end if end >= first.end else None

    def waits_for(self, flow: Flow, table: Table, progress: DatasetProgress) -> tuple[str, ...]:
        """The missing inputs at the first moment at which the table's next batch could read all of them."""
        first = next_interval(progress.through, flow.interval_seconds)
        if progress.program is None:
            return ()
        program, before = progress.program, None
        end = _one_by_one(flow, progress, first)
        while _covers(flow, progress, progress.through) and end != before:
            before = end
            for gap in (self._gap(program, name, end) for name in table.inputs if name not in flow.tolerates):
                end = max(end, ceil(gap.end, flow.interval_seconds)) if gap else end
        return tuple(n for n in table.inputs if self._readable(program, flow, n, first.start, end, exactly=False) < end)

    # -- its inputs

    def _readable(self, program: Program, flow: Flow, name: str, start: datetime, end: datetime, *, exactly: bool) -> datetime:
        """The latest end up to `end` at which this input can be read; one before any batch's end where there is none.

        exactly: not inside of what the input has skipped; else the version is read that covers it.
        """
        producer = self._programs.producer(program, name)
        progress = self._progress.get((producer.id, name)) if producer else None
        if producer is None or progress is None:
            return start
        tolerated = _tolerated(flow, name)
        while end > start:
            gap = self._gap(program, name, end) if exactly else None
            through = min(progress.through, gap.start) if gap else progress.through
            if through >= ceil(end, producer.interval_seconds):  # the batch reads the version that covers its end
                return end
            lags = bool(tolerated) and self._may_lag(producer, name, through, start)
            if lags and through >= end - tolerated:
                return end
            reached = through + tolerated if lags else floor(through, producer.interval_seconds)
            end = floor(reached, flow.interval_seconds)
        return start

    def _may_lag(self, producer: Flow, name: str, through: datetime, start: datetime) -> bool:
        """Whether an input that lags is readable: it has made a batch since its start, and since the last switch."""
        begins = self._states[producer.id].tables[name].begins
        switch = self._programs.last_switch(producer.id, start)
        return all(moment is None or through > moment for moment in (begins, switch))

    def _gap(self, program: Program, name: str, end: datetime) -> Interval | None:
        """The time that an input has skipped around the version that belongs to `end`."""
        producer = self._programs.producer(program, name)
        state = self._states[producer.id].tables.get(name) if producer and producer.id in self._states else None
        if producer is None or state is None or not state.skipped:
            return None
        at = ceil(end, producer.interval_seconds)
        return next((gap for gap in state.skipped if gap.start < at < gap.end), None)

    # -- its readers

    def _last(self, flow: Flow, start: datetime, until: datetime | None) -> datetime:
        """The last end of a batch that starts then, however late it is; until: as in DatasetProgress."""
        last = min(start + LONGEST, until or start + LONGEST)
        return max(floor(last, flow.interval_seconds), next_interval(start, flow.interval_seconds).end)

    def _next_stop(self, flow: Flow, progress: DatasetProgress, first: Interval, *, halts: bool) -> datetime | None:
        """The next moment at which a reader needs a version of a table that begins this batch, now or later: the same for all of
        them.

        halts: includes moments at which one could use a version that it does not need.
        """
        assert progress.program is not None
        if first.end + timedelta(seconds=flow.interval_seconds) > self._now:
            return None  # no more than one interval is missed
        beside = [t.dataset for t in flow.tables if self._through(progress.program, t.dataset) <= first.start]
        stops = [self._stop(progress.program, dataset, first.start, halts) for dataset in beside]
        return min((max(stop, first.end) for stop in stops if stop), default=None)

    def _stop(self, program: Program, dataset: str, after: datetime, halts: bool) -> datetime | None:
        """The first moment after another at which a reader needs a version of a dataset, however far away it reads; None for none."""
        known, seconds = self._stops.setdefault((id(program), after, halts), {}), partial(self._length, program)

        def below(name: str) -> list[str]:
            return [
                table.dataset for reader, table in self._programs.readers(program, name) if self._is_covering(reader, table, after)
            ]

        def stop_of(name: str) -> datetime | None:
            moments = (m for m in self._needed(program, name, after, known, halts) if after < m <= self._now)
            return min((ceil(moment, seconds(name)) for moment in moments), default=None)

        return _worked_out(dataset, known, below, stop_of)

    def _needed(
        self, program: Program, name: str, after: datetime, known: Mapping[str, datetime | None], halts: bool
    ) -> Iterator[datetime]:
        """The moments at which a reader of `name` needs a version, including the first.

        A reader that covers needs them for its own readers, and at its batch's end. It can use one (halts) as far as time and its
        other inputs allow.
        """
        for reader, table in self._programs.readers(program, name):
            if reader.follows:  # what was loaded of an interval that has begun, a later version may have at another time
                if floor(after, reader.interval_seconds) < after:
                    yield next_interval(after, reader.interval_seconds).end
                continue
            if not self._is_covering(reader, table, after):
                yield next_interval(after, reader.interval_seconds).end
                continue
            if stop := known.get(table.dataset):
                yield stop
            begins = max(self._through(program, table.dataset, after), floor(after, reader.interval_seconds))  # the flow comes after
            yield self._last(reader, begins, self._programs.after(program, reader.id))
            if halts:
                yield self._reach(program, table.dataset)
                others = (self._through(program, other) + _tolerated(reader, other) for other in table.inputs if other != name)
                yield floor(min(others, default=self._now), reader.interval_seconds)

    def _reach(self, program: Program, dataset: str) -> datetime:
        """The last end by now at which a dataset can be made, as all its origins have intervals of their own."""
        known = self._reaches.setdefault(id(program), {})

        def below(name: str) -> list[str]:
            producer, table = self._programs.producer(program, name), self._programs.table(program, name)
            return list(table.inputs) if producer and table else []

        def reach_of(name: str) -> datetime:
            producer = self._programs.producer(program, name)
            if producer is None:
                return self._now
            reached = (known.get(below_it, self._now) + _tolerated(producer, below_it) for below_it in below(name))
            return floor(min([self._now, *reached]), producer.interval_seconds)

        return _worked_out(dataset, known, below, reach_of)

    def _length(self, program: Program, name: str) -> int:
        producer = self._programs.producer(program, name)
        assert producer is not None  # the dataset is one of the program's
        return producer.interval_seconds

    def _through(self, program: Program, name: str, unknown: datetime | None = None) -> datetime:
        producer = self._programs.producer(program, name)
        progress = self._progress.get((producer.id, name)) if producer else None
        return progress.through if progress else unknown or self._now

    def _is_covering(self, reader: Flow, table: Table, after: datetime) -> bool:
        progress = self._progress.get((reader.id, table.dataset))
        return _covers(reader, progress, after)


def _worked_out(name: str, known: dict[str, T], below: Callable[[str], list[str]], of: Callable[[str], T]) -> T:
    """Returns `of(name)`, kept in `known`, as all names below it are by then, except in circles; without limit of depth."""
    begun, stack = set[str](), [name]
    while stack:
        at = stack[-1]
        if at in known:
            stack.pop()
        elif at in begun:
            known[at] = of(at)
        else:
            begun.add(at)
            stack += below(at)
    return known[name]


def _tolerated(reader: Flow, name: str) -> timedelta:
    """How far an input of a flow may lag."""
    return timedelta(seconds=reader.tolerates.get(name, 0))


def _one_by_one(flow: Flow, progress: DatasetProgress, first: Interval) -> datetime:
    """The end of a batch that is made of one interval, or reprocessed as it was made of several."""
    once_more = (flow.covers or flow.follows) and not _covers(flow, progress, progress.through)
    as_one = progress.once_more_as_one if once_more else None
    return max(floor(as_one, flow.interval_seconds), first.end) if as_one else first.end


def _covers(flow: Flow, progress: DatasetProgress | None, after: datetime) -> bool:
    """Whether missed batches that start then are made as one. Batches that an earlier program made are reprocessed one by one."""
    again_until = progress.again_until if progress else None
    return (flow.covers or flow.follows) and not (again_until and after < again_until)
