"""Maps every PostgreSQL type to an Iceberg type, with the expression that makes a value fit it at the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_PRECISION = 38  # of an Iceberg decimal
FIRST_MOMENT, LAST_MOMENT = "0001-01-01", "9999-12-31 23:59:59.999999"


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
    """iceberg: the type there.  expression: of a column's name, the SQL that the source runs."""

    iceberg: str
    expression: Callable[[str], str]
    may_become_null: bool = False


def _as_is(column: str) -> str:
    return column


def _text(column: str) -> str:
    return f"{column}::text"


def _json(column: str) -> str:
    return f"to_json({column})::text"


def _within(first: str, last: str) -> Callable[[str], str]:
    """Clamps: Iceberg has no infinity, and most readers know the years 1 to 9999 only. NULL stays NULL, unlike with LEAST."""
    return lambda column: f"CASE WHEN {column} > '{last}' THEN '{last}' WHEN {column} < '{first}' THEN '{first}' ELSE {column} END"


_PLAIN = {
    "bool": Mapped("boolean", _as_is),
    "int2": Mapped("int", _as_is),
    "int4": Mapped("int", _as_is),
    "int8": Mapped("long", _as_is),
    "oid": Mapped("long", lambda column: f"{column}::bigint"),
    "float4": Mapped("float", _as_is),
    "float8": Mapped("double", _as_is),
    "text": Mapped("string", _as_is),
    "varchar": Mapped("string", _as_is),
    "uuid": Mapped("uuid", _as_is),
    "bytea": Mapped("binary", _as_is),
    "date": Mapped("date", _within(FIRST_MOMENT, "9999-12-31")),
    "time": Mapped("time", _within("00:00:00", "23:59:59.999999")),
    "timestamp": Mapped("timestamp", _within(FIRST_MOMENT, LAST_MOMENT)),
    "timestamptz": Mapped("timestamptz", _within(f"{FIRST_MOMENT} 00:00:00+00", f"{LAST_MOMENT}+00")),
    "money": Mapped("string", lambda column: f"{column}::numeric::text"),
}
_LIST_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid")
_DUCKDB = {"long": "BIGINT", "int": "INTEGER", "string": "VARCHAR", "binary": "BLOB"}


def map_type(source: SourceType) -> Mapped:
    """The Iceberg type of a PostgreSQL type; what is not known becomes text."""
    if source.kind == "c":
        return Mapped("string", _json)
    if source.element is not None:
        return _array(source, source.element)
    if source.name == "numeric":
        return _numeric(source.modifier)
    return _PLAIN.get(source.name, Mapped("string", _text))


def _array(source: SourceType, element: SourceType) -> Mapped:
    if source.dimensions > 1 or element.name not in _LIST_ELEMENTS:
        return Mapped("string", _json)
    return Mapped(f"list<{_PLAIN[element.name].iceberg}>", _as_is)


def _numeric(modifier: int) -> Mapped:
    """numeric(p, s), also with PostgreSQL 15's negative scales and scales above the precision; else text, which is exact."""
    if modifier < 0:
        return Mapped("string", _text)
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4 & 0x7FF) ^ 1024) - 1024
    wide, positive = max(precision - min(scale, 0), scale), max(scale, 0)
    if wide > MAX_PRECISION:
        return Mapped("string", _text)
    return Mapped(f"decimal({wide},{positive})", lambda c: f"NULLIF({c}, 'NaN')::numeric({wide},{positive})", may_become_null=True)


def duckdb_type(iceberg: str) -> str:
    """'list<long>' ▸ 'BIGINT[]'."""
    if iceberg.startswith("list<"):
        return duckdb_type(iceberg[5:-1]) + "[]"
    return _DUCKDB.get(iceberg, iceberg.upper())
