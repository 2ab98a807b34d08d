"""Column types between DuckDB and Iceberg, and which of them a column can become. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

_TO_ICEBERG = {
    "BOOLEAN": "boolean",
    "TINYINT": "int",
    "SMALLINT": "int",
    "INTEGER": "int",
    "UTINYINT": "int",
    "USMALLINT": "int",
    "UINTEGER": "long",
    "BIGINT": "long",
    "UBIGINT": "decimal(20,0)",
    "HUGEINT": "decimal(38,0)",
    "UHUGEINT": "decimal(38,0)",
    "FLOAT": "float",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "string",
    "JSON": "string",
    "UUID": "uuid",
    "BLOB": "binary",
}


def iceberg_type(duckdb_type: str) -> str | None:
    """'DECIMAL(10,2)[]' ▸ 'list<decimal(10,2)>'; None for a type that Iceberg or we cannot keep."""
    import duckdb

    try:
        return str(_kept(duckdb.sqltype(duckdb_type)))
    except (ValueError, duckdb.InvalidInputException):  # such as of a row without names
        return None


def _kept(kind: Any) -> TypeName:  # a DuckDBPyType, whose parts have no types of their own
    """Raises ValueError for a type without a place in a table."""
    if kind.id in ("list", "array"):
        return list_of(_kept(kind.children[0][1]))
    if kind.id == "map":
        return map_of(*(_kept(part) for _, part in kind.children))
    if kind.id == "struct":
        return struct_of(tuple((name, _kept(part)) for name, part in kind.children))
    if kind.id == "enum":
        return TypeName("string")
    return parsed(_TO_ICEBERG.get(str(kind), str(kind).lower()))


def result_columns(described: Sequence[tuple[str, str]], *, place: str) -> tuple[SchemaColumn, ...]:
    """The schema of a query's result, names folded. Raises DefinitionError for types and names a table cannot have."""
    columns, seen = [], set()
    for name, source_type in described:
        folded, kept = name.lower(), iceberg_type(source_type)
        if kept is None:
            raise DefinitionError(
                f"the column {name} has the type {source_type}, which an Iceberg table cannot hold",
                place=place,
                remedy=f"CAST it, e.g. CAST({name} AS VARCHAR)",
            )
        if folded in seen:
            raise DefinitionError(f"two columns are named {folded}", place=place, remedy="name each with AS")
        seen.add(folded)
        columns.append(SchemaColumn(folded, kept, source_type=source_type))
    return tuple(columns)
