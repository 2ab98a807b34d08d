"""Reads values of every PostgreSQL type as the Iceberg type that it is mapped to, by an expression that the source computes.

A value that the type cannot hold is refused, never changed: the expression fails. Only `infinity`, which says that there is no end,
becomes the last moment that there is, and `-infinity` the first.
"""

from __future__ import annotations

from collections.abc import Callable

from systems.postgres.type_mapping import SourceType, decimal_digits, iceberg_type
from systems.sql_source.dialect import Mapped

FIRST_MOMENT, LAST_MOMENT = "0001-01-01", "9999-12-31 23:59:59.999999"  # others than these years most readers do not know
# https://www.postgresql.org/docs/current/functions-matching.html; of a database that checks no encoding a character is a byte
_UTF8 = (
    r"^([\u0001-\u007f]|[\u00c2-\u00df]~|\u00e0[\u00a0-\u00bf]~|[\u00e1-\u00ec\u00ee\u00ef]~~|\u00ed[\u0080-\u009f]~"
    r"|\u00f0[\u0090-\u00bf]~~|[\u00f1-\u00f3]~~~|\u00f4[\u0080-\u008f]~~)*$"
).replace("~", r"[\u0080-\u00bf]")


def _as_is(column: str) -> str:
    return column


def _text(column: str) -> str:
    return f"{column}::text"


def _json(column: str) -> str:
    return f"to_json({column})::text"


def refusing(column: str, kind: str) -> str:
    """An expression that fails; it reads the column, else it would be evaluated when the statement is planned."""
    return f"('unreadable' || left({column}::text, 0))::{kind}"


def _within(iceberg: str, kind: str, first: str, last: str) -> Mapped:
    """Accepts values from `first` to `last`; a good one costs two comparisons. NULL stays NULL."""

    def expression(column: str) -> str:
        high = f"CASE WHEN {column} = 'infinity' THEN '{last}' ELSE {refusing(column, kind)} END"
        low = f"CASE WHEN {column} = '-infinity' THEN '{first}' ELSE {refusing(column, kind)} END"
        return f"CASE WHEN {column} > '{last}' THEN {high} WHEN {column} < '{first}' THEN {low} ELSE {column} END"

    def misfit(column: str) -> str:
        return f"({column} > '{last}' AND {column} <> 'infinity' OR {column} < '{first}' AND {column} <> '-infinity')"

    return Mapped(iceberg, expression, misfit)


def _day_time(column: str) -> str:
    return f"CASE WHEN {column} = '24:00' THEN {refusing(column, 'time')} ELSE {column} END"


def _not_utf8(text: Callable[[str], str]) -> Callable[[str], str]:
    return lambda column: f"(current_setting('server_encoding') = 'SQL_ASCII' AND {text(column)} !~ '{_UTF8}')"


def _string(expression: Callable[[str], str]) -> Mapped:
    return Mapped("string", expression, _not_utf8(expression))


# the types whose values are not read as they are, or not all of them
_READ = {
    "oid": Mapped("long", lambda column: f"{column}::bigint"),
    "text": _string(_as_is),
    "varchar": _string(_as_is),
    "date": _within("date", "date", FIRST_MOMENT, "9999-12-31"),
    "time": Mapped("time", _day_time, lambda column: f"{column} = '24:00'"),
    "timestamp": _within("timestamp", "timestamp", FIRST_MOMENT, LAST_MOMENT),
    "timestamptz": _within("timestamptz", "timestamptz", f"{FIRST_MOMENT} 00:00:00+00", f"{LAST_MOMENT}+00"),
    "money": Mapped("string", lambda column: f"{column}::numeric::text"),
}


def map_type(source: SourceType) -> Mapped:
    """Maps a PostgreSQL type to the way its values are read; an unknown type becomes text."""
    iceberg = iceberg_type(source)
    if source.kind == "c" or (source.element is not None and iceberg == "string"):
        return _string(_json)
    if source.element is not None:
        return _array(iceberg)
    if source.name == "numeric":
        return _numeric(source.modifier)
    return _READ.get(source.name) or (_string(_text) if iceberg == "string" else Mapped(iceberg, _as_is))


def _array(iceberg: str) -> Mapped:
    bytes_ = _not_utf8(lambda column: f"array_to_string({column}, '')")
    return Mapped(
        iceberg, _as_is, lambda column: f"(array_ndims({column}) > 1{f' OR {bytes_(column)}' * (iceberg == 'list<string>')})"
    )


def _numeric(modifier: int) -> Mapped:
    digits = decimal_digits(modifier)
    if digits is None:
        return Mapped("string", _text)
    wide, scale = digits

    def expression(column: str) -> str:
        return f"(CASE WHEN {column} = 'NaN' THEN {refusing(column, 'numeric')} ELSE {column} END)::numeric({wide},{scale})"

    return Mapped(f"decimal({wide},{scale})", expression, lambda column: f"{column} = 'NaN'")
