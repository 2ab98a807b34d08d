"""A row's values as Salesforce's JSON and CSV have them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

MULTIPLE = ";"  # between the values of a multi-select picklist
NULL = "#N/A"  # of a CSV; an empty value leaves a field as it is


class Unwritable(ValueError):
    """A value that its field cannot hold as it is."""


def written(kind: str, value: Any) -> Any:
    """A value out of a row's JSON as a field of that kind takes it. A checkbox is never null. Raises Unwritable."""
    if value is None:
        return False if kind == "boolean" else None
    convert: Callable[[Any], Any] = _WRITTEN.get(kind, _text)
    try:
        return convert(value)
    except (ValueError, OverflowError, InvalidOperation):
        raise Unwritable from None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return MULTIPLE.join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    """A number that a double does not hold comes as a text."""
    number = Decimal(str(value))
    if number != int(number):
        raise ValueError
    return int(number)


def _double(value: Any) -> float | int:
    """A number as JSON has it; a text of digits is one that a double does not hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def _moment(value: Any) -> str:
    """A moment, in UTC where it says no zone; Salesforce keeps milliseconds at most."""
    found = datetime.fromisoformat(value)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _date(value: Any) -> str:
    return date.fromisoformat(value).isoformat()


def _time(value: Any) -> str:
    return time.fromisoformat(value).isoformat(timespec="milliseconds") + "Z"


_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    **{"boolean": _boolean, "int": _whole, "long": _whole, "double": _double, "currency": _double, "percent": _double},
    **{"datetime": _moment, "date": _date, "time": _time},
}


def in_csv(value: Any) -> str:
    if value is None or value == "":
        return NULL
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_soql(value: Any) -> str:
    """A value within a condition. https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
    sforce_api_calls_soql_select_quotedstringescapes.htm"""
    if not isinstance(value, str):
        return str(value)
    return "'" + "".join(_ESCAPED.get(letter, letter) for letter in value) + "'"


_ESCAPED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
