"""Rows as items of DynamoDB: each value as its type asks, without loss, or a reason why not. No I/O.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from shared_metadata.program.type_names import TypeName, parsed

MARK = "_atoll"
MOST_BYTES = 400 * 1024
KEY_BYTES = (2048, 1024)  # of the partition key, and of the sort key
MOST_DIGITS, LARGEST, SMALLEST = 38, 125, -130  # of a number, and its exponents
MOST_LEVELS = 32
_EXACT = Context(prec=400)
_AS_TEXT = {"date", "time", "uuid", "string"}
Value = dict[str, Any]  # {'S': 'text'}, as boto3's client has it


class Unfit(Exception):
    """Why a row is no item, in words that hold no value."""


def item_of(document: str, types: Mapping[str, str]) -> dict[str, Value]:
    """A row, as the JSON that Results.documents writes; types: column ▸ type. A null is no attribute. Raises Unfit."""
    found = json.loads(document, parse_float=Decimal)
    made = dict[str, Value]()
    for name, value in found.items():
        if value is None:
            continue
        try:
            made[name] = attribute(value, parsed(types[name]))
        except Unfit as error:
            raise Unfit(f"`{name}` {error}") from None
    return made


def attribute(value: Any, kind: TypeName, level: int = 1) -> Value:
    """A value as DynamoDB has it: numbers as such, dates and moments as texts in ISO 8601."""
    if level > MOST_LEVELS:
        raise Unfit(f"is nested more than {MOST_LEVELS} levels deep")
    if value is None:
        return {"NULL": True}
    if kind.word == "boolean":
        return {"BOOL": value}
    if kind.word == "list":
        return {"L": [attribute(one, kind.parts[0], level + 1) for one in value]}
    if kind.word == "map":
        return {"M": {name: attribute(one, kind.parts[1], level + 1) for name, one in value.items()}}
    if kind.word == "struct":
        return {"M": {name: attribute(value[name], part, level + 1) for name, part in kind.named()}}
    if kind.word == "binary":
        return {"B": bytes.fromhex(value[2:])}
    if kind.word in _AS_TEXT:
        return {"S": value}
    return {"S": _moment(value)} if kind.word.startswith("timestamp") else {"N": _number(value)}


def check_item(item: Mapping[str, Value], key: Mapping[str, str]) -> None:
    """Raises Unfit for what DynamoDB would refuse; key: attribute ▸ its kind, the partition's first."""
    for most, (name, kind) in zip(KEY_BYTES, key.items(), strict=False):
        value = item.get(name, {}).get(kind)
        if value is None or value in ("", b""):
            raise Unfit(f"`{name}` is a part of the key, and is empty or no {kind}")
        if kind != "N" and _length(value) > most:
            raise Unfit(f"`{name}` is a part of the key, and has more than {most:,} bytes")
    if sum(_length(name) + size_of(value) for name, value in item.items()) > MOST_BYTES:
        raise Unfit("the row has more than 400 KB, which no item has")


def shown(item: Mapping[str, Value]) -> dict[str, Any]:
    """An item as JSON has it, as AWS's command line writes it: bytes in base 64."""
    return json.loads(json.dumps(item, default=lambda some: base64.b64encode(some).decode()))  # type: ignore[no-any-return]


def size_of(value: Value) -> int:
    """Bytes, as DynamoDB counts them: developerguide/CapacityUnitCalculations.html."""
    ((kind, told),) = value.items()
    if kind in ("S", "B"):
        return _length(told)
    if kind == "N":
        return len(told) // 2 + 2
    if kind == "L":
        return 3 + sum(1 + size_of(one) for one in told)
    if kind == "M":
        return 3 + sum(1 + _length(name) + size_of(one) for name, one in told.items())
    return 1


def _length(value: str | bytes) -> int:
    return len(value.encode() if isinstance(value, str) else value)


def _moment(text: str) -> str:
    """'2026-01-01 00:00:00+00' ▸ '2026-01-01T00:00:00Z'."""
    date, between, time = text.partition(" ")
    if not between or "(BC)" in text:
        raise Unfit("is no moment of the years that ISO 8601 writes")
    return f"{date}T{time.removesuffix('+00')}Z" if time.endswith("+00") else f"{date}T{time}"


def _number(value: Any) -> str:
    number = Decimal(value)
    if not number.is_finite():
        raise Unfit("is NaN or infinite, which no number of DynamoDB's is")
    number = number.normalize(_EXACT)
    if len(number.as_tuple().digits) > MOST_DIGITS:
        raise Unfit(f"has more than {MOST_DIGITS} digits")
    if number and not SMALLEST <= number.adjusted() <= LARGEST:
        raise Unfit("is smaller or larger than DynamoDB's numbers are: from 1E-130 to 9.99E+125")
    return str(number)
