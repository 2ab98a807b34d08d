"""Turns the end of a batch into a position of each shard, once; what is younger belongs to a later batch, whatever order times have.

An event's arrival is approximate, and a shard's times need not rise: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html
So a batch ends before the first event, in the shard's own order, that arrived at its end or later; the next one goes on from there.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import to_text
from slices.collect.kinesis.positions import END, START, Position, Range, Shard, parents_first
from slices.collect.kinesis.streams import Page, Stream, Trimmed

LOOK_RECORDS = 1000  # of a page that is read to find an end
LOOKS = 2  # pages, before the stream is asked by time
FIRST_LOOK_BACK_SECONDS, FURTHER, NARROWEST_SECONDS = 1.0, 8, 1.0
AT_ONCE = 8  # shards that are looked at beside each other
log = logging.getLogger(__name__)


class Longer(Exception):
    """There is more to read than a look should."""


class Cutting:
    """One batch of one stream.

    end: of the batch.  since: when the positions that are known were found to be right; None for a first batch.  now: the time.
    skip: go on where events are lost.
    """

    def __init__(self, stream: Stream, end: datetime, since: datetime | None, now: datetime, place: str, *, skip: bool) -> None:
        self._stream, self._end, self._since, self._now, self._place, self._skip = stream, end, since, now, place, skip
        self._whole = set[str]()  # shards of which it is seen that nothing behind their positions was deleted

    @property
    def _horizon(self) -> datetime:
        """What arrived before this may be deleted."""
        return self._now - timedelta(hours=self._stream.retention_hours)

    def ranges(self, known: Mapping[str, Position]) -> tuple[list[Range], dict[str, Position]]:
        """What a batch takes that goes on from these positions, and the positions that it leaves, of all shards that are listed.

        A shard is not begun before those that it was made from are read to their ends. Raises DefinitionError for lost events.
        """
        shards = self._stream.shards()
        self._check_vanished(known, shards)
        left, begun = dict[str, Position](), dict[str, Position]()
        for generation in _generations(shards.values()):
            ready = [one for one in generation if all(left[parent] == END for parent in one.parents if parent in left)]
            waiting = {one.id: known.get(one.id, START) for one in generation if one not in ready}
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = dict(zip([one.id for one in ready], pool.map(lambda one: self._cut(one, known), ready), strict=True))
            begun |= {shard: begins for shard, (begins, _) in found.items()} | waiting
            left |= {shard: ends for shard, (_, ends) in found.items()} | waiting
        return [Range(shard, begun[shard], left[shard]) for shard in left if begun[shard] != left[shard]], left

    def between(self, start: datetime) -> list[Range]:
        """What arrived from `start` to the batch's end, of all shards. Raises DefinitionError where some may be lost."""
        shards = self._stream.shards()
        if start < self._horizon:
            raise self._lost(next(iter(sorted(shards)), "every shard"), start)
        found = []
        for shard in sorted(shards):
            begins, ends = (self._first_since(shard, START, moment) for moment in (start, self._end))
            found += [Range(shard, begins, ends)] if begins != ends else []
        return found

    # -- a shard

    def _cut(self, shard: Shard, known: Mapping[str, Position]) -> tuple[Position, Position]:
        """Where the batch begins and ends in it."""
        begins = known.get(shard.id, START)
        if begins == END:
            return END, END
        if begins == START and not (shard.parents and self._whole.issuperset(shard.parents)):
            self._check_kept(shard.id)
            return START, self._end_from(shard.id, START)
        try:
            ends = self._end_from(shard.id, begins)
        except Trimmed:
            self._check_kept(shard.id)
            return START, self._end_from(shard.id, START)
        self._whole.add(shard.id)
        return begins, ends

    def _end_from(self, shard: str, begins: Position) -> Position:
        """Reads a little, which is enough where little came; else asks by time."""
        last = begins
        for page in itertools.islice(self._stream.pages(shard, begins, LOOK_RECORDS), LOOKS):
            found, last = self._end_within(page, last)
            if found:
                return found
        return self._first_since(shard, last, self._end)

    def _first_since(self, shard: str, last: Position, moment: datetime) -> Position:
        """The position before the first event since a moment, at the end of all where there is none. last: what it is not before.

        The last event of all is looked for from ever further back, and, where that is too much to read, from between.
        """
        found = self._look(shard, moment, last, moment)
        if found is not None and found[0]:
            return found[1]
        nothing, much, oldest = 0.0, 0.0, (moment - self._horizon).total_seconds()  # seconds before the moment
        while not much or much - nothing > NARROWEST_SECONDS:
            back = (nothing + much) / 2 if much else nothing * FURTHER or FIRST_LOOK_BACK_SECONDS
            if back >= oldest:
                break
            try:
                found = self._look(shard, moment - timedelta(seconds=back), last, moment, LOOKS)
            except Longer:
                much = back
                continue
            if found is not None:
                return found[1]
            nothing = back
        found = self._look(shard, moment - timedelta(seconds=much) if much else START, last, moment)
        return last if found is None else found[1]

    def _look(
        self, shard: str, since: datetime | Position, last: Position, moment: datetime, most: int = 0
    ) -> tuple[bool, Position] | None:
        """Reads from a moment until an event is as young as `moment`, or to the end of all; None where it meets no event.

        Whether it ends before such an event, or with the shard itself; and where. Raises Longer after `most` pages with events.
        """
        seen = None
        for number, page in enumerate(self._stream.pages(shard, since, LOOK_RECORDS), 1):
            for record in page.records:
                if not last.is_past(record["SequenceNumber"]):
                    if record["ApproximateArrivalTimestamp"] >= moment:
                        return True, Position("at", record["SequenceNumber"])
                    seen = Position("after", record["SequenceNumber"])
            if page.ended:
                return True, END
            if page.at_tip:
                break
            if most and seen and number > most:
                raise Longer
        return None if seen is None else (False, seen)

    def _end_within(self, page: Page, last: Position) -> tuple[Position | None, Position]:
        """The batch's end where the page shows it, and the last event that it has."""
        for record in page.records:
            if not last.is_past(record["SequenceNumber"]):
                if record["ApproximateArrivalTimestamp"] >= self._end:
                    return Position("at", record["SequenceNumber"]), last
                last = Position("after", record["SequenceNumber"])
        if page.ended:
            return END, last
        return (last if page.at_tip else None), last

    # -- what is lost

    def _check_vanished(self, known: Mapping[str, Position], shards: Mapping[str, Any]) -> None:
        for shard, position in sorted(known.items()):
            if position != END and shard not in shards:
                self._check_kept(shard)

    def _check_kept(self, shard: str) -> None:
        """An event that is gone, or was never there, tells nothing: what matters is that nothing came since then that was deleted."""
        if self._since is not None and self._since < self._horizon:
            if not self._skip:
                raise self._lost(shard, self._since)
            log.warning("%s, %s: events between %s and %s are lost", self._stream.name, shard, self._since, self._horizon)

    def _lost(self, shard: str, since: datetime) -> DefinitionError:
        span = f"from {to_text(since)} to {to_text(self._horizon.replace(microsecond=0))}"
        hours = self._stream.retention_hours
        return DefinitionError(
            f"events of {self._stream.name}, {shard}, that arrived {span} may be lost: the stream keeps them for {hours} hours",
            place=self._place,
            remedy="raise the stream's retention for the next time; to go on without them set the connection's `gap = 'skip'`",
        )


def _generations(shards: Iterable[Shard]) -> list[list[Shard]]:
    """Parents before what they were split or merged into."""
    made, depth = list[list[Shard]](), dict[str, int]()
    for shard in parents_first(shards):
        depth[shard.id] = max((depth[parent] + 1 for parent in shard.parents if parent in depth), default=0)
        made += [[]] if depth[shard.id] == len(made) else []
        made[depth[shard.id]].append(shard)
    return made
