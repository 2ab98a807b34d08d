"""Reads rows of binary log events as texts of SQL, from which the server makes the same values again; no I/O.

What the server stores of a value is not always the value: a zero date is none to Python, a text has its column's character set. So
nothing here becomes a value, and what no literal of SQL says is left out: the row is then asked for by its key.

https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from systems.sql_source.capture.changes import Values

TINY, SHORT, LONG, FLOAT, DOUBLE, LONGLONG, INT24, DATE, YEAR, NEWDATE = 1, 2, 3, 4, 5, 8, 9, 10, 13, 14
VARCHAR, BIT, TIMESTAMP2, DATETIME2, TIME2 = 15, 16, 17, 18, 19
JSON, NEWDECIMAL, ENUM, SET, BLOB, STRING, GEOMETRY = 245, 246, 247, 248, 252, 254, 255
_WHOLE = {TINY: 1, SHORT: 2, INT24: 3, LONG: 4, LONGLONG: 8}
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
LARGEST = 2**20  # bytes of a value in a statement; a larger one is asked for


class Unreadable(Exception):
    """An event holds a column whose length is not known here."""


class RowReader:
    """Reads the rows of one event's table.

    columns: those of the event, as the library has them.  kinds: name, folded, ▸ the kind of literal (`kinds.py`), for those that are
    wanted.
    """

    def __init__(self, columns: Sequence[Any], kinds: Mapping[str, tuple[str, str]]) -> None:
        self._columns, self._kinds = columns, kinds
        self._json = sum(1 for column in columns if column.type == JSON)

    def rows(self, data: bytes, *images: bytes, partial: bool = False) -> Iterator[list[Values]]:
        """The images of each row. images: which columns each of them has, as bits.  partial: a JSON value may be a difference."""
        at = 0
        while at < len(data):
            row = []
            for number, present in enumerate(images):
                if partial and number:
                    at = self._behind_options(data, at)
                values, at = self._image(data, at, present)
                row.append(values)
            yield row

    def names(self, present: bytes) -> set[str]:
        """The wanted columns that an image has, whether a literal says them or not."""
        found = (self._kinds.get((self._columns[number].name or "").lower()) for number in self._there(present))
        return {each[0] for each in found if each}

    def _there(self, present: bytes) -> list[int]:
        return [number for number in range(len(self._columns)) if present[number // 8] >> number % 8 & 1]

    def _behind_options(self, data: bytes, at: int) -> int:
        return at + 1 + ((self._json + 7) // 8 if data[at] & 1 else 0)

    def _image(self, data: bytes, at: int, present: bytes) -> tuple[Values, int]:
        found: Values = {}
        there = self._there(present)
        nulls = data[at : at + (len(there) + 7) // 8]
        at += len(nulls)
        for place, number in enumerate(there):
            column = self._columns[number]
            name, kind = self._kinds.get((column.name or "").lower(), ("", ""))
            if nulls[place // 8] >> place % 8 & 1:
                if name:
                    found[name] = None
                continue
            length, skipped = length_of(column, data, at)
            at += skipped
            if name and kind and length <= LARGEST:
                text = literal(column, kind, data[at : at + length])
                if text is not None:
                    found[name] = text
            at += length
        if at > len(data):
            raise Unreadable
        return found, at


def length_of(column: Any, data: bytes, at: int) -> tuple[int, int]:
    """The length of a value, and of what tells it. Raises Unreadable."""
    kind = column.type
    if kind in _WHOLE:
        return _WHOLE[kind], 0
    if kind in (VARCHAR, STRING):
        size = 2 if column.max_length > 255 else 1
    elif kind in (BLOB, JSON, GEOMETRY):
        size = column.length_size
    else:
        return _fixed(column), 0
    return int.from_bytes(data[at : at + size], "little"), size


def _fixed(column: Any) -> int:
    kind = column.type
    if kind == NEWDECIMAL:
        whole, parts = column.precision - column.decimals, column.decimals
        return sum(4 * (digits // 9) + _DIGIT_BYTES[digits % 9] for digits in (whole, parts))
    if kind == BIT:
        return int(column.bytes)
    if kind in (ENUM, SET):
        return int(column.size)
    if kind in (TIMESTAMP2, DATETIME2, TIME2):
        return {TIMESTAMP2: 4, DATETIME2: 5, TIME2: 3}[kind] + (int(column.fsp) + 1) // 2
    found = {FLOAT: 4, DOUBLE: 8, DATE: 3, NEWDATE: 3, YEAR: 1}.get(kind)
    if found is None:
        raise Unreadable
    return found


def literal(column: Any, kind: str, data: bytes) -> str | None:
    """A value as a literal of SQL; None for what no literal says. kind: of `kinds.py`."""
    word, _, more = kind.partition(" ")
    if word == "text":
        return f"_{more} x'{data.hex()}'"
    if word == "binary":
        padded = data.ljust(int(more or 0), b"\0")
        return f"x'{padded.hex()}'"
    if word in ("number", "float"):
        return _number(column, data)
    if word == "unsigned":
        return f"CAST({_number(column, data)} AS UNSIGNED)"
    if word == "decimal":
        return f"CAST('{decimal_text(data, column.precision, column.decimals)}' AS DECIMAL({column.precision},{column.decimals}))"
    return _moment(column, word, data)


def _number(column: Any, data: bytes) -> str | None:
    kind = column.type
    if kind in _WHOLE:
        return str(int.from_bytes(data, "little", signed=not column.unsigned))
    if kind == BIT:
        return str(int.from_bytes(data, "big"))
    if kind == YEAR:
        return str(1900 + data[0] if data[0] else 0)
    if kind in (FLOAT, DOUBLE):
        (value,) = struct.unpack("<f" if kind == FLOAT else "<d", data)
        return f"{value:.17e}"
    return None


def decimal_text(data: bytes, precision: int, scale: int) -> str:
    """A decimal of the server's own format: groups of nine digits, the sign in the first bit, all bits turned of a negative one."""
    negative = not data[0] & 0x80
    flipped = bytes([data[0] ^ 0x80, *data[1:]])
    turned = bytes(each ^ 0xFF for each in flipped) if negative else flipped
    whole, at, digits = precision - scale, 0, ""
    groups = [whole % 9, *[9] * (whole // 9), *[9] * (scale // 9), scale % 9]
    for count in groups:
        size = _DIGIT_BYTES[count]
        if count:
            digits += f"{int.from_bytes(turned[at : at + size], 'big'):0{count}d}"
        at += size
    digits = digits.rjust(precision, "0")
    text = f"{digits[:whole] or '0'}.{digits[whole:]}" if scale else digits
    return f"-{text}" if negative else text


def _moment(column: Any, word: str, data: bytes) -> str | None:
    """A date or a time; None for one with a year, a month or a day 0, which a session that takes none of them does not read."""
    if word == "date" and column.type in (DATE, NEWDATE):
        number = int.from_bytes(data, "little")
        return _day(number >> 9, number >> 5 & 15, number & 31, "DATE")
    if word == "datetime" and column.type == DATETIME2:
        number = int.from_bytes(data[:5], "big") - (1 << 39)
        if number < 0:
            return None
        months, day, clock = number >> 22, number >> 17 & 31, number & 0x1FFFF
        time = f" {clock >> 12:02d}:{clock >> 6 & 63:02d}:{clock & 63:02d}{_fraction(data[5:], column.fsp)}"
        return _day(months // 13, months % 13, day, f"DATETIME({column.fsp})", time)
    if word == "timestamp" and column.type == TIMESTAMP2:
        seconds = int.from_bytes(data[:4], "big")
        days, rest = divmod(seconds, 86_400)
        of_day = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{_fraction(data[4:], column.fsp)}"
        return f"CAST(CONCAT(DATE'1970-01-01' + INTERVAL {days} DAY, ' {of_day}') AS DATETIME({column.fsp}))" if seconds else None
    if word == "time" and column.type == TIME2:
        return _length_of_time(data, column.fsp)
    return None


def _day(year: int, month: int, day: int, kind: str, time: str = "") -> str | None:
    return f"CAST('{year:04d}-{month:02d}-{day:02d}{time}' AS {kind})" if year and month and day else None


def _fraction(data: bytes, digits: int) -> str:
    """The part of a second, of so many digits, which are stored two to a byte."""
    if not digits:
        return ""
    return "." + f"{int.from_bytes(data, 'big'):0{2 * len(data)}d}"[:digits]


def _length_of_time(data: bytes, digits: int) -> str:
    """Whole and fraction are one number, so that negative ones are sorted."""
    bits = 8 * len(data[3:])
    number = int.from_bytes(data, "big") - (1 << 23 + bits)
    sign, number = ("-", -number) if number < 0 else ("", number)
    clock, rest = number >> bits, number & (1 << bits) - 1
    text = f"{sign}{clock >> 12 & 1023:02d}:{clock >> 6 & 63:02d}:{clock & 63:02d}"
    return f"CAST('{text}{_fraction(rest.to_bytes(len(data) - 3, 'big'), digits)}' AS TIME({digits}))"
