"""Asks a server how far its write-ahead log is on its disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from slices.collect.postgres.capture.pgoutput import lsn_of

if TYPE_CHECKING:
    from psycopg import Connection as Session

FLUSH_SECONDS, LOOK_SECONDS = 1.0, 0.05
_NOW = """SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text,
  (SELECT system_identifier::text FROM pg_control_system())"""


def here(session: Session[Any]) -> tuple[int, str]:
    """How far the server's log is on its disk, and which server it is.

    What was committed without waiting for the disk (synchronous_commit = off) is there within a moment, for which this waits.
    """
    written, flushed, system = _places(session)
    giving_up = time.monotonic() + FLUSH_SECONDS
    while flushed < written and time.monotonic() < giving_up:
        time.sleep(LOOK_SECONDS)
        _, flushed, _ = _places(session)
    return flushed, system


def _places(session: Session[Any]) -> tuple[int, int, str]:
    found = session.execute(_NOW).fetchone()
    assert found is not None
    return lsn_of(found[0]), lsn_of(found[1]), str(found[2])
