"""Reads the columns that a connection's `tables` may declare, and tells of an event why it is none of the table's; no I/O.

What is taken here is read exactly by a batch: the other way it need not be, since who sends can be told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # stands in a path and in the keys of objects as it is
_TABLE = re.compile(rf"\s*({NAME.pattern})\s*(\(|,|$)")
_COLUMN = re.compile(
    r'\s*("(?:[^"]|"")+"|[A-Za-z_]\w*)\s+([A-Za-z]+)\s*(?:\(\s*(\d+)\s*,\s*(\d+)\s*\))?(\s+not\s+null)?\s*([,)])',
    re.IGNORECASE | re.ASCII,
)
WORDS = {
    "boolean": "boolean",
    "bool": "boolean",
    "int": "int",
    "integer": "int",
    "bigint": "long",
    "double": "double",
    "varchar": "string",
    "text": "string",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "json": "json",
}
_DIGITS = 38
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_INEXACT = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_ZONED = re.compile(_MOMENT.pattern + r"(Z|[+-][0-9]{2}:[0-9]{2})")


class Number(str):
    """A number of JSON, as the digits that were sent."""

    __slots__ = ()


@dataclass(frozen=True)
class Declared:
    """A column. key: of events.  kind: its type in tables; of `json` any value is taken, and its text is kept."""

    key: str
    kind: str
    required: bool

    @property
    def type(self) -> str:
        return "string" if self.kind == "json" else self.kind


def declared(tables: str) -> dict[str, tuple[Declared, ...]]:
    """'orders (id bigint not null, total decimal(12,2)), clicks' ▸ each table's columns, () where it declares none.

    Raises ValueError.
    """
    found, at = dict[str, tuple[Declared, ...]](), 0
    while True:
        table = _TABLE.match(tables, at)
        if not table or table[1] in found:
            raise ValueError("no name of a table, or the same again")
        at, found[table[1]] = table.end(), ()
        if table[2] == "(":
            at, found[table[1]] = _columns(tables, at)
            after = re.compile(r"\s*(,|$)").match(tables, at)
            if not after:
                raise ValueError("something stands behind a table")
            at, more = after.end(), after[1]
        else:
            more = table[2]
        if not more:
            return found


def _columns(tables: str, at: int) -> tuple[int, tuple[Declared, ...]]:
    columns = dict[str, Declared]()
    while True:
        column = _COLUMN.match(tables, at)
        if not column:
            raise ValueError("no column")
        name, word, precision, scale, required, end = column.groups()
        key = name[1:-1].replace('""', '"') if name.startswith('"') else name
        if key.lower() in columns:
            raise ValueError("a column twice")
        columns[key.lower()] = Declared(key, _kind(word.lower(), precision, scale), bool(required))
        at = column.end()
        if end == ")":
            return at, tuple(columns.values())


def _kind(word: str, precision: str | None, scale: str | None) -> str:
    if word in ("decimal", "numeric") and precision and scale and 0 < int(precision) <= _DIGITS and int(scale) <= int(precision):
        return f"decimal({int(precision)},{int(scale)})"
    if precision or word not in WORDS:
        raise ValueError("no type")
    return WORDS[word]


def why_not(event: Mapping[str, Any], columns: Sequence[Declared]) -> str:
    """Why an event is none of the table's, in words that follow 'event 3'; '' where it is one. Its numbers are Numbers."""
    keys = {column.key for column in columns}
    if any(key not in keys for key in event):
        return "has a key that the table does not declare"
    for column in columns:
        value = event.get(column.key)
        if value is None:
            if column.required:
                return f"has no {column.key}, which is NOT NULL"
        elif not _fits(value, column.kind):
            return f"has a value of {column.key} that is no {column.kind}"
    return ""


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("decimal"):
        return isinstance(value, str) and _is_decimal(value, *map(int, kind[8:-1].split(",")))
    return _KINDS[kind](value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _is_whole(bits: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(_WHOLE.fullmatch(value)) and -(1 << bits) <= int(value) < 1 << bits


def _is_inexact(value: Any) -> bool:
    return isinstance(value, str) and bool(_INEXACT.fullmatch(value)) and abs(float(value)) != float("inf")


def _is_decimal(value: str, precision: int, scale: int) -> bool:
    if not _NUMBER.fullmatch(value):
        return False
    whole, _, parts = value.lstrip("-").partition(".")
    return len(whole.lstrip("0")) <= precision - scale and len(parts.rstrip("0")) <= scale


def _is_read(form: re.Pattern[str], read: Callable[[str], Any]) -> Callable[[Any], bool]:
    def is_read(value: Any) -> bool:
        if not _is_text(value) or not form.fullmatch(value):
            return False
        try:
            moment = read(value)
        except ValueError:
            return False
        return not isinstance(moment, datetime) or moment.tzinfo is None or _is_in_range(moment)

    return is_read


def _is_in_range(moment: datetime) -> bool:
    """Whether it is between the years 1 and 9999 in UTC too."""
    try:
        return bool(moment.utctimetuple())
    except OverflowError:
        return False


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "int": _is_whole(31),
    "long": _is_whole(63),
    "double": _is_inexact,
    "string": _is_text,
    "date": _is_read(_DAY, date.fromisoformat),
    "timestamp": _is_read(_MOMENT, datetime.fromisoformat),
    "timestamptz": _is_read(_ZONED, datetime.fromisoformat),
    "json": lambda value: True,
}
