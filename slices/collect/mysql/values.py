"""Reads values of every MySQL type as the Iceberg type that it is mapped to, by an expression that the source computes.

A value that the type cannot hold is refused, never changed: the expression fails.
"""

from __future__ import annotations

from collections.abc import Callable

from systems.mysql.type_mapping import BINARY, SPATIAL, TEXT, SourceType, iceberg_type
from systems.sql_source.dialect import Mapped

_AS_THEY_ARE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "float", "double"}) | BINARY
FIRST_DAY = 366  # of the year 1, as TO_DAYS counts; it gives NULL for what is no day
_DAYS = frozenset({"date", "datetime", "timestamp"})


def map_type(source: SourceType) -> Mapped:
    """Maps a type to the way its values are read; an unknown type becomes text."""
    iceberg = iceberg_type(source)
    if source.name in _DAYS:
        return Mapped(iceberg, _day, _no_day)
    if source.is_boolean and source.name != "bit":
        return Mapped(iceberg, lambda c: f"IF({_no_boolean(c)}, {_refusing(c)}, {c})", _no_boolean)
    return Mapped(iceberg, _expression(source.name))


def _expression(kind: str) -> Callable[[str], str]:
    if kind in _AS_THEY_ARE:
        return lambda column: column
    if kind in ("bit", "year"):
        return lambda column: f"CAST({column} AS UNSIGNED)"
    if kind in TEXT:  # the collation of its own might be one of bytes, which DuckDB takes for binary
        return lambda column: f"CONVERT({column} USING utf8mb4)"
    if kind in SPATIAL:
        return lambda column: f"ST_AsText({column})"
    return lambda column: f"CAST({column} AS CHAR)"  # of a decimal the digits: its length tells DuckDB too few of them


def _day(column: str) -> str:
    """One call a value for a date that a calendar has; others have a year, a month or a day 0."""
    return f"IF(TO_DAYS({column}) >= {FIRST_DAY}, {column}, IF({_no_day(column)}, {_refusing(column)}, {column}))"


def _no_day(column: str) -> str:
    """The condition of dates with a year, a month or a day 0, which MySQL has and no calendar."""
    return f"({column} IS NOT NULL AND COALESCE(TO_DAYS({column}), 0) < {FIRST_DAY})"


def _no_boolean(column: str) -> str:
    return f"{column} NOT IN (0, 1)"


def _refusing(column: str) -> str:
    """An expression that fails, of the column's type; without the column it would be evaluated when the statement is planned."""
    return f"(SELECT {column} UNION ALL SELECT {column})"
