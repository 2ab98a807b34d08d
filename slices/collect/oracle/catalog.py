"""Asks Oracle's catalog which tables there are, what columns they have and what types these are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.spelling import did_you_mean
from slices.collect.oracle.type_mapping import SourceType, map_type

if TYPE_CHECKING:
    from oracledb import Connection as Session

# ALL_… show what the user may see; schemas that Oracle keeps for itself say so of themselves.
_OBJECTS = """FROM all_objects o JOIN all_users u ON u.username = o.owner
WHERE u.oracle_maintained = 'N' AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW') AND o.secondary = 'N'"""
_SELECTED, _GROUPED = f"SELECT o.owner, o.object_name, MAX(o.object_type) {_OBJECTS}", "GROUP BY o.owner, o.object_name"
_EXACT = "AND o.owner = :owner AND o.object_name = :name"
_FOLDED = "AND UPPER(o.owner) = :owner AND UPPER(o.object_name) = :name"
# Of what Oracle makes itself, one says whether a row is archived: https://docs.oracle.com/en/database/oracle/oracle-database/19/vldbg/
_COLUMNS = """SELECT column_name, data_type, data_precision, data_scale, char_length, data_length, data_type_owner, nullable,
  hidden_column
FROM all_tab_cols WHERE owner = :owner AND table_name = :name AND (user_generated = 'YES' OR column_name = 'ORA_ARCHIVE_STATE')
ORDER BY internal_column_id"""
_PRIMARY_KEY = """SELECT k.column_name FROM all_constraints c
JOIN all_cons_columns k ON k.owner = c.owner AND k.constraint_name = c.constraint_name
WHERE c.owner = :owner AND c.table_name = :name AND c.constraint_type = 'P' ORDER BY k.position"""


@dataclass(frozen=True)
class TableName:
    """kind: 'TABLE', 'VIEW' …"""

    schema: str
    name: str
    kind: str = "TABLE"

    @property
    def quoted(self) -> str:
        """The name as SQL takes it."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    @property
    def binds(self) -> dict[str, str]:
        return {"owner": self.schema, "name": self.name}


@dataclass(frozen=True)
class SourceColumn:
    """A column of a table.  hidden: a `*` does not stand for it."""

    name: str
    type: SourceType
    not_null: bool
    hidden: bool = False


def identifier(name: str) -> str:
    """A quoted identifier. No name of Oracle has a quote in it, or a zero byte."""
    return '"' + name.replace('"', "") + '"'


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def find_table(session: Session, source: str, schema: str) -> TableName | None:
    """The table that a program names; an exact match goes before one that differs in case. None when there is none."""
    wanted = [pair for name in ([source] if "." in source else []) + [f"{schema}.{source}"] for pair in _pairs(name)]
    for condition, fold in ((_EXACT, str), (_FOLDED, str.upper)):
        for owner, name in wanted:
            found = rows(session, f"{_SELECTED} {condition} {_GROUPED}", {"owner": fold(owner), "name": fold(name)})
            if found:
                return TableName(*found[0])
    return None


def missing_table(session: Session, source: str, schema: str, place: str) -> DefinitionError:
    """What to raise for a table that is not there, or that the user may not see, which Oracle does not tell apart."""
    wanted = source if "." in source else f"{schema}.{source}"
    remedy = did_you_mean(wanted, allowed_tables(session)) + "correct its name, create it again, or GRANT SELECT on it to the user"
    return DefinitionError(f"the table {wanted} is not there", place=place, remedy=remedy)


def allowed_tables(session: Session) -> list[str]:
    """'SCHEMA.TABLE' of what the user has any right to, sorted."""
    return sorted(f"{owner}.{name}" for owner, name, _ in rows(session, f"{_SELECTED} {_GROUPED}"))[:MOST_NAMES]


def columns_of(session: Session, table: TableName) -> list[SourceColumn]:
    """Returns all columns, in the table's order; what an index by an expression has made is none of them."""
    return [
        SourceColumn(
            name,
            SourceType(kind, precision, scale, int(characters or size or 0), owner or ""),
            nullable == "N",
            hidden == "YES",
        )
        for name, kind, precision, scale, characters, size, owner, nullable, hidden in rows(session, _COLUMNS, table.binds)
    ]


def primary_key(session: Session, table: TableName) -> tuple[str, ...]:
    """The columns of the table's primary key, in its order; none where it has none, or one that a `*` does not stand for."""
    key = tuple(name for (name,) in rows(session, _PRIMARY_KEY, table.binds))
    hidden = {column.name for column in columns_of(session, table) if column.hidden} if key else set()
    return () if hidden.intersection(key) else key


def table_schema(columns: Sequence[SourceColumn]) -> Schema:
    """What columns are in a warehouse, without Atoll's own; also of names that would collide there, and without those of no rows'
    values."""
    found = [(column, map_type(column.type)) for column in columns if not column.hidden]
    return Schema(
        tuple(
            SchemaColumn(column.name.lower(), mapped.iceberg, not column.not_null, column.name, column.type.written)
            for column, mapped in found
            if mapped is not None
        )
    )


def rows(session: Session, sql: str, binds: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(sql, dict(binds or {}), fetch_lobs=False)
        return list(cursor.fetchall())


def _pairs(name: str) -> list[tuple[str, str]]:
    """A dot may belong to a name: each way to read it as a schema and a table."""
    return [(name[:at], name[at + 1 :]) for at, letter in enumerate(name) if letter == "."]
