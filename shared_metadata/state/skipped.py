"""The times that a dataset has skipped: inside of a batch of several intervals it has no version. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from shared_metadata.program.intervals import WEEK_SECONDS, Interval, floor

SKIPPED_KEPT = 6  # in a dataset's state
ROUND_SECONDS = (WEEK_SECONDS, 86400, 6 * 3600, 3600, 1800, 900, 600, 300, 60)  # lengths of batches, from the longest
LONGEST = timedelta(days=7)  # of a batch, as of an interval; slices treat ends more than eight days after a start as `never`


@dataclass(frozen=True)
class Skipped:
    """The intervals that a dataset has skipped: `former` as stored, `now` as to be stored."""

    former: tuple[Interval, ...]
    now: tuple[Interval, ...]

    @staticmethod
    def after(former: tuple[Interval, ...], batch: Interval, intervals: int) -> Skipped:
        """Adds a batch of several intervals, and takes out what a batch has made otherwise now.

        Beyond a limit two become one, between which no reader is expected to ask for a version any more.
        """
        around = (part for gap in former for part in (_part(gap, gap.start, batch.start), _part(gap, batch.end, gap.end)))
        found = sorted({part for part in around if part.start < part.end} | ({batch} if intervals > 1 else set()))
        while len(found) > SKIPPED_KEPT:
            between = [_lengths_ago(one.end, other.start, found[-1].end) for one, other in pairwise(found)]
            at = between.index(max(between))
            found[at : at + 2] = [Interval(found[at].start, max(found[at].end, found[at + 1].end))]
        return Skipped(former, tuple(found))


def _lengths_ago(start: datetime, end: datetime, now: datetime) -> float:
    """The age of the versions between two moments, in lengths of the longest batches that read one of them: readers ask for the
    boundaries of their own batches, and are seldom many of those behind.
    """
    length = next((seconds for seconds in ROUND_SECONDS if floor(end, seconds) >= start), 1)
    return (now - end).total_seconds() / length


def _part(interval: Interval, start: datetime, end: datetime) -> Interval:
    return Interval(max(interval.start, start), min(interval.end, end))


def uncut(skipped: Collection[Interval], moment: datetime) -> datetime:
    """The moment, or the start of the batch of several intervals that it cuts: what was made inside has no version of its own."""
    cut = (gap.start for gap in skipped if gap.start < moment < gap.end and gap.end - gap.start <= LONGEST)
    return next(cut, moment)


def before(skipped: Collection[Interval], moment: datetime) -> tuple[Interval, ...]:
    """The parts of these intervals before a moment."""
    return tuple(Interval(gap.start, min(gap.end, moment)) for gap in skipped if gap.start < moment)
