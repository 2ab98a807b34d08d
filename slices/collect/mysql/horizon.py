"""Finds out from when on transactions of a server may still be open.

MySQL numbers transactions, but does not tell the next number: what stands for numbers here are moments of the server's clock. A
transaction that is open is listed for users with the right PROCESS. For others, and for what no list shows, such as a moment that an
application has set itself, there is the connection's lag: so long after its moment a row is committed. What a replica is behind, as
far as it tells, comes to the lag.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slices.collect.mysql.replica import DENIED, seconds_behind
from systems.mysql.failures import number_of
from systems.sql_source.horizon import Seen

if TYPE_CHECKING:
    from pymysql import Connection as Session

WAIT_SECONDS, LOOK_SECONDS = 2.0, 0.15  # the server takes a new look at its transactions every tenth of a second
_NOW = "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"
# In whole seconds of the server's own time zone, whatever the session's is.
_OPEN = (
    "SELECT CAST(UNIX_TIMESTAMP(MIN(trx_started)) * 1000000 AS SIGNED) FROM information_schema.innodb_trx WHERE NOT trx_is_read_only"
)


class Looking:
    """The Looking of systems/sql_source. It waits a moment for transactions that end soon, once for all tables of a plan."""

    def __init__(self, session: Session[Any], lag: timedelta, place: str) -> None:
        self._session, self._place, self._seconds_left = session, place, WAIT_SECONDS
        self._lag = int(lag / timedelta(microseconds=1))

    def seen(self) -> Seen:
        begun = self._first(_NOW)
        if self._lag < LOOK_SECONDS * 1_000_000:
            time.sleep(LOOK_SECONDS)  # the list may be older than the moment
        ended = self._ended(begun)
        while ended < begun - self._lag and self._seconds_left > 0:
            time.sleep(LOOK_SECONDS)
            self._seconds_left -= LOOK_SECONDS
            ended = self._ended(begun)
        return Seen(ended, begun)

    def _ended(self, begun: int) -> int:
        """What began before this moment has ended, and is here. Raises RetryLater."""
        import pymysql

        try:
            oldest = self._first("SET time_zone = 'SYSTEM'", _OPEN) or begun
        except pymysql.err.OperationalError as error:
            if number_of(error) != DENIED:
                raise
            oldest = begun
        self._first("SET time_zone = '+00:00'")
        behind = seconds_behind(self._session, self._place) or 0
        return min(begun - self._lag - behind * 1_000_000, oldest)

    def _first(self, *statements: str) -> int:
        """The number that the last of them answers; 0 for none."""
        with self._session.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            found = cursor.fetchone()
        return int(found[0] or 0) if found else 0
