"""DuckDB's types and those of a schema (Iceberg's names, as in SchemaColumn), both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.parquet import duckdb_types
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

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
_TEXTS = ("0", "2020-01-01", "10:00:00", "1 day", "00000000-0000-0000-0000-000000000000")  # each plain type has one of them
_TRUE_OR_FALSE = ("BOUND_COMPARISON", "BOUND_CONJUNCTION", "BOUND_BETWEEN")  # whose type DuckDB's JSON leaves out
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


def type_of(expression: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The type of an expression of a plan; None where DuckDB's JSON does not tell it."""
    if expression["expression_class"] in _TRUE_OR_FALSE:
        return {"id": "BOOLEAN"}
    told: Mapping[str, Any] | None = expression.get("return_type") or expression.get("value", {}).get("type")
    return told


def sql_type(kind: Mapping[str, Any]) -> str:
    """A type of DuckDB's JSON as its SQL has it: {'id': 'LIST', 'type_info': …} ▸ 'DECIMAL(10,2)[]'."""
    word, more = kind["id"], kind.get("type_info")
    if not more:
        return str(word)
    if "child_type" in more and word == "MAP":
        return f"MAP({', '.join(map(sql_type, _parts(kind)))})"
    if "child_type" in more:
        return f"{sql_type(more['child_type'])}[{more.get('size', '')}]"
    if "child_types" in more:
        fields = (f"{identifier(name)} {sql_type(part)}" if name else sql_type(part) for name, part in _fields(kind))
        return f"{word}({', '.join(fields)})"
    if word == "DECIMAL":
        return f"DECIMAL({more['width']},{more.get('scale', 0)})"
    if word == "ENUM":
        return f"ENUM({', '.join(map(literal, more.get('values', ())))})"
    return str(more.get("alias", word))


def lacks_names(kind: Mapping[str, Any]) -> bool:
    """Whether a field of a struct in it has no name, as row(a, b) makes it."""
    more = kind.get("type_info")
    if not more:
        return False
    fields = _fields(kind) if "child_types" in more else []
    parts = [*(part for _, part in fields), *([more["child_type"]] if "child_type" in more else [])]
    return (kind["id"] == "STRUCT" and any(not name for name, _ in fields)) or any(map(lacks_names, parts))


def sample(kind: Mapping[str, Any]) -> str:
    """SQL for some value of a type, with one in each of its parts; NULL where none is known, or what it becomes depends on which."""
    word, more = kind["id"], kind.get("type_info") or {}
    if word in ("NULL", "UNION", "VARIANT"):
        return "NULL"
    if word == "MAP":
        key, value = map(sample, _parts(kind))
        return f"MAP {{{key}: {value}}}"
    if "child_type" in more:
        inside = ", ".join([sample(more["child_type"])] * more.get("size", 1))
        return f"array_value({inside})" if "size" in more else f"[{inside}]"
    if "child_types" in more:
        named = [(name, sample(part)) for name, part in _fields(kind)]
        return f"{{{', '.join(f'{literal(n)}: {v}' for n, v in named)}}}" if all(n for n, _ in named) else "NULL"
    if word == "ENUM":
        return f"CAST({literal(more['values'][0])} AS {sql_type(kind)})"
    return f"coalesce({', '.join(f'TRY_CAST({literal(text)} AS {sql_type(kind)})' for text in _TEXTS)})"


def _parts(kind: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The types of a map's keys and values."""
    return [part for _, part in _fields(kind["type_info"]["child_type"])]


def _fields(kind: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and types of what a struct or a union has; '' for a name that there is not."""
    fields = [(str(child.get("first", "")), child["second"]) for child in kind["type_info"]["child_types"]]
    return fields[1:] if kind["id"] == "UNION" else fields  # whose first is its tag
