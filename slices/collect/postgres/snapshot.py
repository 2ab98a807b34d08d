"""Takes the snapshot in which all chunks of a call are read, and keeps the tables below it unchanged until the call ends.

A snapshot shows rows as they were, but not those of a file that is gone: TRUNCATE, REFRESH MATERIALIZED VIEW and ALTER TABLEs that
rewrite put new files in the place of old ones, and VACUUM FULL and CLUSTER move rows to other pages. A later chunk would then find no
rows, others, or some twice. So the session that keeps the snapshot keeps a lock too, as pg_dump does, for which such statements wait.

https://www.postgresql.org/docs/current/mvcc-caveats.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import RetryLater

if TYPE_CHECKING:
    from psycopg import Connection as Session

# The lock of another session: behind a statement that waits for the lock kept here it would wait for itself, unnoticed.
LOCK_SECONDS = 15
TRIES = 5
FIRST_OID = 16384  # of what users make
# A table's file in the snapshot, and as it is now that the lock keeps it.
_REPLACED = f"""SELECT count(*) FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= {FIRST_OID}
  AND (c.oid IS NULL OR c.relfilenode <> 0 AND c.relfilenode <> pg_relation_filenode(c.oid))"""


def begin(session: Session[Any], reads: Sequence[str], timeout_seconds: float, place: str) -> None:
    """Begins a transaction whose snapshot shows all rows of `reads`, tables or queries as they stand in FROM, until it ends."""
    for _ in range(TRIES):
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute("SELECT set_config('statement_timeout', %s, true)", (f"{timeout_seconds:.0f}s",))
        for source in reads:
            session.execute(f"SELECT 1 FROM {source}\nLIMIT 0")
        found = session.execute(_REPLACED).fetchone()
        if found and not found[0]:
            return
        session.execute("ROLLBACK")
    what = "what is read was truncated, refreshed or rewritten again and again while its batch began"
    raise RetryLater(what, place=place, remedy="nothing if it passes; else see who does it")


def export(session: Session[Any]) -> str:
    """Exports the snapshot: returns the name by which other sessions can read in it while the transaction is open."""
    row = session.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    return str(row[0])
