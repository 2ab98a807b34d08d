"""Half-open UTC intervals, aligned to the epoch; weeks to Monday."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WEEK_SECONDS = 7 * 86400
_MONDAY_OFFSET_SECONDS = 4 * 86400  # 1970-01-01 was a Thursday: the first Monday after it is the 5th


@dataclass(frozen=True, order=True)
class Interval:
    """A half-open interval: `start` is in it, `end` is not; both aware, UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"[{to_text(self.start)}, {to_text(self.end)})"


def floor(moment: datetime, interval_seconds: int) -> datetime:
    """The last boundary at or before `moment`."""
    offset = _MONDAY_OFFSET_SECONDS if interval_seconds % WEEK_SECONDS == 0 else 0
    seconds = int(moment.timestamp()) - offset
    return datetime.fromtimestamp(seconds - seconds % interval_seconds + offset, UTC)


def ceil(moment: datetime, interval_seconds: int) -> datetime:
    """The first boundary at or after `moment`."""
    found = floor(moment, interval_seconds)
    return found if found == moment else found + timedelta(seconds=interval_seconds)


def next_interval(watermark: datetime, interval_seconds: int) -> Interval:
    """The batch that starts at `watermark` and ends at the next boundary after it."""
    return Interval(watermark, floor(watermark, interval_seconds) + timedelta(seconds=interval_seconds))


def count(start: datetime, end: datetime, interval_seconds: int) -> int:
    """The number of batches between the boundaries `start` and `end`."""
    return max(int((end - start).total_seconds()) // interval_seconds, 0)


def covered(interval: Interval, interval_seconds: int) -> int:
    """The number of a flow's intervals that a batch covers; one that a switch has cut short counts."""
    return 1 + count(next_interval(interval.start, interval_seconds).end, interval.end, interval_seconds)


def to_text(moment: datetime) -> str:
    """'2026-11-23T01:30:00Z'; fractions only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Reads an ISO 8601 moment; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
