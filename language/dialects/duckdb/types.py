"""DuckDB's types and those of a schema (Iceberg's names, as in SchemaColumn), both ways."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.type_names import TypeName, list_of, map_of, parsed, struct_of

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
    try:
        return str(_type_name(kind))
    except (KeyError, ValueError):
        return None


def _type_name(kind: DuckDBPyType) -> TypeName:
    """Raises KeyError or ValueError for a type that no table can hold."""
    children: dict[str, Any] = dict(kind.children) if kind.id in _NESTED else {}
    if kind.id == "decimal":
        return TypeName("decimal", sizes=(children["precision"], children["scale"]))
    if kind.id in ("list", "array"):
        return list_of(_type_name(children["child"]))
    if kind.id == "struct":
        return struct_of(tuple((name, _type_name(child)) for name, child in children.items()))
    if kind.id == "map":
        return map_of(_type_name(children["key"]), _type_name(children["value"]))
    return parsed(_ICEBERG[kind.id])


@cache
def duckdb_type(name: str) -> str:
    """'list<long>' ▸ 'BIGINT[]'."""
    return _written(parsed(name)) if name else UNKNOWN


def _written(kind: TypeName) -> str:
    if kind.word == "decimal":
        return "DECIMAL({}, {})".format(*kind.sizes)
    if kind.word == "list":
        return f"{_written(kind.parts[0])}[]"
    if kind.word == "struct":
        return f"STRUCT({', '.join(f'{identifier(field)} {_written(part)}' for field, part in kind.named())})"
    if kind.word == "map":
        return f"MAP({', '.join(map(_written, kind.parts))})"
    return _DUCKDB[kind.word]
