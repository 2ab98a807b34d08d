"""How Iceberg's types and PostgreSQL's fit one another, and how values are written as PostgreSQL's input. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared_metadata.contract.rejected_rows import json_value

TEXT = frozenset({"text", "varchar", "bpchar", "citext", "name"})
JSON = frozenset({"json", "jsonb"})
NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})

# Iceberg type ▸ (the PostgreSQL type of a table made by Atoll, the base types of a table of the user's that take it)
TYPES: Mapping[str, tuple[str, frozenset[str]]] = {
    "boolean": ("boolean", frozenset({"bool"}) | TEXT),
    "int": ("integer", NUMBERS | TEXT | {"money", "oid"}),
    "long": ("bigint", NUMBERS | TEXT | {"money", "oid"}),
    "float": ("real", frozenset({"float4", "float8", "numeric"}) | TEXT),
    "double": ("double precision", frozenset({"float4", "float8", "numeric"}) | TEXT),
    "decimal": ("numeric", frozenset({"numeric", "float4", "float8", "money"}) | TEXT),
    "date": ("date", frozenset({"date", "timestamp", "timestamptz"}) | TEXT),
    "time": ("time", frozenset({"time", "timetz", "interval"}) | TEXT),
    "timestamp": ("timestamp", frozenset({"timestamp", "timestamptz"}) | TEXT),
    "timestamptz": ("timestamptz", frozenset({"timestamp", "timestamptz"}) | TEXT),
    "uuid": ("uuid", frozenset({"uuid"}) | TEXT),
    "binary": ("bytea", frozenset({"bytea"})),
}
# Iceberg type ▸ the types of columns that hold each of its values as another one
EXACT: Mapping[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    **{name: ("smallint", "integer", "bigint", "numeric", "text") for name in ("int", "long")},
    "float": ("real", "double precision"),
    "double": ("double precision",),
    "decimal": ("numeric",),
    "date": ("date", "timestamp without time zone"),
    "time": ("time", "time without time zone"),
    "timestamp": ("timestamp", "timestamp without time zone"),
    "timestamptz": ("timestamptz", "timestamp with time zone"),
    "string": ("text", "character varying"),
    "uuid": ("uuid",),
    "binary": ("bytea",),
}
_ICEBERG: Mapping[str, str] = {
    "bool": "boolean",
    "int2": "int",
    "int4": "int",
    "int8": "long",
    "oid": "long",
    "float4": "float",
    "float8": "double",
    "text": "string",
    "varchar": "string",
    **{name: name for name in ("uuid", "date", "time", "timestamp", "timestamptz")},
    "bytea": "binary",
}
_LIST_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid")
MAX_PRECISION = 38  # of an Iceberg decimal


def target_type(iceberg_type: str) -> str:
    """The PostgreSQL type for a new column; the README holds the table."""
    head = re.split(r"[(<]", iceberg_type, maxsplit=1)[0]
    if head == "decimal":
        return iceberg_type.replace("decimal", "numeric")
    if head == "list":
        inner = iceberg_type[len("list<") : -1]
        return "jsonb" if re.match(r"(list|struct|map)<", inner) else target_type(inner) + "[]"
    if head in ("struct", "map"):
        return "jsonb"
    return TYPES[head][0] if head in TYPES else "text"


def base_of(kind: str) -> str:
    if kind.endswith("[]"):
        return "_" + base_of(kind.removesuffix("[]"))
    names = {"boolean": "bool", "integer": "int4", "bigint": "int8", "real": "float4", "double precision": "float8"}
    return names.get(kind, kind.split("(")[0])


def iceberg_type(base: str, type_word: str, dimensions: int) -> str:
    """What the values of a PostgreSQL type are in a warehouse; base: the catalog name, dimensions: an array's, as declared."""
    if base.startswith("_"):
        inner = _ICEBERG.get(base[1:])
        return f"list<{inner}>" if inner and base[1:] in _LIST_ELEMENTS and dimensions <= 1 else "string"
    if base == "numeric" and (digits := re.fullmatch(r"numeric\((\d+),(-?\d+)\)", type_word)):
        precision, scale = int(digits[1]), int(digits[2])
        wide = max(precision - min(scale, 0), scale)
        return f"decimal({wide},{max(scale, 0)})" if wide <= MAX_PRECISION else "string"
    return _ICEBERG.get(base, "string")


def takes(base: str, iceberg_type: str) -> bool:
    head = re.split(r"[(<]", iceberg_type, maxsplit=1)[0]
    if head == "list":
        return base.startswith("_") or base in JSON | TEXT
    if head in ("struct", "map"):
        return base in JSON | TEXT
    if head == "decimal" and iceberg_type.endswith(",0)"):
        return base in NUMBERS | TYPES[head][1]  # a sum of whole numbers; one too large for the column is an error of its row
    return head not in TYPES or base in TYPES[head][1]


def tells_apart(type: str, iceberg_type: str) -> bool:
    """Whether values that differ in the result differ in the column too. char(n) forgets spaces, numeric(4,1) rounds."""
    decimal, numeric = re.fullmatch(r"decimal\((\d+),(\d+)\)", iceberg_type), re.fullmatch(r"numeric\((\d+),(\d+)\)", type)
    if decimal and numeric:
        return int(numeric[2]) >= int(decimal[2])
    head = "decimal" if decimal else iceberg_type
    return re.sub(r"^character varying\(\d+\)$", "text", type) in EXACT.get(head, ())


def csv_value(column: str, duckdb_type: str, base: str) -> str:
    """DuckDB SQL that writes a column's value as PostgreSQL's input of the type `base` reads it."""
    if duckdb_type.endswith("[]") and base.startswith("_"):
        return _array(column, duckdb_type, of_documents=base[1:] in JSON)
    return _scalar(column, duckdb_type)


def _scalar(value: str, duckdb_type: str) -> str:
    if duckdb_type.endswith("[]") or duckdb_type.startswith(("STRUCT", "MAP")):
        return _document(value, duckdb_type)
    if duckdb_type == "BLOB":
        return f"'\\x' || hex({value})"
    if duckdb_type == "DATE" or duckdb_type.startswith("TIMESTAMP"):
        return f"replace({value}::VARCHAR, '(BC)', 'BC')"
    return f"{value}::VARCHAR"


def _document(value: str, duckdb_type: str) -> str:
    """As JSON that PostgreSQL takes, in which NaN and the infinities are texts, as it writes them itself."""
    import duckdb

    written = json_value(value, duckdb.sqltype(duckdb_type), exact=True)
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE to_json({written})::VARCHAR END"


def _array(value: str, duckdb_type: str, depth: int = 0, *, of_documents: bool = False) -> str:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO: elements quoted, backslash before quote and backslash."""
    inner, item = duckdb_type[:-2], f"x{depth}"
    if inner.endswith("[]") and not of_documents:
        written = _array(item, inner, depth + 1)
    else:
        written = f"""'"' || replace(replace({_scalar(item, inner)}, '\\', '\\\\'), '"', '\\"') || '"'"""
    listed = f"list_transform({value}, lambda {item}: CASE WHEN {item} IS NULL THEN 'NULL' ELSE {written} END)"
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE '{{' || array_to_string({listed}, ',') || '}}' END"
