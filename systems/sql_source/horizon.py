"""What of a source is settled: a transaction that is open while a batch is planned commits its rows after the batch read past them.

Transactions have numbers in the order in which they begin: a server's own, or the moments of its clock. So every plan keeps how far
it came beside the next number of then. Once all transactions of then have ended, nothing can be committed any more below that point,
but by one that had begun, and taken its moment or number, before its first write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

# Between a transaction's begin, whose moment its rows may have, and its first write; also for clocks that differ, and a replica that
# is behind.
FIRST_WRITE = timedelta(minutes=5)
MOST_POINTS = 400


@dataclass(frozen=True)
class Seen:
    """Transactions before `ended` have ended; those from `begun` on had not written when the plan was made.

    as_of: on a replica, the moment up to which it shows what was committed; None where that is now.
    """

    ended: int
    begun: int
    as_of: datetime | None = None


class Looking(Protocol):
    """Looks at a server's transactions."""

    def seen(self) -> Seen:
        """Reads which transactions have ended; asked when it is known how far the batch reads."""
        ...


@dataclass(frozen=True)
class Point:
    """How far a batch read, and which transactions had begun then."""

    upto: str
    begun: int


def settled(points: tuple[Point, ...], seen: Seen) -> tuple[Point, ...]:
    """The points from the last settled one on; without a settled one all of them."""
    done = [number for number, point in enumerate(points) if point.begun <= seen.ended]
    points = points[done[-1] :] if done else points
    return points if len(points) <= MOST_POINTS else (points[0], *points[2::2])
