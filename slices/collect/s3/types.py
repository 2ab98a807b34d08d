"""What DuckDB's types of files' columns become in a warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_metadata.program.type_names import TypeName, list_of, map_of, struct_of

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_WORDS = {
    "boolean": "boolean",
    **dict.fromkeys(("tinyint", "smallint", "integer", "utinyint", "usmallint"), "int"),
    **dict.fromkeys(("bigint", "uinteger"), "long"),
    "float": "float",
    "double": "double",
    "date": "date",
    "time": "time",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms"), "timestamp"),
    "timestamp with time zone": "timestamptz",
    "uuid": "uuid",
    "blob": "binary",
}
_DIGITS = {"ubigint": (20, 0), "hugeint": (38, 0)}
TEXT = TypeName("string")  # for what nothing else holds


def iceberg_type(kind: DuckDBPyType) -> str:
    """A column's type in the warehouse; what no table holds becomes its text."""
    return str(_named(kind) or TEXT)


def _named(kind: DuckDBPyType) -> TypeName | None:
    """None where a part of it has no type there."""
    if kind.id in _WORDS:
        return TypeName(_WORDS[kind.id])
    if kind.id in _DIGITS:
        return TypeName("decimal", sizes=_DIGITS[kind.id])
    if kind.id == "decimal":
        given: dict[str, Any] = dict(kind.children)
        return TypeName("decimal", sizes=(int(given["precision"]), int(given["scale"])))
    if kind.id not in ("list", "array", "struct", "map"):
        return TEXT
    children: Any = kind.children
    all_of_it = {name: _named(part) for name, part in children if kind.id != "array" or name == "child"}
    parts = {name: part for name, part in all_of_it.items() if part is not None}
    if len(parts) < len(all_of_it):
        return None
    if kind.id == "map":
        return map_of(parts["key"], parts["value"])
    if kind.id != "struct":
        return list_of(parts["child"])
    try:
        return struct_of(tuple(parts.items()))
    except ValueError:
        return None
