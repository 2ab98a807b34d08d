"""Tells of a table what its description does not: rows that no cursor would see, or that it would see at another time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared_metadata.program.source_schemas import Concern, SourceNote
from systems.postgres.catalog import TableName

if TYPE_CHECKING:
    from psycopg import Connection as Session

_KIND = "SELECT relkind::text, CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) END FROM pg_class WHERE oid = %s"
# What the server sets the session to, before it is settled: by its own settings, the database's or the role's.
_ZONE = "SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'"
# By the column's default, or by a trigger that names it.
_LOCAL = """SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'timestamp'::regtype AND EXISTS (
  SELECT FROM (
    SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE t.tgrelid = a.attrelid AND NOT t.tgisinternal AND strpos(lower(p.prosrc), lower(a.attname)) > 0) AS sets (said)
  WHERE said ~* '(now\\(|current_timestamp|localtimestamp|_timestamp\\()' AND said !~* 'utc') ORDER BY a.attnum"""
_HIDDEN = """SELECT count(*) FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
  AND NOT has_column_privilege(attrelid, attnum, 'SELECT')"""
# With its partitions, and what views read it by.
_BELOW = """WITH RECURSIVE below AS (SELECT %s::oid AS oid UNION
  SELECT next.oid FROM below b CROSS JOIN LATERAL (
    SELECT i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = b.oid
    UNION ALL SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      WHERE r.ev_class = b.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid) next)
SELECT bool_or(c.relkind = 'f'), bool_or(EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid))
FROM below JOIN pg_class c USING (oid)"""
_UTC = re.compile(r"(Etc/)?(UTC|GMT|UCT|Zulu|Universal)|GMT0", re.IGNORECASE)
_CHOOSES = re.compile(r"\b(where|join|limit|offset|fetch|distinct|group by|having|union|intersect|except)\b", re.IGNORECASE)
_MOVES = re.compile(r"\b(current_user|session_user|current_role|current_date|localtimestamp|now\(|\w*_timestamp\b)", re.IGNORECASE)
_LATE = "give the connection a `lag` that is longer, or collect it where it is written"


def unseen(session: Session[Any], table: TableName) -> list[SourceNote]:
    """What is to be known of a table before it is collected by a cursor, each with its remedy."""
    found = session.execute(_KIND, (table.oid,)).fetchone()
    kind, view = found or ("", None)
    return [*_of_view(view or ""), *_late(session, table), *_local(session, table), *(_refreshed() if kind == "m" else ())]


def hidden_columns(session: Session[Any], table: TableName) -> str:
    """How many of a table's columns its description lacks, with the remedy; '' where it lacks none."""
    found = session.execute(_HIDDEN, (table.oid,)).fetchone()
    few = f"{found[0]} of its columns may not be read and are left out; GRANT SELECT on them if they are wanted" if found else ""
    return few if found and found[0] else ""


def _of_view(text: str) -> Iterator[SourceNote]:
    if moves := _MOVES.search(text):
        yield SourceNote(
            Concern.CURSOR,
            f"this view says {moves[0].rstrip('(').lower()}: what it gives goes by the user who asks or by the moment, and no cursor "
            "tells of it; collect the tables below it",
        )
    if _CHOOSES.search(text):
        yield SourceNote(
            Concern.MERGE,
            "a row that leaves this view stays in a MERGE, and one that comes into it without a new cursor value is not seen; "
            "collect the table below it with that WHERE, or use REPLACE",
        )


def _late(session: Session[Any], table: TableName) -> Iterator[SourceNote]:
    foreign, subscribed = session.execute(_BELOW, (table.oid,)).fetchone() or (False, False)
    if foreign:
        said = "it reads a foreign table, of which this server does not know what is still to be committed: rows may come late unseen"
        yield SourceNote(Concern.CURSOR, f"{said}; {_LATE}")
    if subscribed:
        said = "a subscription fills it, so rows come later than their own time, and unseen where that is more than five minutes"
        yield SourceNote(Concern.CURSOR, f"{said}; {_LATE}")


def _local(session: Session[Any], table: TableName) -> Iterator[SourceNote]:
    zone = session.execute(_ZONE).fetchone()
    for (name,) in session.execute(_LOCAL, (table.oid,)) if zone and not _UTC.fullmatch(zone[0]) else ():
        yield SourceNote(
            Concern.CURSOR,
            f"{name} is set to the time of {zone[0]} and has no zone, so it is read as UTC: as a CURSOR it would lose "  # type: ignore[index]
            f"rows; write SELECT {name} AT TIME ZONE '{zone[0]}' AS {name}",  # type: ignore[index]
            name,
        )


def _refreshed() -> Iterator[SourceNote]:
    yield SourceNote(
        Concern.MERGE,
        "a row that a REFRESH takes out of this materialized view stays in a MERGE; use REPLACE, or collect the tables below it",
    )
