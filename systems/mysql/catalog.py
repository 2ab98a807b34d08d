"""Asks MySQL's catalog which tables there are, what columns they have and what types these are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.spelling import did_you_mean
from systems.mysql.type_mapping import SourceType, iceberg_type

if TYPE_CHECKING:
    from pymysql import Connection as Session

OWN_SCHEMAS = ("mysql", "information_schema", "performance_schema", "sys")
READ_KINDS = ("BASE TABLE", "VIEW", "SYSTEM VERSIONED")
_FIND = "SELECT table_schema, table_name, table_type, engine FROM information_schema.tables WHERE table_type IN %s AND "
_COLUMNS = """SELECT column_name, data_type, column_type, is_nullable, numeric_precision, numeric_scale, extra
FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"""

_PRIMARY_KEY = """SELECT column_name FROM information_schema.key_column_usage
WHERE table_schema = %s AND table_name = %s AND constraint_name = 'PRIMARY' ORDER BY ordinal_position"""


@dataclass(frozen=True)
class TableName:
    """kind: 'BASE TABLE', 'VIEW' …  engine: '' of a view."""

    schema: str
    name: str
    kind: str = "BASE TABLE"
    engine: str = ""

    @property
    def quoted(self) -> str:
        """The name as SQL takes it."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


@dataclass(frozen=True)
class SourceColumn:
    """A column of a table; type_name as MySQL writes it.  hidden: a `*` does not stand for it.  computed: it is generated."""

    name: str
    type: SourceType
    type_name: str
    not_null: bool
    hidden: bool = False
    computed: bool = False


def identifier(name: str) -> str:
    """A quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def text_literal(text: str) -> str:
    """A text, whatever the session says of backslashes."""
    return f"_utf8mb4 x'{text.encode().hex()}'" if text else "''"


def find_table(session: Session[Any], source: str, database: str) -> TableName | None:
    """The table that a program names; an exact match goes before one that differs in case. None when there is none."""
    wanted = _names(source, database)
    pairs = [pair for name in wanted for pair in _pairs(name)]
    exact = _rows(session, f"{_FIND}(table_schema, table_name) IN %s", (READ_KINDS, pairs))
    found = {f"{schema}.{name}": TableName(schema, name, kind, engine or "") for schema, name, kind, engine in exact}
    if not any(name in found for name in wanted):
        found |= {full: name for full, name in _all_tables(session).items() if full.lower() in map(str.lower, wanted)}
    folded = {full.lower(): name for full, name in sorted(found.items(), reverse=True)}
    return next((name for full in wanted if (name := found.get(full) or folded.get(full.lower()))), None)


def missing_table(session: Session[Any], source: str, database: str, place: str) -> DefinitionError:
    """What to raise for a table that is not there."""
    wanted = _names(source, database)[0]
    remedy = did_you_mean(wanted, allowed_tables(session)) + "correct its name, or create it again"
    return DefinitionError(f"the table {wanted} is not there", place=place, remedy=remedy)


def allowed_tables(session: Session[Any]) -> list[str]:
    """'database.table' of what the user has any right to, sorted; MySQL lists no other."""
    return sorted(_all_tables(session))[:MOST_NAMES]


def columns_of(session: Session[Any], table: TableName) -> list[SourceColumn]:
    """All columns, in the table's order, as far as the user may see them."""
    return [
        SourceColumn(
            name,
            SourceType(kind.lower(), written.lower(), int(precision or 0), int(scale or 0)),
            written,
            nullable == "NO",
            "INVISIBLE" in extra.upper(),
            "GENERATED" in extra.upper().replace("DEFAULT_GENERATED", ""),
        )
        for name, kind, written, nullable, precision, scale, extra in _rows(session, _COLUMNS, (table.schema, table.name))
    ]


def primary_key(session: Session[Any], table: TableName) -> tuple[str, ...]:
    """The columns of the table's primary key, in its order; none where it has none, or one that a `*` does not stand for."""
    key = tuple(name for (name,) in _rows(session, _PRIMARY_KEY, (table.schema, table.name)))
    hidden = {column.name for column in columns_of(session, table) if column.hidden} if key else set()
    return () if hidden.intersection(key) else key


def table_schema(columns: Sequence[SourceColumn]) -> Schema:
    """What columns are in a warehouse, without Atoll's own; also of names that would collide there."""
    shown = [column for column in columns if not column.hidden]
    return Schema(tuple(SchemaColumn(c.name.lower(), iceberg_type(c.type), not c.not_null, c.name, c.type_name) for c in shown))


def _all_tables(session: Session[Any]) -> dict[str, TableName]:
    found = _rows(session, f"{_FIND}table_schema NOT IN %s LIMIT %s", (READ_KINDS, OWN_SCHEMAS, 2 * MOST_NAMES))
    return {f"{schema}.{name}": TableName(schema, name, kind, engine or "") for schema, name, kind, engine in found}


def _names(source: str, database: str) -> list[str]:
    """'database.table' of each table that may be meant, the likeliest first."""
    return [source, f"{database}.{source}"] if "." in source else [f"{database}.{source}"]


def _pairs(name: str) -> list[tuple[str, str]]:
    """A dot may belong to a name: each way to read it as a database and a table."""
    return [(name[:at], name[at + 1 :]) for at, letter in enumerate(name) if letter == "."]


def _rows(session: Session[Any], sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
