"""Maps every PostgreSQL type to an Iceberg type, with the expression that reads a value as it at the source.

A value that the type cannot hold is refused, never changed: the expression fails. Only `infinity`, which says that there is no end,
becomes the last moment that there is, and `-infinity` the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_PRECISION = 38  # of an Iceberg decimal
FIRST_MOMENT, LAST_MOMENT = "0001-01-01", "9999-12-31 23:59:59.999999"  # others than these years most readers do not know
# https://www.postgresql.org/docs/current/functions-matching.html; of a database that checks no encoding a character is a byte
_UTF8 = (
    r"^([\u0001-\u007f]|[\u00c2-\u00df]~|\u00e0[\u00a0-\u00bf]~|[\u00e1-\u00ec\u00ee\u00ef]~~|\u00ed[\u0080-\u009f]~"
    r"|\u00f0[\u0090-\u00bf]~~|[\u00f1-\u00f3]~~~|\u00f4[\u0080-\u008f]~~)*$"
).replace("~", r"[\u0080-\u00bf]")


@dataclass(frozen=True)
class SourceType:
    """A type as pg_type describes it.

    name: its name where it is PostgreSQL's own ('int4'), else ''.  kind: typtype ('b' base, 'c' composite, 'e' enum …).
    element: for arrays: the element's type.  modifier: the column's typmod, -1 for none.  dimensions: as declared, 0 if unknown.
    """

    name: str
    kind: str = "b"
    element: SourceType | None = None
    modifier: int = -1
    dimensions: int = 0


@dataclass(frozen=True)
class Mapped:
    """iceberg: the type there.  expression: of a column's name, the SQL that the source runs.

    misfit: of a column's name, the SQL condition of values that the expression or a reader of its answer refuses; '' for none.
    """

    iceberg: str
    expression: Callable[[str], str]
    misfit: Callable[[str], str] = lambda column: ""


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
    """Values from `first` to `last`; a good one costs two comparisons. NULL stays NULL."""

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


_PLAIN = {
    "bool": Mapped("boolean", _as_is),
    "int2": Mapped("int", _as_is),
    "int4": Mapped("int", _as_is),
    "int8": Mapped("long", _as_is),
    "oid": Mapped("long", lambda column: f"{column}::bigint"),
    "float4": Mapped("float", _as_is),
    "float8": Mapped("double", _as_is),
    "text": _string(_as_is),
    "varchar": _string(_as_is),
    "uuid": Mapped("uuid", _as_is),
    "bytea": Mapped("binary", _as_is),
    "date": _within("date", "date", FIRST_MOMENT, "9999-12-31"),
    "time": Mapped("time", _day_time, lambda column: f"{column} = '24:00'"),
    "timestamp": _within("timestamp", "timestamp", FIRST_MOMENT, LAST_MOMENT),
    "timestamptz": _within("timestamptz", "timestamptz", f"{FIRST_MOMENT} 00:00:00+00", f"{LAST_MOMENT}+00"),
    "money": Mapped("string", lambda column: f"{column}::numeric::text"),
}
_LIST_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid")


def map_type(source: SourceType) -> Mapped:
    """The Iceberg type of a PostgreSQL type; what is not known becomes text."""
    if source.kind == "c":
        return _string(_json)
    if source.element is not None:
        return _array(source, source.element)
    if source.name == "numeric":
        return _numeric(source.modifier)
    return _PLAIN.get(source.name, _string(_text))


def _array(source: SourceType, element: SourceType) -> Mapped:
    if source.dimensions > 1 or element.name not in _LIST_ELEMENTS:
        return _string(_json)
    inner = _PLAIN[element.name].iceberg
    bytes_ = _not_utf8(lambda column: f"array_to_string({column}, '')")
    return Mapped(
        f"list<{inner}>", _as_is, lambda column: f"(array_ndims({column}) > 1{f' OR {bytes_(column)}' * (inner == 'string')})"
    )


def _numeric(modifier: int) -> Mapped:
    """numeric(p, s), also with PostgreSQL 15's negative scales and scales above the precision; else text, which is exact."""
    if modifier < 0:
        return Mapped("string", _text)
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4 & 0x7FF) ^ 1024) - 1024
    wide, positive = max(precision - min(scale, 0), scale), max(scale, 0)
    if wide > MAX_PRECISION:
        return Mapped("string", _text)

    def expression(column: str) -> str:
        return f"(CASE WHEN {column} = 'NaN' THEN {refusing(column, 'numeric')} ELSE {column} END)::numeric({wide},{positive})"

    return Mapped(f"decimal({wide},{positive})", expression, lambda column: f"{column} = 'NaN'")
