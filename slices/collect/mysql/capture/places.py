"""Asks a server how far its binary log is, as far as all that is before is seen by whoever reads tables from now on.

A transaction stands in the log before its rows are seen by others: for a moment, or for as long as a semi-synchronous replica is
waited for. A row that is asked for within it would be as it was before, and never asked for again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import RetryLater
from slices.collect.mysql.planning import first
from systems.mysql import sessions
from systems.mysql.failures import number_of

if TYPE_CHECKING:
    from pymysql import Connection as Session

SEEN_SECONDS, LOOK_SECONDS = 20.0, 0.02
_NO_SUCH_WORDS, _DENIED = 1064, 1227
_SEEN = "SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')"


@dataclass(frozen=True)
class Place:
    """gtids: the transactions before it.  file, offset: where that is at this server, or behind."""

    gtids: str
    file: str
    offset: int
    mariadb: bool


def is_mariadb(session: Session[Any]) -> bool:
    return "mariadb" in sessions.version_of(session).lower()


def here(session: Session[Any], place: str) -> Place:
    """Raises RetryLater where a transaction is not seen for long."""
    if not is_mariadb(session):  # which counts a transaction only when it is seen
        file, offset = status(session)[:2]
        return Place(_said(session, "gtid_executed"), str(file), int(offset), False)
    gtids = _said(session, "gtid_binlog_pos")
    file, offset = status(session)[:2]
    giving_up = time.monotonic() + SEEN_SECONDS
    while _seen(session) < _order(file, offset):
        if time.monotonic() > giving_up:
            remedy = "nothing if it passes; else see what its commits wait for (a semi-synchronous replica, a full disk)"
            raise RetryLater("a transaction stands in the binary log and is not committed yet", place=place, remedy=remedy)
        time.sleep(LOOK_SECONDS)
    return Place(gtids, str(file), int(offset), True)


def status(session: Session[Any]) -> tuple[Any, ...]:
    """File, offset, and the names of databases that are logged, and not logged. Raises pymysql.err.Error."""
    import pymysql

    for words in (
        ("SHOW BINLOG STATUS", "SHOW MASTER STATUS") if is_mariadb(session) else ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")
    ):
        try:
            found = first(session, words)
        except pymysql.err.Error as error:
            if number_of(error) != _NO_SUCH_WORDS:
                raise
        else:
            return tuple(found or ("", 0, "", ""))
    return ("", 0, "", "")


def transactions_between(session: Session[Any], since: str, until: str) -> str:
    """Those of a set of MySQL's that are not in another."""
    found = first(session, "SELECT GTID_SUBTRACT(%s, %s)", (until, since))
    return str(found[0]).replace("\n", "") if found else ""


def _said(session: Session[Any], variable: str) -> str:
    return str((first(session, f"SELECT @@global.{variable}") or ("",))[0]).replace("\n", "")


def _seen(session: Session[Any]) -> tuple[int, str, int]:
    """How far the log is of which a new reader of tables sees all."""
    with session.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute(_SEEN)
        found = {name.lower(): value for name, value in cursor.fetchall()}
        cursor.execute("COMMIT")
    return _order(found.get("binlog_snapshot_file", ""), found.get("binlog_snapshot_position") or 0)


def _order(file: str, offset: str | int) -> tuple[int, str, int]:
    """The order of places in a log: after its file 999999 comes 1000000."""
    return len(file), file, int(offset)
