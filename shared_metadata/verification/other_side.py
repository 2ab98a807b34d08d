"""Compares what a warehouse or target holds with the records of its dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_metadata.contract.landed import Landed
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.records import TableState, Version
from shared_metadata.state.timeline import Programs
from shared_metadata.verification.difference import Difference, less_there, more_there


@dataclass(frozen=True)
class Seen:
    """The records of a dataset that can be compared with its warehouse or target.

    complete: the end through which it is complete, including batches to be reprocessed.  last: the interval of its last version, if
    that brought something.  maker: the flow that made it, where its batch is recorded.
    """

    flow: str
    dataset: str
    watermark: datetime
    complete: datetime
    last: Interval | None = None
    maker: str = ""

    @staticmethod
    def of(flow: str, dataset: str, due: TableState, last: Version | None, maker: str) -> Seen:
        made = last is not None and (last.pointer.get("upserts", 1) or last.pointer.get("deletes", 1))
        complete = max(due.watermark, due.again_until or due.watermark)
        return Seen(flow, dataset, due.watermark, complete, last.interval if last and made else None, maker)

    def to_plain(self) -> list[Any]:
        last = [to_text(self.last.start), to_text(self.last.end)] if self.last else None
        return [self.flow, self.dataset, to_text(self.watermark), to_text(self.complete), last, self.maker]

    @staticmethod
    def from_plain(values: Sequence[Any]) -> Seen:
        flow, dataset, watermark, complete, last, maker = values
        interval = Interval(*map(from_text, last)) if last else None
        return Seen(flow, dataset, from_text(watermark), from_text(complete), interval, maker)


def other_sides(
    seen: Iterable[Seen], programs: Programs, now: datetime, landed: Mapping[str, Sequence[Landed]]
) -> Iterator[Difference]:
    """The batches that the other side may hold: also the next one, which may be visible before it is committed, and is looked up
    then.

    A landed batch is reported for the flow that makes the dataset now; another may have made it before.
    """
    asked = {name: flow.id for name, flow in programs.active(now)[1].producers.items() if name in landed}
    for one in seen:
        if asked.get(one.dataset) != one.flow:
            continue
        newest = max(landed[one.dataset], key=lambda batch: batch.interval, default=None)
        if newest and newest.interval.start > one.complete:
            yield more_there(one.flow, one.dataset, one.watermark, newest)
        if one.last and one.maker in ("", one.flow) and (newest is None or newest.interval.end < one.last.end):
            yield less_there(one.flow, one.dataset, one.last, newest)
