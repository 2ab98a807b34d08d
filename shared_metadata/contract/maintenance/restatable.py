"""The moment from which an update set's flows can be made again: their other inputs have to be readable as they were then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Kind, Mode, Program, Table
from shared_metadata.program.intervals import ceil, next_interval, to_text
from shared_metadata.state.boundary import intervals_of, next_common
from shared_metadata.state.records import Version
from shared_metadata.store.reader import MetadataReader
from shared_metadata.update_set.applying import EffectiveAt

# Of a flow, and in the program that was active until now: for how long its versions are kept; None for ever.
Keep = Callable[[Program, Flow], timedelta | None]


@dataclass(frozen=True)
class Forgotten:
    """A version that a batch would read, as of this moment, and that may be gone by now. since: from here on all are kept."""

    reader: str
    dataset: str
    moment: datetime
    since: datetime


def refuse_what_is_forgotten(reader: MetadataReader, program: Program, moment: EffectiveAt, now: datetime, keep: Keep) -> None:
    """Raises InputError when a restatement would begin further back than versions of its inputs are kept."""
    found = sorted(_Restatement(reader, program, moment, now, keep).forgotten(), key=lambda one: (one.since, one.dataset))
    if not found:
        return
    last = found[-1]
    flows = {flow for flow in moment.affected if flow in program.flows}
    first = to_text(next_common(last.since - timedelta(microseconds=1), intervals_of(flows, program)))
    raise InputError(
        f"{last.reader} cannot be made again from {to_text(moment.effect.boundary)} on: the version of {last.dataset} as of "
        f"{to_text(last.moment)}, which it would read, is kept no longer",
        remedy=f"choose {first} or later; the option keep of the warehouse says how long versions stay, from now on",
    )


class _Restatement:
    def __init__(self, reader: MetadataReader, program: Program, moment: EffectiveAt, now: datetime, keep: Keep) -> None:
        self._reader, self._program, self._moment, self._keep = reader, program, moment, keep
        self._retention, self._former = Retention(reader, now), reader.active_program()
        self._makers = self._former.producers

    def forgotten(self) -> Iterator[Forgotten]:
        """The first such version of each input that is not made again itself."""
        for flow in (self._program.flows[name] for name in self._moment.affected if name in self._program.flows):
            for table in flow.tables:
                for name in table.inputs:
                    maker = self._makers.get(name)
                    if maker and maker.id not in self._moment.affected and (found := self._of(flow, table, name, maker)):
                        yield found

    def _of(self, flow: Flow, table: Table, name: str, maker: Flow) -> Forgotten | None:
        """What of an input is forgotten. Staged files are retained by their load, every other dataset by the flow that makes it."""
        keep = self._keep(self._former, flow if flow.kind == Kind.LOAD else maker)
        horizon = self._retention.horizon(name, keep) if keep is not None else None
        start = max(self._moment.effect.boundary, self._retention.begins(flow.id, table.dataset) or self._moment.effect.boundary)
        before = self._reader.forgotten_before(name)
        if before and start < before and (gone := self._gone(flow, name, maker, start, before)):
            return Forgotten(table.dataset, name, gone, max(before, horizon or before))
        if keep is None or horizon is None or start >= horizon:
            return None
        whole = flow.kind != Kind.LOAD or flow.of(table.dataset).mode == Mode.REPLACE
        kept = {version.interval.end for version in self._retention.kept(name, keep)} if whole else set[datetime]()
        for version in self._needed(flow, name, maker, start):
            if version.interval.end <= horizon and version.interval.end not in kept:
                return Forgotten(table.dataset, name, version.interval.end, horizon)
        return None

    def _needed(self, flow: Flow, name: str, maker: Flow, start: datetime) -> Iterator[Version]:
        """What the batches from `start` on read: a load each version that was staged since, others the last at their end."""
        if flow.kind == Kind.LOAD:
            yield from self._reader.versions_after(name, start)
            return
        first, step = self._asked(flow, maker, start)
        versions = self._recorded(name, first)
        for number, version in enumerate(versions):
            asked = max(first, ceil(version.interval.end, step))
            if number + 1 == len(versions) or asked < versions[number + 1].interval.end:
                yield version

    def _gone(self, flow: Flow, name: str, maker: Flow, start: datetime, before: datetime) -> datetime | None:
        """The first moment at which batches from `start` on would read a version that is forgotten.

        Between two that are recorded none is, if the first is told that the second follows it, nor where none is forgotten.
        """
        first, step = (start, 1) if flow.kind == Kind.LOAD else self._asked(flow, maker, start)
        for version, later in pairwise(self._recorded(name, first)):
            following = version.followed_by.end if version.followed_by else version.interval.end + timedelta(seconds=1)
            asked = max(first, ceil(following, step))
            if asked < later.interval.end and (version.followed_by or version.interval.end < before):
                return asked
        return None

    def _asked(self, flow: Flow, maker: Flow, start: datetime) -> tuple[datetime, int]:
        """The first moment as of which batches from `start` on read what another flow makes, and the seconds to the next one."""
        first = ceil(next_interval(start, flow.interval_seconds).end, maker.interval_seconds)
        return first, max(flow.interval_seconds, maker.interval_seconds)

    def _recorded(self, name: str, moment: datetime) -> list[Version]:
        """The last version by a moment, and those after it."""
        standing = self._reader.last_recorded(name, moment)
        return [*([standing] if standing else []), *self._reader.versions_after(name, moment)]
