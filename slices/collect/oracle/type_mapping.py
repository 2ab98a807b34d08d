"""The types of Oracle, as its catalog describes them, of Iceberg, and how values of each are read; no I/O.

Values come by Arrow, as they are. What the driver has no Arrow type for is made text by the server, in formats that name all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from systems.sql_source.dialect import Mapped

MAX_PRECISION = 38  # of an Iceberg decimal, and of an Oracle NUMBER that says its digits
EXACT_BINARY_DIGITS = 49  # of a FLOAT: that many are 15 decimal digits, which a double gives back as they were
FIRST_DAY = "DATE '0001-01-01'"
POINT = "'NLS_NUMERIC_CHARACTERS = ''.,'''"
_AS_THEY_ARE: Mapping[str, str] = {
    **dict.fromkeys(("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "CLOB", "NCLOB", "LONG"), "string"),
    **dict.fromkeys(("RAW", "BLOB", "LONG RAW"), "binary"),
    "BINARY_FLOAT": "float",
    "BINARY_DOUBLE": "double",
    "BOOLEAN": "boolean",
}
_AS_TEXT: Mapping[str, Callable[[str], str]] = {
    "ROWID": lambda column: f"ROWIDTOCHAR({column})",
    "UROWID": lambda column: f"TO_CHAR({column})",
    "INTERVAL YEAR TO MONTH": lambda column: f"TO_CHAR({column})",
    "INTERVAL DAY TO SECOND": lambda column: f"TO_CHAR({column})",
    "XMLTYPE": lambda column: f"XMLSERIALIZE(CONTENT {column} AS CLOB)",
    "JSON": lambda column: f"JSON_SERIALIZE({column} RETURNING CLOB)",
    "VECTOR": lambda column: f"FROM_VECTOR({column} RETURNING CLOB)",
}
_TIMESTAMP = re.compile(r"TIMESTAMP\((\d)\)( WITH (?:LOCAL )?TIME ZONE)?")
MICROSECONDS = 6
_GUARDED = re.compile(rf"(?:CAST\()?CASE WHEN (\S+ < {FIRST_DAY}) THEN NULL ELSE \S+ END(?: AS TIMESTAMP\({MICROSECONDS}\)\))?")


@dataclass(frozen=True)
class SourceType:
    """name: 'NUMBER', 'TIMESTAMP(6) WITH TIME ZONE' (DATA_TYPE).  precision, scale: None where it says none.  length: of texts.

    owner: of a type that is no built-in one.
    """

    name: str
    precision: int | None = None
    scale: int | None = None
    length: int = 0
    owner: str = ""

    @property
    def written(self) -> str:
        """The type as Oracle writes it."""
        if self.name == "NUMBER" and self.precision is None:
            return "INTEGER" if self.scale == 0 else "NUMBER"
        if self.name == "NUMBER":
            return f"NUMBER({self.precision},{self.scale})" if self.scale else f"NUMBER({self.precision})"
        if self.name == "FLOAT":
            return f"FLOAT({self.precision})"
        if self.name in ("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "RAW"):
            return f"{self.name}({self.length})"
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def word(self) -> str:
        """Its name without digits: 'INTERVAL DAY TO SECOND'."""
        return re.sub(r"\(\d+\)", "", self.name)


def map_type(source: SourceType) -> Mapped | None:
    """How values of a type are read; None of a type whose values are no rows' values: objects, collections, files outside."""
    if source.name == "NUMBER":
        return _number(source)
    if source.name == "FLOAT":
        exact = (source.precision or 126) <= EXACT_BINARY_DIGITS
        return Mapped("double", lambda column: f"CAST({column} AS BINARY_DOUBLE)") if exact else Mapped("string", _digits)
    if found := _TIMESTAMP.fullmatch(source.name):
        return _timestamp(int(found[1]), found[2] or "")
    if source.word in _AS_TEXT and source.owner in ("", "SYS", "PUBLIC"):
        return Mapped("string", _AS_TEXT[source.word])
    if source.name == "DATE":
        return Mapped("timestamp", _guarded, _before_christ)
    if source.owner or source.name not in _AS_THEY_ARE:
        return None
    return Mapped(_AS_THEY_ARE[source.name], _as_it_is)


def _number(source: SourceType) -> Mapped:
    precision, scale = source.precision, source.scale
    if precision is None and scale is None:
        return Mapped("string", _digits)  # any of 40 digits, 10 to the power of -130 to 125
    if precision is None:
        return Mapped(f"decimal({MAX_PRECISION},{scale})", _cast(MAX_PRECISION, scale or 0), _too_long(MAX_PRECISION - (scale or 0)))
    if scale is None or scale == 0:
        kind = "int" if precision <= 9 else "long" if precision <= 18 else f"decimal({precision},0)"
        return Mapped(kind, _as_it_is)
    if 0 < scale <= precision:
        return Mapped(f"decimal({precision},{scale})", _as_it_is)
    digits, places = (precision - scale, 0) if scale < 0 else (scale, scale)  # NUMBER(3,-2): 12300; NUMBER(3,5): 0.00123
    return Mapped(f"decimal({digits},{places})", _cast(digits, places)) if digits <= MAX_PRECISION else Mapped("string", _digits)


def _timestamp(digits: int, zone: str) -> Mapped:
    if digits > MICROSECONDS:  # which no timestamp of a warehouse holds
        moment = _utc if zone else _as_it_is
        return Mapped("string", lambda column: f"TO_CHAR({moment(column)}, 'SYYYY-MM-DD HH24:MI:SS.FF{digits}')")
    if zone:
        return Mapped(
            "timestamptz", lambda column: _microseconds(_guarded(_utc(column))), lambda column: _before_christ(_utc(column))
        )
    return Mapped("timestamp", lambda column: _microseconds(_guarded(column)), _before_christ)


def _as_it_is(column: str) -> str:
    return column


def _utc(column: str) -> str:
    return f"SYS_EXTRACT_UTC({column})"


def _digits(column: str) -> str:
    """All digits of a number, whatever the session says of points."""
    return f"TO_CHAR({column}, 'TM9', {POINT})"


def _cast(precision: int, scale: int) -> Callable[[str], str]:
    return lambda column: f"CAST({column} AS NUMBER({precision},{scale}))"


def _too_long(digits: int) -> Callable[[str], str]:
    return lambda column: f"ABS({column}) >= 1{'0' * digits}"


def _before_christ(column: str) -> str:
    """The condition of days that Oracle has, back to 4712 before Christ, and no warehouse."""
    return f"{column} < {FIRST_DAY}"


def _guarded(moment: str) -> str:
    """A moment, and NULL for what the driver cannot read: it would wait for ever. That there was such a one, `guard_of` tells."""
    return f"CASE WHEN {_before_christ(moment)} THEN NULL ELSE {moment} END"


def _microseconds(moment: str) -> str:
    """Gives it no more digits: in nanoseconds, as the driver would give it, a moment after 2262 has no place."""
    return f"CAST({moment} AS TIMESTAMP({MICROSECONDS}))"


def guard_of(value: str) -> str:
    """The condition of values in whose place an expression of this module's gives NULL; '' of all other expressions."""
    found = _GUARDED.fullmatch(value)
    return found[1] if found else ""
