"""Asks PostgreSQL's catalog which tables the rows of a table, a view or a query are in, and whether a function hides some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow
from slices.collect.postgres.snapshot import FIRST_OID
from systems.postgres.catalog import TableName
from systems.sql_source.members import Member

if TYPE_CHECKING:
    from psycopg import Connection as Session

# A foreign table's size is not known. relkind 'p' holds no rows itself.
_EMPTY = "c.relkind = 'p' OR c.relkind IN ('r', 'm') AND coalesce(pg_relation_size(c.oid), 0) = 0"
_NAME = "(SELECT n.nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) || '.' || c.relname"
_TREE = f"""WITH RECURSIVE tree AS (
  SELECT %(oid)s::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid)
SELECT c.oid::bigint, coalesce(pg_relation_filenode(c.oid), c.oid)::bigint, {_NAME}, {_EMPTY}, c.relkind::text,
  pg_get_partition_constraintdef(c.oid), has_table_privilege(%(oid)s, 'SELECT')
FROM tree JOIN pg_class c USING (oid) ORDER BY c.oid <> %(oid)s, c.oid"""
# What a statement reads is locked by it, whatever views it reads it by. A view is what it says.
_VIEW = "-('x' || left(md5(pg_get_viewdef(c.oid)), 12))::bit(48)::bigint"
_READ = f"""SELECT CASE WHEN c.relkind = 'v' THEN {_VIEW} ELSE c.oid::bigint END,
  coalesce(pg_relation_filenode(c.oid), c.oid)::bigint, {_NAME}, c.relkind <> 'v' AND ({_EMPTY}), c.relkind = 'v'
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.oid >= {FIRST_OID} AND c.relkind IN ('r', 'p', 'f', 'm', 'v')"""

# What changes the values of rows, and writes none: an enum's label, what a virtual column computes, which column has a name, and
# the value that older rows have in a column that has come with a default. An oid has 32 bits, and columns' numbers are beyond them.
_HASH = "('x' || left(md5({}), 12))::bit(48)::bigint"
_FIRST_COLUMN = 2**33
_VALUES = f"""SELECT e.oid::bigint, {_HASH.format("e.enumlabel")}, t.typname::text, true
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype) WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0
UNION SELECT -(a.attrelid::bigint * 2048 + a.attnum), {_HASH.format("pg_get_expr(d.adbin, d.adrelid)")}, a.attname::text, true
FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(tables)s::oid[]) AND to_jsonb(a)->>'attgenerated' = 'v'
UNION SELECT {_FIRST_COLUMN} + ('x' || left(md5(a.attrelid || '.' || a.attname), 8))::bit(30)::bigint,
  a.attnum::bigint, a.attname::text,
  to_jsonb(a)->>'atthasmissing' IS DISTINCT FROM 'true' AND NOT (c.relkind = 'p' AND a.atthasdef)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition"""
# The functions that views call, and that let policies hide rows whatever the session says.
_HIDING = f"""SELECT p.oid::regprocedure::text FROM pg_locks l JOIN pg_rewrite r ON r.ev_class = l.relation
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_proc'::regclass
JOIN pg_proc p ON p.oid = d.refobjid, unnest(p.proconfig) AS setting
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= {FIRST_OID}
  AND setting ~* '^row_security=(on|t|tr|tru|true|y|ye|yes|1)$' ORDER BY 1 LIMIT 1"""


def members_of_table(session: Session[Any], table: TableName, flow: Flow, place: str) -> tuple[tuple[Member, ...], bool]:
    """The members of a table, and whether its rows are made anew by REFRESH. Those of a view do not tell whose they are."""
    found = session.execute(_TREE, {"oid": table.oid}).fetchall()
    if not found or found[0][4] == "v":
        return members_of_query(session, table.quoted, place), False
    members = tuple(
        Member(number, file, name, _rows(number, constraint) if told else "", empty)
        for number, file, name, empty, _, constraint, told in found
    )
    read = "\n".join([*(column.source for column in flow.columns), flow.filter]) if flow.columns else ""  # '': all columns
    values = [one for one in _values(session, members) if not read or one.number < _FIRST_COLUMN or one.name in read]
    return (*members, *values), found[0][4] == "m"


def members_of_query(session: Session[Any], reads: str, place: str) -> tuple[Member, ...]:
    """The members of a query, or a view, as it stands in FROM; its rows do not tell whose they are.

    Raises DefinitionError where a function of a view hides rows without a word.
    """
    session.execute("BEGIN")
    try:
        session.execute(f"SELECT 1 FROM {reads}\nLIMIT 0")
        found, hiding = session.execute(_READ).fetchall(), session.execute(_HIDING).fetchone()
    finally:
        session.execute("ROLLBACK")
    if hiding:
        raise DefinitionError(
            f"row level security may hide rows without a word: the function {hiding[0]}, which a view calls, sets row_security to on",
            place=place,
            remedy="ALTER FUNCTION it RESET row_security, or collect the tables below the view",
        )
    members = [Member(number, number if view else file, name, "", empty) for number, file, name, empty, view in sorted(found)]
    return (*members, *_values(session, members))


def _values(session: Session[Any], members: Sequence[Member]) -> list[Member]:
    """What the values of rows are made by in the catalog. New ones are no row's yet, but for the default of a column that comes."""
    found = session.execute(_VALUES, {"tables": [member.number for member in members if member.number > 0]})
    return [Member(number, said, name, empty=empty) for number, said, name, empty in found]


def _rows(number: int, constraint: str | None) -> str:
    """The constraint of a partition keeps the others from being read."""
    own = f"tableoid = {number}::oid"
    return f"{own} AND ({constraint})" if constraint else own
