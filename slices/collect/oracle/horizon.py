"""Finds out from when on transactions of a server may still be open.

Oracle numbers changes (SCN), but no row tells its own: what stands for numbers here are moments of the server's clock. A transaction
that is open is listed for users who may read GV$TRANSACTION. For others, and for what no list shows, such as a moment that an
application has set itself, there is the connection's lag: so long after its moment a row is committed.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from slices.collect.oracle.catalog import rows
from slices.collect.oracle.failures import code_of
from systems.sql_source.horizon import Seen

if TYPE_CHECKING:
    from oracledb import Connection as Session

WAIT_SECONDS, LOOK_SECONDS = 2.0, 0.15
DENIED = ("ORA-00942", "ORA-01031")
_NOW = "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL"
_OPEN = "SELECT SYSDATE, MIN(start_date) FROM gv$transaction"  # both by the server's own clock and zone, in whole seconds
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Looking:
    """The Looking of systems/sql_source. It waits a moment for transactions that end soon, once for all tables of a plan."""

    def __init__(self, session: Session, lag: timedelta) -> None:
        self._session, self._seconds_left = session, WAIT_SECONDS
        self._lag = lag // _MICROSECOND

    def seen(self) -> Seen:
        begun = self._now()
        ended = self._ended(begun)
        while ended < begun - self._lag and self._seconds_left > 0:
            time.sleep(LOOK_SECONDS)
            self._seconds_left -= LOOK_SECONDS
            ended = self._ended(begun)
        return Seen(ended, begun)

    def _now(self) -> int:
        ((now,),) = rows(self._session, _NOW)
        return int((now.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND)

    def _ended(self, begun: int) -> int:
        """What began before this moment has ended."""
        import oracledb

        try:
            ((now, oldest),) = rows(self._session, _OPEN)
        except oracledb.DatabaseError as error:
            if code_of(error) not in DENIED:
                raise
            oldest = None
        age = int((now - oldest + timedelta(seconds=1)) // _MICROSECOND) if oldest else 0
        return begun - max(self._lag, age)
