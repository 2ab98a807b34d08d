"""Asks PostgreSQL's catalog what a flow reads: the table, its columns with their types, its size."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.contract.sizes import Size
from shared_metadata.errors import DefinitionError
from slices.collect.postgres.type_mapping import SourceType

if TYPE_CHECKING:
    from psycopg import Connection as Session

_TABLES = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
# A dot may belong to a name: what counts is the whole.
_TABLE = f"""SELECT c.oid, n.nspname, c.relname {
    _TABLES.replace(
        " WHERE ",
        '''
JOIN unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place)
  ON lower(replace(n.nspname || '.' || c.relname, '"', '')) = lower(wanted.name) WHERE ''',
    )
}
ORDER BY wanted.place, (left(wanted.name, length(n.nspname) + 1) = n.nspname || '.')::int
  + (right(wanted.name, length(c.relname) + 1) = '.' || c.relname)::int DESC, n.nspname, c.relname LIMIT 1"""
_READABLE = f"""SELECT n.nspname || '.' || c.relname, row_security_active(c.oid) {_TABLES}
  AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1 LIMIT %s"""
_COLUMN_NAMES = "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"
_SIZE = """WITH RECURSIVE tree AS (
  SELECT %(oid)s::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid)
SELECT (coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::int)::bigint,
  coalesce(sum(pg_table_size(c.oid)), 0)::bigint, sum(greatest(c.reltuples, 0))::bigint,
  bool_and(c.relkind = 'p' OR c.relkind IN ('r', 'm') AND coalesce(a.amname, 'heap') = 'heap')
    AND has_table_privilege(%(oid)s, 'SELECT')
FROM tree JOIN pg_class c USING (oid) LEFT JOIN pg_am a ON a.oid = c.relam AND a.amtype = 't'"""
_TYPES = """SELECT wanted.place, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE '' END, t.typtype::text,
  CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typname NOT IN ('int2vector', 'oidvector') THEN t.typelem ELSE 0 END,
  format_type(t.oid, wanted.modifier), coalesce(a.attnotnull AND NOT EXISTS (
    SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
    AND (NOT k.convalidated OR k.connoinherit)), false), coalesce(a.attndims, 0),
  coalesce(e.typname, ''), coalesce(e.typtype::text, '')
FROM unnest(%(types)s::oid[], %(modifiers)s::int[], %(tables)s::oid[], %(numbers)s::int[]) WITH ORDINALITY
  AS wanted(type, modifier, relation, number, place)
JOIN pg_type t ON t.oid = wanted.type JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_attribute a ON a.attrelid = wanted.relation AND a.attnum = wanted.number
LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typnamespace = 'pg_catalog'::regnamespace
ORDER BY 1"""
_FIRST_VERSION_WITH_PAGE_SCANS = (
    140000  # before, a range of ctid read the whole table: https://www.postgresql.org/docs/14/release-14.html
)


@dataclass(frozen=True)
class TableName:
    """quoted: as SQL takes it."""

    oid: int
    quoted: str


@dataclass(frozen=True)
class SourceColumn:
    """A column of what a statement answers; type_name as PostgreSQL writes it, e.g. 'numeric(12,2)'."""

    name: str
    type: SourceType
    type_name: str
    not_null: bool


@dataclass(frozen=True)
class TableSize:
    """pages: of the largest heap, 0 where it cannot be read by ranges of them.  bytes: with what is stored out of line.

    told: each row tells which transaction wrote it. Neither is so where the user may read some columns only: a row's place and its
    transaction are columns too; nor in a table that is stored otherwise than as a heap.
    """

    pages: int = 0
    bytes: int = 0
    rows: int = 0
    told: bool = False


def find_table(session: Session[Any], source: str, default_schema: str) -> TableName | None:
    """The table a program names; an exact match goes before one that differs in case. None when there is none."""
    found = session.execute(_TABLE, {"names": _names(source, default_schema)}).fetchone()
    return TableName(found[0], f"{identifier(found[1])}.{identifier(found[2])}") if found else None


def missing_table(session: Session[Any], source: str, default_schema: str, place: str) -> DefinitionError:
    """What to raise for a table that is not there."""
    wanted = _names(source, default_schema)[0]
    remedy = did_you_mean(wanted, table_names(session)) + "correct its name, or create it again"
    return DefinitionError(f"the table {wanted} is not there", place=place, remedy=remedy)


def _names(source: str, default_schema: str) -> list[str]:
    """'schema.table' of each table that may be meant, the likeliest first."""
    names = [source, f"{default_schema}.{source}"] if "." in source else [f"{default_schema}.{source}"]
    return [name.replace('"', "") for name in names]


def table_names(session: Session[Any], limit: int = MOST_NAMES) -> list[str]:
    """'schema.table' of what the user may read, sorted; a table's partitions are left out."""
    return [name for name, _ in session.execute(_READABLE, (limit,))]


def guarded_names(session: Session[Any], limit: int = MOST_NAMES) -> list[str]:
    """Those of which policies hide rows from the user."""
    return [name for name, guarded in session.execute(_READABLE, (limit,)) if guarded]


def column_names(session: Session[Any], table: TableName) -> list[str]:
    return [row[0] for row in session.execute(_COLUMN_NAMES, (table.oid,))]


def columns_of(session: Session[Any], sql: str) -> list[SourceColumn]:
    """What `sql` would answer; it is prepared and read for no rows. Domains come as the types below them.

    A table whose policies hide rows can be described; reading it is refused.
    """
    session.execute("SET row_security = on")
    try:
        answer = session.execute(f"{sql}\nLIMIT 0").pgresult
    finally:
        session.execute("SET row_security = off")
    assert answer is not None
    places = range(answer.nfields)
    described = session.execute(
        _TYPES,
        {
            "types": [answer.ftype(i) for i in places],
            "modifiers": [answer.fmod(i) for i in places],
            "tables": [answer.ftable(i) for i in places],
            "numbers": [answer.ftablecol(i) for i in places],
        },
    )
    found = []
    for i, (_, name, kind, element, type_name, not_null, dimensions, element_name, element_kind) in zip(
        places, described, strict=True
    ):
        inner = SourceType(element_name, element_kind) if element else None
        source_type = SourceType(name, kind, inner, answer.fmod(i), dimensions)
        found.append(SourceColumn((answer.fname(i) or b"").decode(), source_type, type_name, not_null))
    return found


def table_size(session: Session[Any], table: TableName) -> TableSize:
    """Of a table and all its partitions."""
    row = session.execute(_SIZE, {"oid": table.oid}).fetchone()
    assert row is not None
    pages, size, rows, paged = row
    if not paged or session.info.server_version < _FIRST_VERSION_WITH_PAGE_SCANS:
        pages = 0
    return TableSize(int(pages), int(size), int(rows), bool(paged))


def estimated_size(session: Session[Any], table: TableName) -> Size:
    """As the planner estimates it, which takes views, partitions and what was never analysed; nothing of the table is read.

    bytes: on disk, with what is stored out of line; of what is not stored, such as a view, those of its rows.
    """
    told = session.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM {table.quoted}").fetchone()
    assert told is not None
    plan, stored = told[0][0]["Plan"], table_size(session, table).bytes
    rows = int(plan["Plan Rows"])
    return Size(rows, stored or rows * int(plan["Plan Width"]))


def did_you_mean(wanted: str, known: list[str]) -> str:
    close = difflib.get_close_matches(wanted.lower(), {name.lower(): name for name in known}, n=1, cutoff=0.6)
    return f"did you mean {close[0]}? Otherwise " if close else ""
