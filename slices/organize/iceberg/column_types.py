"""Column types between DuckDB and Iceberg, and which of them a column can become. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.errors import DefinitionError
from shared_metadata.records import SchemaColumn
from shared_metadata.type_widening import decimal, widened

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
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "string",
    "JSON": "string",
    "UUID": "uuid",
    "BLOB": "binary",
}
_TO_DUCKDB = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


def iceberg_type(duckdb_type: str) -> str | None:
    """'DECIMAL(10,2)[]' ▸ 'list<decimal(10,2)>'; None for a type that Iceberg or we cannot keep."""
    if duckdb_type.endswith("]"):
        element = iceberg_type(duckdb_type[: duckdb_type.rindex("[")])
        return f"list<{element}>" if element else None
    if found := decimal(duckdb_type):
        return f"decimal({found[0]},{found[1]})"
    if duckdb_type.startswith("ENUM("):
        return "string"
    return _TO_ICEBERG.get(duckdb_type)


def duckdb_type(type_name: str) -> str:
    """'list<decimal(10,2)>' ▸ 'DECIMAL(10,2)[]'. Raises KeyError for a type that is none of a schema's."""
    if type_name.startswith("list<"):
        return duckdb_type(type_name[5:-1]) + "[]"
    if found := decimal(type_name):
        return f"DECIMAL({found[0]},{found[1]})"
    return _TO_DUCKDB[type_name]


def evolution(known: Sequence[SchemaColumn], columns: Sequence[SchemaColumn], dataset: str, *, place: str) -> dict[str, str]:
    """The types of columns to add or widen so that a table takes new rows. Raises DefinitionError, which names both types."""
    former, changes = {c.name: c.type for c in known}, {}
    for column in columns:
        type_name = former.get(column.name)
        wide = widened(type_name, column.type) if type_name else column.type
        if wide is None:
            raise DefinitionError(
                f"the column {column.name} of {dataset} is {type_name} and would become {column.type}",
                place=place,
                remedy=f"CAST it to {type_name}, or give it another name",
            )
        if wide != type_name:
            changes[column.name] = wide
    return changes


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
