"""DuckDB's types and those of a schema (Iceberg's names, as in SchemaColumn), both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata import duckdb_types
from shared_metadata.type_names import TypeName, list_of, map_of, parsed, struct_of

_ICEBERG = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "INTEGER_LITERAL"), "int"),
    "NULL": "int",  # a column of nothing but NULL: as DuckDB makes it
    **dict.fromkeys(("BIGINT", "UINTEGER"), "long"),
    "UBIGINT": "decimal(20,0)",
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), "decimal(38,0)"),
    "FLOAT": "float",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "timestamp"),  # not _NS: microseconds are what tables keep
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    **dict.fromkeys(("VARCHAR", "CHAR", "ENUM", "STRING_LITERAL"), "string"),
    "UUID": "uuid",
    "BLOB": "binary",
}
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


def iceberg_type(kind: Mapping[str, Any]) -> str | None:
    """{'id': 'LIST', 'type_info': …} ▸ 'list<decimal(10,2)>'; None for a type that no table can hold.

    kind: as DuckDB's JSON has it.
    """
    plain = _ICEBERG.get(kind["id"])
    if plain is not None:
        return plain
    try:
        return str(_type_name(kind))
    except (KeyError, ValueError):
        return None


def _type_name(kind: Mapping[str, Any]) -> TypeName:
    """Raises KeyError or ValueError for a type that no table can hold."""
    word, more = kind["id"], kind.get("type_info") or {}
    if word == "DECIMAL":
        return TypeName("decimal", sizes=(more["width"], more["scale"]))
    if word in ("LIST", "ARRAY"):
        return list_of(_type_name(more["child_type"]))
    if word == "STRUCT":
        return struct_of(tuple((child["first"], _type_name(child["second"])) for child in more["child_types"]))
    if word == "MAP":
        key, value = more["child_type"]["type_info"]["child_types"]
        return map_of(_type_name(key["second"]), _type_name(value["second"]))
    return parsed(_ICEBERG[word])


def duckdb_type(name: str) -> str:
    """'list<long>' ▸ 'BIGINT[]'; of a type that is not known, any."""
    return duckdb_types.duckdb_type(name) if name else UNKNOWN
