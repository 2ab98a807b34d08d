"""Finds out which transactions of a server have ended.

Every user may ask for the server's snapshot, on replicas too: transactions below its xmin have ended, those from the next number on
have not written yet. What a replica has not replayed yet it does not know of: how far it has come, its last commit tells.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from systems.sql_source.horizon import Seen

if TYPE_CHECKING:
    from psycopg import Connection as Session

WAIT_SECONDS, LOOK_SECONDS = 2.0, 0.05
# A row's xmin has 32 bits of its transaction's 64: the others are those of the next transaction to begin, or one less.
_NEXT = "(SELECT txid_snapshot_xmax(txid_current_snapshot()))"
ROW_TRANSACTION = f"{_NEXT} - (({_NEXT} - xmin::text::bigint) & 4294967295)"
# A snapshot's xmax is one beyond the last transaction that has ended: the newest ones may run beyond it, and age() knows of them.
_NEXT_NUMBER = "txid_snapshot_xmax(s) + ((age('3'::xid)::bigint + 3 - txid_snapshot_xmax(s)) & 4294967295)"
_AS_OF = "SELECT date_trunc('second', pg_last_xact_replay_timestamp()) WHERE pg_is_in_recovery()"
_SNAPSHOT = f"SELECT txid_snapshot_xmin(s), {_NEXT_NUMBER} FROM txid_current_snapshot() AS s"


def written_since(transaction: int) -> str:
    """The condition of rows that this transaction, or a later one, has written."""
    return f"{ROW_TRANSACTION} >= {transaction}"


class Looking:
    """The Looking of systems/sql_source. It waits a moment for transactions that end soon, once for all tables of a plan."""

    def __init__(self, session: Session[Any]) -> None:
        self._session, self._seconds_left = session, WAIT_SECONDS

    def seen(self) -> Seen:
        ended, begun = self._snapshot()
        while ended < begun and self._seconds_left > 0:
            time.sleep(LOOK_SECONDS)
            self._seconds_left -= LOOK_SECONDS
            ended, _ = self._snapshot()
        return Seen(min(ended, begun), begun, self._as_of())

    def _as_of(self) -> datetime | None:
        """The moment of a replica; None of what is none, or keeps no log of its own that it replays, as Aurora's readers."""
        import psycopg

        try:
            found = self._session.execute(_AS_OF).fetchone()
        except psycopg.errors.FeatureNotSupported:
            return None
        return found[0] if found else None

    def _snapshot(self) -> tuple[int, int]:
        found = self._session.execute(_SNAPSHOT).fetchone()
        assert found is not None
        return int(found[0]), int(found[1])
