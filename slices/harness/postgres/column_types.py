"""Fits Iceberg's and PostgreSQL's types, and writes values as PostgreSQL's input. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared_metadata.contract.parquet.rejected_rows import json_value
from systems.postgres.type_mapping import type_head

TEXT = frozenset({"text", "varchar", "bpchar", "citext", "name"})
JSON = frozenset({"json", "jsonb"})
NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})

# Iceberg type ▸ the base types of the columns of a user's table that take it
TAKEN_BY: Mapping[str, frozenset[str]] = {
    "boolean": frozenset({"bool"}) | TEXT,
    "int": NUMBERS | TEXT | {"money", "oid"},
    "long": NUMBERS | TEXT | {"money", "oid"},
    "float": frozenset({"float4", "float8", "numeric"}) | TEXT,
    "double": frozenset({"float4", "float8", "numeric"}) | TEXT,
    "decimal": frozenset({"numeric", "float4", "float8", "money"}) | TEXT,
    "date": frozenset({"date", "timestamp", "timestamptz"}) | TEXT,
    "time": frozenset({"time", "timetz", "interval"}) | TEXT,
    "timestamp": frozenset({"timestamp", "timestamptz"}) | TEXT,
    "timestamptz": frozenset({"timestamp", "timestamptz"}) | TEXT,
    "uuid": frozenset({"uuid"}) | TEXT,
    "binary": frozenset({"bytea"}),
}
# Iceberg type ▸ the types of columns that hold each of its values as another one
EXACT: Mapping[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    **dict.fromkeys(("int", "long"), ("smallint", "integer", "bigint", "numeric", "text")),
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


_FINE = re.compile(r"time(?:stamp)?\((\d)\)")
_LONGEST = re.compile(r"character(?: varying)?\((\d+)\)")


def takes(base: str, iceberg_type: str) -> bool:
    head = type_head(iceberg_type)
    if head == "list":
        return base.startswith("_") or base in JSON | TEXT
    if head in ("struct", "map"):
        return base in JSON | TEXT
    if head == "decimal" and iceberg_type.endswith(",0)"):
        return base in NUMBERS | TAKEN_BY[head]  # a sum of whole numbers; one too large for the column is an error of its row
    return head not in TAKEN_BY or base in TAKEN_BY[head]


def tells_apart(type: str, iceberg_type: str) -> bool:
    """Whether values that differ in the result differ in the column too. char(n) forgets spaces, numeric(4,1) rounds."""
    decimal, numeric = re.fullmatch(r"decimal\((\d+),(\d+)\)", iceberg_type), re.fullmatch(r"numeric\((\d+),(\d+)\)", type)
    if decimal and numeric:
        return int(numeric[2]) >= int(decimal[2])
    head = "decimal" if decimal else iceberg_type
    return re.sub(r"^character varying\(\d+\)$", "text", type) in EXACT.get(head, ())


def csv_value(column: str, duckdb_type: str, base: str, type: str = "") -> str:
    """DuckDB SQL that writes a column's value as PostgreSQL's input of the type `base` reads it.

    type: with its modifiers. A value that it would change without a word, a moment too fine or spaces too many, is written so that it
    is refused.
    """
    if duckdb_type.endswith("[]") and base.startswith("_"):
        return _array(column, duckdb_type, type.removesuffix("[]"), of_documents=base[1:] in JSON)
    return _scalar(column, duckdb_type, type)


def _scalar(value: str, duckdb_type: str, type: str) -> str:
    text, digits, longest = _text(value, duckdb_type), _FINE.match(type), _LONGEST.fullmatch(type)
    if digits and int(digits[1]) < 6 and (duckdb_type == "TIME" or duckdb_type.startswith("TIMESTAMP")):
        coarse = f"datepart('microseconds', {value}) % {10 ** (6 - int(digits[1]))} = 0"
        endless = "" if duckdb_type == "TIME" else f" OR isinf({value})"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {coarse}{endless} THEN {text} ELSE {text} || ' is too fine' END"
    if longest and duckdb_type == "VARCHAR":
        return f"CASE WHEN length({text}) > {longest[1]} THEN {text} || '.' ELSE {text} END"
    return text


def _text(value: str, duckdb_type: str) -> str:
    if duckdb_type.endswith("[]") or duckdb_type.startswith(("STRUCT", "MAP")):
        return _document(value, duckdb_type)
    if duckdb_type == "BLOB":
        return f"'\\x' || hex({value})"
    if duckdb_type == "DATE" or duckdb_type.startswith("TIMESTAMP"):
        return f"replace({value}::VARCHAR, '(BC)', 'BC')"
    return f"{value}::VARCHAR"


def _document(value: str, duckdb_type: str) -> str:
    """Writes a document as JSON that PostgreSQL takes: NaN and the infinities are texts, as it writes them itself."""
    import duckdb

    written = json_value(value, duckdb.sqltype(duckdb_type), exact=True)
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE to_json({written})::VARCHAR END"


def _array(value: str, duckdb_type: str, type: str, depth: int = 0, *, of_documents: bool = False) -> str:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO: elements quoted, backslash before quote and backslash."""
    inner, item = duckdb_type[:-2], f"x{depth}"
    if inner.endswith("[]") and not of_documents:
        written = _array(item, inner, type, depth + 1)
    else:
        written = f"""'"' || replace(replace({_scalar(item, inner, type)}, '\\', '\\\\'), '"', '\\"') || '"'"""
    listed = f"list_transform({value}, lambda {item}: CASE WHEN {item} IS NULL THEN 'NULL' ELSE {written} END)"
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE '{{' || array_to_string({listed}, ',') || '}}' END"
