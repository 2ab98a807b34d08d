"""How values of every MySQL type are read as the Iceberg type that it is mapped to: as they are, wherever DuckDB reads them so.

What an expression costs the server counts for each value. A value that the type cannot hold is refused by what reads the answer
(`MysqlDialect.held`), never changed.
"""

from __future__ import annotations

from systems.mysql.type_mapping import BINARY, MAX_PRECISION, SPATIAL, TEXT, SourceType, iceberg_type
from systems.sql_source.dialect import Mapped

FIRST_DAY = 366  # of the year 1, as TO_DAYS counts; it gives NULL for what is no day
_DAYS = frozenset({"date", "datetime", "timestamp"})
_AS_THEY_ARE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "float", "double"}) | BINARY | TEXT | _DAYS


def map_type(source: SourceType) -> Mapped:
    """Maps a type to the way its values are read; an unknown type becomes text."""
    iceberg = iceberg_type(source)
    if source.name in _DAYS:
        return Mapped(iceberg, _as_it_is, _no_day)
    if source.is_boolean and source.name != "bit":
        return Mapped(iceberg, _as_it_is, _no_boolean)
    if source.name in _AS_THEY_ARE or _has_its_digits(source):
        return Mapped(iceberg, _as_it_is)
    if source.name in ("bit", "year"):
        return Mapped(iceberg, lambda column: f"CAST({column} AS UNSIGNED)")
    if source.name in SPATIAL:
        return Mapped(iceberg, lambda column: f"ST_AsText({column})")
    return Mapped(iceberg, lambda column: f"CAST({column} AS CHAR)")


def _as_it_is(column: str) -> str:
    return column


def _has_its_digits(source: SourceType) -> bool:
    """Whether DuckDB gives a decimal all its digits: it takes away the places of a sign and of a point, also where there is none."""
    return source.name == "decimal" and source.scale > 0 and source.precision <= MAX_PRECISION and not source.unsigned


def _no_day(column: str) -> str:
    """The condition of dates with a year, a month or a day 0, which MySQL has and no calendar."""
    return f"({column} IS NOT NULL AND COALESCE(TO_DAYS({column}), 0) < {FIRST_DAY})"


def _no_boolean(column: str) -> str:
    return f"{column} NOT IN (0, 1)"
