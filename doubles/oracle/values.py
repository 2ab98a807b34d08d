"""How Oracle writes values: a NUMBER in pairs of digits, a DATE in seven bytes, doubles so that their bytes sort."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

VARCHAR, NUMBER, INTEGER, LONG, DATE, RAW, LONG_RAW, CHAR, FLOAT, DOUBLE = 1, 2, 3, 8, 12, 23, 24, 96, 100, 101
CLOB, BLOB, TIMESTAMP, ZONED, LOCAL, BOOLEAN = 112, 113, 180, 181, 231, 252
TEXTS, LARGE = (VARCHAR, CHAR, LONG, CLOB), (CLOB, BLOB)
_ZERO, _PAIRS = b"\x80", 20


def write_number(value: Any) -> bytes:
    number = Decimal(str(value))
    if not number:
        return _ZERO
    sign, found, exponent = number.as_tuple()
    digits = "".join(map(str, found)).rstrip("0")
    power = int(exponent) + len(found) - len(digits)
    if power % 2:
        digits, power = digits + "0", power - 1
    digits = "0" * (len(digits) % 2) + digits
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    first = power // 2 + len(pairs) + 192
    if not sign:
        return bytes([first, *(pair + 1 for pair in pairs)])
    return bytes([255 - first, *(101 - pair for pair in pairs)]) + (b"\x66" if len(pairs) < _PAIRS else b"")


def read_number(value: bytes) -> int | Decimal:
    if value == _ZERO:
        return 0
    negative = not value[0] & 0x80
    power = (255 - value[0] if negative else value[0]) - 193
    pairs = [101 - pair if negative else pair - 1 for pair in value[1:] if not (negative and pair == 0x66)]
    found = sum((Decimal(pair).scaleb(2 * (power - at)) for at, pair in enumerate(pairs)), Decimal(0))
    found = -found if negative else found
    return int(found) if found == found.to_integral_value() else found


def write_date(value: Any) -> bytes:
    """value: (year, month, day, hour, minute, second, microsecond); of years before Christ below zero."""
    year, month, day, hour, minute, second, _ = value
    century, rest = (year // 100, year % 100) if year >= 0 else (-(-year // 100), -(-year % 100))
    return bytes([century + 100, rest + 100, month, day, hour + 1, minute + 1, second + 1])


def write_timestamp(value: Any) -> bytes:
    return write_date(value) + (struct.pack(">I", value[6] * 1000) if value[6] else b"")


def read_date(value: bytes) -> datetime:
    micros = struct.unpack(">I", value[7:11])[0] // 1000 if len(value) >= 11 else 0
    year = (value[0] - 100) * 100 + value[1] - 100
    return datetime(year, value[2], value[3], value[4] - 1, value[5] - 1, value[6] - 1, micros)


def _sorting(value: bytes) -> bytes:
    first = value[0]
    return bytes(255 - each for each in value) if first & 0x80 else bytes([first | 0x80]) + value[1:]


def _unsorted(value: bytes) -> bytes:
    return bytes([value[0] & 0x7F]) + value[1:] if value[0] & 0x80 else bytes(255 - each for each in value)


def write_boolean(value: Any) -> bytes:
    return b"\x01\x01" if value else b"\x00"


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


WRITE: Mapping[int, Callable[[Any], bytes]] = {
    NUMBER: write_number,
    DATE: write_date,
    TIMESTAMP: write_timestamp,
    ZONED: write_timestamp,
    LOCAL: write_timestamp,
    FLOAT: lambda value: _sorting(struct.pack(">f", float(value))),
    DOUBLE: lambda value: _sorting(struct.pack(">d", float(value))),
    BOOLEAN: write_boolean,
    **dict.fromkeys((RAW, LONG_RAW, BLOB), bytes),
    **dict.fromkeys(TEXTS, _text),
}
READ: Mapping[int, Callable[[bytes], Any]] = {
    NUMBER: read_number,
    INTEGER: lambda value: bool(read_number(value)),  # by which a client tells a server of before BOOLEAN a truth
    **dict.fromkeys((DATE, TIMESTAMP, ZONED, LOCAL), read_date),
    FLOAT: lambda value: struct.unpack(">f", _unsorted(value))[0],
    DOUBLE: lambda value: struct.unpack(">d", _unsorted(value))[0],
    BOOLEAN: lambda value: value[-1] == 1,
    **dict.fromkeys((RAW, LONG_RAW, BLOB), bytes),
}


def read_bind(kind: int, value: bytes | None) -> Any:
    """A bind's value; '' is NULL."""
    return None if not value else READ[kind](value) if kind in READ else value.decode()
