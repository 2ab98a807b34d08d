"""Tells of a table what its description does not: rows that no cursor would see, or that it would see at another time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from systems.postgres.catalog import TableName

if TYPE_CHECKING:
    from psycopg import Connection as Session

_VIEW = "SELECT pg_get_viewdef(oid) FROM pg_class WHERE oid = %s AND relkind = 'v'"
# What the server sets the session to, before it is settled: by its own settings, the database's or the role's.
_ZONE = "SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'"
_LOCAL = """SELECT a.attname FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = %s AND a.atttypid = 'timestamp'::regtype
  AND pg_get_expr(d.adbin, d.adrelid) ~* '(now\\(|current_timestamp|localtimestamp|_timestamp\\()'
  AND pg_get_expr(d.adbin, d.adrelid) !~* 'utc' ORDER BY a.attnum"""
_HIDDEN = """SELECT count(*) FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
  AND NOT has_column_privilege(attrelid, attnum, 'SELECT')"""
_UTC = re.compile(r"(Etc/)?(UTC|GMT|UCT|Zulu|Universal)|GMT0", re.IGNORECASE)
_CHOOSES = re.compile(r"\b(where|join|limit|offset|fetch|distinct|group by|having|union|intersect|except)\b", re.IGNORECASE)
_MOVES = re.compile(r"\b(current_user|session_user|current_role|current_date|localtimestamp|now\(|\w*_timestamp\b)", re.IGNORECASE)


def unseen(session: Session[Any], table: TableName) -> list[str]:
    """What is to be known before it is collected by a cursor, each with its remedy."""
    found = []
    view = session.execute(_VIEW, (table.oid,)).fetchone()
    if view and (moves := _MOVES.search(view[0])):
        found.append(
            f"this view says {moves[0].rstrip('(').lower()}: what it gives goes by the user who asks or by the moment, and no cursor "
            "tells of it; collect the tables below it"
        )
    if view and _CHOOSES.search(view[0]):
        found.append(
            "a row that leaves this view stays in a MERGE, and one that comes into it without a new cursor value is not seen; "
            "collect the table below it with that WHERE, or use REPLACE"
        )
    zone = session.execute(_ZONE).fetchone()
    columns = [name for (name,) in session.execute(_LOCAL, (table.oid,))]
    if columns and zone and not _UTC.fullmatch(zone[0]):
        found.append(
            f"{', '.join(columns)} is set to the time of {zone[0]} and has no zone, so it is read as UTC: as a CURSOR it would lose "
            f"rows; write SELECT {columns[0]} AT TIME ZONE '{zone[0]}' AS {columns[0]}"
        )
    hidden = session.execute(_HIDDEN, (table.oid,)).fetchone()
    if hidden and hidden[0]:
        found.append(f"{hidden[0]} of its columns may not be read and are left out; GRANT SELECT on them if they are wanted")
    return found
