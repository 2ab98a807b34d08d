"""Checks whether a table that takes several calls to read has changed between the first and the last.

Each call has a snapshot of its own, since none outlives its session. Between two of them an UPDATE can move a row from the pages that
are still to be read to those that have been, or the other way, and the row would be missed or come twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slices.collect.postgres.horizon import ROW_TRANSACTION
from systems.sql_source.parts import Part
from systems.sql_source.relation import rows_sql

if TYPE_CHECKING:
    from psycopg import Connection as Session

_WRITTEN_SINCE = f"NOT txid_visible_in_snapshot({ROW_TRANSACTION}, %(snapshot)s::txid_snapshot)"
# VACUUM FULL and CLUSTER move rows and leave their xmin; they put them into new files. Of a partitioned table, and of one that others
# inherit from, the rows are in theirs.
_STATE = """WITH RECURSIVE tree AS (SELECT %(table)s::regclass::oid AS oid
  UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid)
SELECT txid_current_snapshot()::text,
  (SELECT string_agg(oid || ':' || coalesce(pg_relation_filenode(oid), 0), ' ' ORDER BY oid) FROM tree)"""


def state(session: Session[Any], part: Part) -> dict[str, str]:
    """The state that the session's transaction sees, for a resume token."""
    found = session.execute(_STATE, {"table": part.reads}).fetchone()
    assert found is not None
    return {"snapshot": found[0], "files": found[1]}


def changed(session: Session[Any], part: Part, before: Mapping[str, str]) -> bool:
    """Whether one of the part's rows was inserted, updated or moved since the state `before`; reads the table once."""
    if state(session, part)["files"] != before["files"]:
        return True
    conditions = [condition.replace("%", "%%") for condition in part.where]
    rows = rows_sql(part.reads.replace("%", "%%"), ["1"], [*conditions, _WRITTEN_SINCE])
    found = session.execute(f"SELECT EXISTS ({rows}\n)", {"snapshot": before["snapshot"]}).fetchone()
    return bool(found and found[0])
