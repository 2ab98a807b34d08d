"""Finds out how far a replica is behind its source: what it has still to replay comes late, with the cursor values of its own time.

https://dev.mysql.com/doc/refman/8.4/en/show-replica-status.html, https://mariadb.com/kb/en/show-replica-status/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_metadata.errors import RetryLater
from systems.mysql import sessions
from systems.mysql.failures import number_of

if TYPE_CHECKING:
    from pymysql import Connection as Session

DENIED, NO_SUCH_WORDS = 1227, 1064
RIGHT = "REPLICATION CLIENT (MariaDB: SLAVE MONITOR)"
UNTOLD = (
    "this server is read only, as replicas are, and atoll may not ask how far it is behind: of rows that it replays later than the "
    f"connection's `lag` a cursor sees none; GRANT {RIGHT} ON *.* to the secret's user, or make `lag` longer"
)
_BEHIND = ("Seconds_Behind_Source", "Seconds_Behind_Master")


def seconds_behind(session: Session[Any], place: str) -> int | None:
    """The seconds by which what a server shows is behind; 0 of one that is no replica, None where that may not be asked.

    Raises RetryLater where replication stands still: then nothing tells how far it has come.
    """
    channels = _channels(session)
    if channels is None:
        return None
    behind = [next((channel[name] for name in _BEHIND if name in channel), None) for channel in channels]
    if None in behind:
        raise RetryLater(
            "the server is a replica that has stopped to replay its source, so nothing tells which rows it still lacks",
            place=place,
            remedy="START REPLICA there (SHOW REPLICA STATUS says why it stopped); RESET REPLICA ALL where it is one no more",
        )
    return max((int(seconds) + 1 for seconds in behind if seconds), default=0)  # it counts whole seconds


def is_untold(session: Session[Any]) -> bool:
    """Whether a server may be a replica, and does not tell how far it is behind."""
    with session.cursor() as cursor:
        cursor.execute("SELECT @@global.read_only")
        (read_only,) = cursor.fetchone() or (0,)
    return str(read_only) not in ("0", "OFF") and _channels(session) is None


def follows(session: Session[Any]) -> bool:
    """Whether a server says that it is a replica."""
    return bool(_channels(session))


def _channels(session: Session[Any]) -> list[dict[str, Any]] | None:
    """What a server says of each source whose replica it is; None where the user may not ask."""
    import pymysql
    from pymysql.cursors import DictCursor

    mariadb = "mariadb" in sessions.version_of(session).lower()
    for words in ("SHOW ALL SLAVES STATUS",) if mariadb else ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        try:
            with session.cursor(DictCursor) as cursor:
                cursor.execute(words)
                return list(cursor.fetchall())
        except pymysql.err.Error as error:
            if number_of(error) == DENIED:
                return None
            if number_of(error) != NO_SUCH_WORDS:
                raise
    return []
