"""Fits Iceberg's and MySQL's types, and writes values as literals of MySQL's. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared_metadata.contract.parquet.rejected_rows import json_value
from systems.sql_target.table import TargetColumn

TEXT = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
LISTED = frozenset({"enum", "set"})
INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
BYTES = frozenset({"varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
MOMENTS = frozenset({"datetime", "timestamp"})
KEY_BYTES = 3072  # of an index: https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html
MAX_SCALE = 30
NULL = "a null"  # as a text, for a column that would make something else of a null; none of these takes texts

# Iceberg type ▸ the base types of the columns of a user's table that hold each of its values as it is, or refuse it
TAKEN_BY: Mapping[str, frozenset[str]] = {
    "boolean": INTEGERS | {"bit"} | TEXT,
    "int": INTEGERS | {"decimal", "double"} | TEXT,
    "long": INTEGERS | {"decimal"} | TEXT,
    "float": frozenset({"float", "double"}) | TEXT,
    "double": frozenset({"double"}) | TEXT,
    "decimal": frozenset({"decimal"}) | TEXT,
    "date": frozenset({"date"}) | MOMENTS | TEXT,
    "time": frozenset({"time"}) | TEXT,
    "timestamp": MOMENTS | TEXT,
    "timestamptz": MOMENTS | TEXT,
    "string": TEXT | LISTED | {"json", "uuid", "inet4", "inet6"},
    "uuid": TEXT | {"uuid"},
    "binary": BYTES,
    **{name: TEXT | {"json"} for name in ("list", "struct", "map")},
}
_MADE: Mapping[str, str] = {
    "boolean": "tinyint(1)",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "date": "date",
    "time": "time(6)",
    **dict.fromkeys(("timestamp", "timestamptz"), "datetime(6)"),
    "uuid": "char(36)",
    "binary": "longblob",
    **dict.fromkeys(("list", "struct", "map"), "json"),
}
# Iceberg type ▸ the bases of columns that hold each of its values as another one
_EXACT: Mapping[str, frozenset[str]] = {
    "boolean": INTEGERS,
    **{name: INTEGERS | {"decimal"} for name in ("int", "long")},
    "float": frozenset({"float", "double"}),
    "double": frozenset({"double"}),
    "decimal": frozenset({"decimal"}) | INTEGERS,
    "date": frozenset({"date"}) | MOMENTS,
    "time": frozenset({"time"}),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS,
    "binary": BYTES,
    "uuid": frozenset({"uuid"}),
}
_BASES = frozenset[str]().union(*TAKEN_BY.values()) | {"year", "binary"}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


def head(iceberg_type: str) -> str:
    """'decimal(4,2)' ▸ 'decimal'."""
    return re.split(r"[(<]", iceberg_type, maxsplit=1)[0]


def made(iceberg_type: str) -> str:
    """The type of a new column."""
    if decimal := _DECIMAL.fullmatch(iceberg_type):
        return iceberg_type if int(decimal[2]) <= MAX_SCALE else "longtext"
    return _MADE.get(head(iceberg_type), "longtext")


def made_in_key(iceberg_type: str, texts: int) -> str:
    """The type of a new column of a key, which has as many texts or bytes in it: all of them have to fit an index."""
    plain, each = made(iceberg_type), KEY_BYTES // max(texts, 1)
    return {"longtext": f"varchar({each // 4})", "longblob": f"varbinary({each})"}.get(plain, plain)


def takes(column: TargetColumn, iceberg_type: str) -> bool:
    """Rounding a number is no way of holding it: the query casts it."""
    kind, decimal = head(iceberg_type), _DECIMAL.fullmatch(iceberg_type)
    if decimal and column.base == "decimal":
        return scale_of(column.type) >= int(decimal[2])
    if decimal and decimal[2] == "0" and column.base in INTEGERS:
        return True
    return column.base in TAKEN_BY.get(kind, TEXT)


def fits(source_type: str, iceberg_type: str) -> str:
    """Why a column takes no values of a type, by the word for it in a snapshot; '' where it takes them, or nothing is known of it."""
    base = re.split(r"[( ]", source_type.lower(), maxsplit=1)[0]
    known = base in _BASES and not takes(TargetColumn("", source_type.lower(), base), iceberg_type)
    return f"which takes no {iceberg_type}" if known else ""


def scale_of(column_type: str) -> int:
    """'decimal(12,2) unsigned' ▸ 2."""
    found = re.match(r"decimal\(\d+,(\d+)\)", column_type)
    return int(found[1]) if found else 0


def digits_of(column_type: str) -> int:
    """The digits of seconds: 'datetime(3)' ▸ 3, 'datetime' ▸ 0."""
    found = re.match(r"(?:datetime|timestamp|time)\((\d)\)", column_type)
    return int(found[1]) if found else 0


def tells_apart(column: TargetColumn, iceberg_type: str) -> bool:
    """Whether values that differ in the result differ in the column too: most collations fold letters, or drop spaces at the end."""
    if column.base in TEXT:
        exact = re.search(r"_(0900|nopad)_bin\b", column.collation)
        return bool(exact) and column.base != "char" and head(iceberg_type) == "string"
    return column.base in _EXACT.get(head(iceberg_type), frozenset())


def literal_of(value: str, duckdb_type: str, column: TargetColumn) -> str:
    """DuckDB SQL that writes a value as a literal of MySQL's for the column; null for null.

    A value that the column would change without a word is written so that it is refused: nothing of MySQL's tells it.
    """
    literal = _literal(value, duckdb_type, column)
    return f"coalesce({literal}, '''{NULL}''')" if column.fills else literal


def _literal(value: str, duckdb_type: str, column: TargetColumn) -> str:
    if duckdb_type == "BLOB":
        return f"'X''' || hex({value}) || ''''"
    if duckdb_type == "BOOLEAN":
        yes, no = ("'''true'''", "'''false'''") if column.base in TEXT else ("'1'", "'0'")
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {value} THEN {yes} ELSE {no} END"
    text, longest = _text(value, duckdb_type, column), re.match(r"(?:var)?char\((\d+)\)", column.type)
    return _as_text(_overlong(text, int(longest[1])) if longest else text)


def _text(value: str, duckdb_type: str, column: TargetColumn) -> str:
    if duckdb_type.endswith("[]") or duckdb_type.startswith(("STRUCT", "MAP")):
        return _document(value, duckdb_type)
    text = f"{value}::{'DOUBLE::' if column.base in ('float', 'double') else ''}VARCHAR"  # a float's own digits are another double's
    if duckdb_type == "TIMESTAMP WITH TIME ZONE":
        text = f"regexp_replace({text}, '\\+00$', '')"
    if (duckdb_type.startswith("TIMESTAMP") or duckdb_type == "TIME") and column.base not in TEXT:
        return _fine(value, text, digits_of(column.type))
    if column.base in LISTED:
        return _member(text, column.type)
    return text


def _document(value: str, duckdb_type: str) -> str:
    """JSON, in which numbers that a double does not hold are texts: MySQL keeps the others as doubles."""
    import duckdb

    written = json_value(value, duckdb.sqltype(duckdb_type))
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE to_json({written})::VARCHAR END"


def _fine(value: str, text: str, digits: int) -> str:
    """A column of fewer digits rounds."""
    if digits >= 6:
        return text
    return f"CASE WHEN datepart('microseconds', {value}) % {10 ** (6 - digits)} = 0 THEN {text} ELSE {text} || ' is too fine' END"


def _overlong(text: str, longest: int) -> str:
    """Spaces beyond the column's length would be cut off."""
    return f"CASE WHEN length({text}) > {longest} THEN {text} || '.' ELSE {text} END"


def _member(text: str, column_type: str) -> str:
    """A number that is no member would be taken for a member's place."""
    members = column_type[column_type.index("(") + 1 : column_type.rindex(")")]
    return f"CASE WHEN regexp_full_match({text}, '\\s*[0-9]+\\s*') AND {text} NOT IN ({members}) THEN '? ' || {text} ELSE {text} END"


def _as_text(text: str) -> str:
    """A literal in quotes; a session of ours knows no escapes in them."""
    return f"'''' || replace({text}, '''', '''''') || ''''"
