"""DuckDB's types and those of a schema (Iceberg's names, as in SchemaColumn), both ways."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_ICEBERG = {
    "boolean": "boolean",
    **dict.fromkeys(("tinyint", "smallint", "integer", "utinyint", "usmallint"), "int"),
    **dict.fromkeys(("bigint", "uinteger"), "long"),
    "ubigint": "decimal(20,0)",
    **dict.fromkeys(("hugeint", "uhugeint"), "decimal(38,0)"),
    "float": "float",
    "double": "double",
    "date": "date",
    "time": "time",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "timestamp"),
    "timestamp with time zone": "timestamptz",
    **dict.fromkeys(("varchar", "enum"), "string"),
    "uuid": "uuid",
    "blob": "binary",
}
_DUCKDB = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}
_NESTED = ("decimal", "list", "array", "struct", "map")
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
SAMPLES = {  # a value of each type without parameters
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "INTEGER_LITERAL"), "1"),
    "BOOLEAN": "true",
    "DECIMAL": "1.5",
    "FLOAT": "1::FLOAT",
    "DOUBLE": "1::DOUBLE",
    "DATE": "DATE '2020-01-01'",
    "TIME": "TIME '10:00:00'",
    "TIMESTAMP": "TIMESTAMP '2020-01-01'",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2020-01-01 00:00:00+00'",
    "INTERVAL": "INTERVAL 1 DAY",
    "UUID": "'00000000-0000-0000-0000-000000000000'::UUID",
    "BLOB": "'a'::BLOB",
    "LIST": "[1]",
    "STRUCT": "{'a': 1}",
}
WHOLE = {"LIST": "INTEGER[]", "STRUCT": "STRUCT(a INTEGER)"}  # a type whose name alone is none
UNKNOWN = "VARCHAR"  # of a column whose own statement is wrong


def iceberg_type(kind: DuckDBPyType) -> str | None:
    """'DECIMAL(10,2)[]' ▸ 'list<decimal(10,2)>'; None for a type that no table can hold."""
    children: dict[str, Any] = dict(kind.children) if kind.id in _NESTED else {}
    if kind.id == "decimal":
        return f"decimal({children['precision']},{children['scale']})"
    if kind.id in ("list", "array"):
        element = iceberg_type(children["child"])
        return f"list<{element}>" if element else None
    if kind.id == "struct":
        fields = [(name, iceberg_type(child)) for name, child in children.items()]
        return f"struct<{', '.join(f'{name}: {inner}' for name, inner in fields)}>" if all(inner for _, inner in fields) else None
    if kind.id == "map":
        key, value = iceberg_type(children["key"]), iceberg_type(children["value"])
        return f"map<{key}, {value}>" if key and value else None
    return _ICEBERG.get(kind.id)


@cache
def duckdb_type(name: str) -> str:
    """'list<long>' ▸ 'BIGINT[]'."""
    if found := _DECIMAL.fullmatch(name):
        return f"DECIMAL({found[1]}, {found[2]})"
    if name.startswith("list<") and name.endswith(">"):
        return f"{duckdb_type(name[5:-1])}[]"
    return _DUCKDB.get(name, UNKNOWN)
