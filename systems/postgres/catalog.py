"""Asks PostgreSQL's catalog which tables there are, and what columns with which types a statement answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.spelling import did_you_mean
from systems.postgres.type_mapping import SourceType, iceberg_type

if TYPE_CHECKING:
    from psycopg import Connection as Session

READ_KINDS, WRITTEN_KINDS = ("r", "p", "v", "m", "f"), ("r", "p")  # pg_class.relkind
_TABLES = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = ANY (%(kinds)s)"
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
_ALLOWED = f"""SELECT n.nspname || '.' || c.relname, row_security_active(c.oid) {_TABLES}
  AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN %(privilege)s = 'SELECT'
    THEN has_any_column_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, %(privilege)s) END ORDER BY 1 LIMIT %(limit)s"""
_ALLOWED_COLUMNS = """SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
  AND NOT has_table_privilege(attrelid, 'SELECT') AND has_column_privilege(attrelid, attnum, 'SELECT') ORDER BY attnum"""
_COLUMN_NAMES = "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"
_PRIMARY_KEY = """SELECT a.attname FROM pg_constraint k CROSS JOIN unnest(k.conkey) WITH ORDINALITY AS part (number, place)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.number
WHERE k.conrelid = %s AND k.contype = 'p' ORDER BY part.place"""
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


def find_table(session: Session[Any], source: str, default_schema: str) -> TableName | None:
    """The table a program names; an exact match goes before one that differs in case. None when there is none."""
    found = session.execute(_TABLE, {"names": _names(source, default_schema), "kinds": list(READ_KINDS)}).fetchone()
    return TableName(found[0], f"{identifier(found[1])}.{identifier(found[2])}") if found else None


def missing_table(session: Session[Any], source: str, default_schema: str, place: str) -> DefinitionError:
    """What to raise for a table that is not there."""
    wanted = _names(source, default_schema)[0]
    remedy = did_you_mean(wanted, allowed_tables(session)) + "correct its name, or create it again"
    return DefinitionError(f"the table {wanted} is not there", place=place, remedy=remedy)


def _names(source: str, default_schema: str) -> list[str]:
    """'schema.table' of each table that may be meant, the likeliest first."""
    names = [source, f"{default_schema}.{source}"] if "." in source else [f"{default_schema}.{source}"]
    return [name.replace('"', "") for name in names]


def allowed_tables(session: Session[Any], privilege: str = "SELECT", kinds: Sequence[str] = READ_KINDS) -> dict[str, bool]:
    """'schema.table' of what the user has the privilege for, sorted ▸ whether policies hold for the user there.

    A table's partitions are left out, and what goes beyond as many names as are listed.
    """
    found = session.execute(_ALLOWED, {"kinds": list(kinds), "privilege": privilege, "limit": MOST_NAMES})
    return dict(found.fetchall())


def column_names(session: Session[Any], table: TableName) -> list[str]:
    return [row[0] for row in session.execute(_COLUMN_NAMES, (table.oid,))]


def allowed_columns(session: Session[Any], table: TableName) -> list[str]:
    """The columns that the user may read, quoted, where that is not all of the table; else `*`."""
    return [identifier(name) for (name,) in session.execute(_ALLOWED_COLUMNS, (table.oid,))] or ["*"]


def primary_key(session: Session[Any], table: TableName) -> tuple[str, ...]:
    """The columns of the table's primary key, in its order; none where it has none, as a view has not."""
    return tuple(name for (name,) in session.execute(_PRIMARY_KEY, (table.oid,)))


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


def table_schema(columns: Sequence[SourceColumn]) -> Schema:
    """What columns are in a warehouse, without Atoll's own; also of names that would collide there."""
    return Schema(tuple(SchemaColumn(c.name.lower(), iceberg_type(c.type), not c.not_null, c.name, c.type_name) for c in columns))
