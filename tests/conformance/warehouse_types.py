"""The type table of warehouses that keep rows themselves: each type with the ends of what it holds, or refused when it is checked."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode
from shared_metadata.program.type_names import parsed, words
from shared_metadata.program.type_widening import widened
from tests.conformance.organize import FLIGHTS, ID, Lake, Row

MOMENTS = [datetime(1, 1, 1), datetime(1970, 1, 1, 0, 0, 0, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]
UTC_MOMENTS = [one.replace(tzinfo=UTC) for one in MOMENTS]
BIG = "9" * 38
# Name, type, PostgreSQL's word for it, how Parquet holds it, values.
TYPES: list[tuple[str, str, str, Any, list[Any]]] = [
    ("b", "boolean", "boolean", pa.bool_(), [True, False]),
    ("i", "int", "integer", pa.int32(), [-(2**31), 2**31 - 1, 0]),
    ("l", "long", "bigint", pa.int64(), [-(2**63), 2**63 - 1, 2**53 + 1]),
    ("f", "float", "real", pa.float32(), [float("nan"), float("inf"), -0.0, 3.4028234663852886e38, 1.401298464324817e-45]),
    ("d", "double", "double precision", pa.float64(), [float("nan"), float("-inf"), 0.1, -1.7976931348623157e308, 5e-324]),
    ("n", "decimal(12,2)", "numeric(12,2)", pa.decimal128(12, 2), [Decimal("9999999999.99"), Decimal("-0.01")]),
    ("w", "decimal(38,0)", "numeric(38,0)", pa.decimal128(38, 0), [Decimal(BIG), Decimal(f"-{BIG}")]),
    ("v", "decimal(38,10)", "numeric(38,10)", pa.decimal128(38, 10), [Decimal(f"{BIG[:28]}.{BIG[:10]}"), Decimal("-0.0000000001")]),
    ("k", "decimal(19,0)", "numeric(19,0)", pa.decimal128(19, 0), [Decimal(10**19 - 1), Decimal(-1)]),
    ("y", "date", "date", pa.date32(), [date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)]),
    ("t", "timestamp", "timestamp without time zone", pa.timestamp("us"), MOMENTS),
    ("z", "timestamptz", "timestamp with time zone", pa.timestamp("us", "UTC"), UTC_MOMENTS),
    ("s", "string", "text", pa.string(), ["", " ", "größer 'x\" \\n \u2003", chr(0x10FFFF), "é" * 32_767 + "x"]),
    ("r", "binary", "bytea", pa.binary(), [b"", bytes(range(256)), b"\0" * 60_000]),
]
_DEEP = 'struct<Name: string, "odd: name": list<struct<l: long, d: double, z: timestamptz>>, raw: binary>'
_DEEP_IN_PARQUET = pa.struct(
    {
        "Name": pa.string(),
        "odd: name": pa.list_(pa.struct({"l": pa.int64(), "d": pa.float64(), "z": pa.timestamp("us", "UTC")})),
        "raw": pa.binary(),
    }
)
# Of warehouses that keep what is nested; as pyarrow gives it back, a map is a list of pairs.
NESTED: list[tuple[str, str, str, Any, list[Any]]] = [
    ("ai", "list<int>", "integer[]", pa.list_(pa.int32()), [[], [-(2**31), None, 2**31 - 1]]),
    ("az", "list<timestamptz>", "timestamp with time zone[]", pa.list_(pa.timestamp("us", "UTC")), [UTC_MOMENTS, [None]]),
    ("aa", "list<list<date>>", "jsonb", pa.list_(pa.list_(pa.date32())), [[[date(1, 1, 1)], None, []]]),
    (
        "mv",
        "map<string, decimal(38,10)>",
        "jsonb",
        pa.map_(pa.string(), pa.decimal128(38, 10)),
        [[("", Decimal("0.1")), ("é", None)], []],
    ),
    ("ms", "map<long, list<string>>", "jsonb", pa.map_(pa.int64(), pa.list_(pa.string())), [[(-(2**63), ["a\\'\"", ""])]]),
    (
        "st",
        _DEEP,
        "jsonb",
        _DEEP_IN_PARQUET,
        [
            {"Name": "a", "odd: name": [{"l": 2**63 - 1, "d": 5e-324, "z": UTC_MOMENTS[2]}, None], "raw": bytes(range(256))},
            {"Name": None, "odd: name": None, "raw": None},
        ],
    ),
]
# Of these no warehouse says by documentation that it loads them from Parquet without loss; of what is nested, some do.
REFUSED = {
    **{"time": "time without time zone", "uuid": "uuid", "list<string>": "text[]", "list<int>": "integer[]"},
    **{"list<timestamptz>": "timestamp with time zone[]", "list<time>": "time without time zone[]"},
    **{"map<string, uuid>": "jsonb", "struct<a: int, b: list<time>>": "jsonb"},
}
# What a column of theirs becomes without loss, as they declare; drift takes these for harmless, and no others.
WIDER = [("int", "long"), ("float", "double"), ("decimal(12,2)", "decimal(38,2)"), ("decimal(19,0)", "decimal(38,0)")]
SOURCE = {kind: word for _, kind, word, *_ in (*TYPES, *NESTED)} | REFUSED
COLUMNS = [(name, kind, arrow) for name, kind, _, arrow, _ in TYPES]
NAMES = [name for name, *_ in TYPES]
NESTED_COLUMNS = [(name, kind, arrow) for name, kind, _, arrow, _ in NESTED]


def refused(declaration: Slice) -> list[str]:
    """Those of the table that a slice declares to keep in no table."""
    never = set(declaration.capabilities.never_written)
    return [kind for kind in REFUSED if never & set(words(parsed(kind)))]


def declared(declaration: Slice) -> set[tuple[str, str]]:
    """What a slice's declaration makes wider, of the types above."""
    kinds, able = [kind for _, kind, *_ in TYPES], declaration.capabilities.widens
    return {(one, other) for one in kinds for other in kinds if one != other and widened(one, other, able) == other}


def promoted(lake: Lake, read: Callable[[str], list[Row]], narrow: str, wide: str) -> tuple[list[Any], list[Any]]:
    """The values of a column that was loaded as one type and then as the wider one; and as they were staged."""
    arrow = pa.decimal128(38, parsed(wide).sizes[1]) if parsed(wide).sizes else {"long": pa.int64(), "double": pa.float64()}[wide]
    (before,) = [(one, values) for _, kind, _, one, values in TYPES if kind == narrow]
    later = [value for _, kind, _, _, values in TYPES if kind == wide for value in values] or before[1]
    lake.collected(Mode.APPEND)
    for kind, held, values in ((narrow, *before), (wide, arrow, later)):
        lake.load([{"id": n, "x": value} for n, value in enumerate(values)], [ID[0], ("x", kind, held)])
    found = [row["x"] for row in read(FLIGHTS)]
    return sorted(_told("f" if narrow == "float" else "x", one) for one in found), sorted(
        _told("f" if narrow == "float" else "x", one) for one in [*before[1], *later]
    )


def rows(nested: bool = False) -> list[Row]:
    """Rows of all types, of which a type has fewer values than rows the others are null; and one of nulls."""
    types = [*TYPES, *(NESTED if nested else ())]
    most = max(len(values) for *_, values in types)
    return [{name: values[n] if n < len(values) else None for name, *_, values in types} for n in range(most + 1)]


def alike(found: Sequence[Mapping[str, Any]], leave_out: Sequence[str] = (), nested: bool = False) -> list[str]:
    """The rows in an order, so that they can be compared: NaN is itself, 0 is not -0, and a moment is what UTC's clocks show."""
    names = [name for name in (*NAMES, *(name for name, *_ in NESTED if nested)) if name not in leave_out]
    return sorted(str([(name, _told(name, row[name])) for name in names]) for row in found)


def _told(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return str({key: _told(name, part) for key, part in value.items()})
    if isinstance(value, list | tuple):
        return str([_told(name, part) for part in value])
    if isinstance(value, float) and name == "f":
        return repr(struct.unpack("f", struct.pack("f", value))[0])  # as many digits as it has
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(Fraction(value))  # a whole number may come as a decimal
    return f"{len(value)} {hash(value)}" if isinstance(value, (str, bytes, bytearray)) else repr(value)
