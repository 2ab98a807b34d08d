"""What of a source is settled: a transaction that is open while a batch is planned commits its rows after the batch read past them.

Everybody may ask for the server's snapshot, on replicas too: transactions below its xmin have ended, those from the next number on
have not written yet. So every plan keeps how far it came beside the next number of then. Once all transactions of then have ended,
nothing can be committed any more below that point, but by one that had begun, and taken its moment or number, before its first write.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection as Session

# Between a transaction's begin, which now() gives, and its first write; also for clocks that differ, and a replica that is behind.
FIRST_WRITE = timedelta(minutes=5)
WAIT_SECONDS, LOOK_SECONDS = 2.0, 0.05
MOST_POINTS = 400
# A row's xmin has 32 bits of its transaction's 64: the others are those of the next transaction to begin, or one less.
_NEXT = "(SELECT txid_snapshot_xmax(txid_current_snapshot()))"
ROW_TRANSACTION = f"{_NEXT} - (({_NEXT} - xmin::text::bigint) & 4294967295)"
# A snapshot's xmax is one beyond the last transaction that has ended: the newest ones may run beyond it, and age() knows of them.
_NEXT_NUMBER = "txid_snapshot_xmax(s) + ((age('3'::xid)::bigint + 3 - txid_snapshot_xmax(s)) & 4294967295)"
_SNAPSHOT = f"SELECT txid_snapshot_xmin(s), {_NEXT_NUMBER} FROM txid_current_snapshot() AS s"


@dataclass(frozen=True)
class Seen:
    """Transactions before `ended` have ended; those from `begun` on had not written when the plan was made."""

    ended: int
    begun: int


class Looking:
    """Looks at a server's transactions; for those that end soon it waits, for all tables of a plan together no longer than a moment.

    To be asked when it is known how far the batch reads.
    """

    def __init__(self, session: Session[Any]) -> None:
        self._session, self._seconds_left = session, WAIT_SECONDS

    def seen(self) -> Seen:
        ended, begun = self._snapshot()
        while ended < begun and self._seconds_left > 0:
            time.sleep(LOOK_SECONDS)
            self._seconds_left -= LOOK_SECONDS
            ended, _ = self._snapshot()
        return Seen(min(ended, begun), begun)

    def _snapshot(self) -> tuple[int, int]:
        found = self._session.execute(_SNAPSHOT).fetchone()
        assert found is not None
        return int(found[0]), int(found[1])


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
