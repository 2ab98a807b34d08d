"""Values on their way in and out: checked and stored in canonical form, written as REST JSON or Bulk CSV wants them."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from doubles.salesforce import identifiers
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.schema import INTEGER_TYPES, NUMBER_TYPES, Field

Stored = str | int | float | None

_DATETIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")


def store_datetime(value: datetime) -> str:
    """A point in time in the stored form, `2026-01-01T00:00:00.000Z`; Salesforce keeps whole seconds."""
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    # strftime does not pad years below 1000 on every platform; isoformat does.
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + ".000Z"


def parse_datetime(text: str) -> datetime:
    """A datetime as the REST API takes it, with `Z`, an offset or none (UTC); ValueError if it is not one."""
    match = _DATETIME.match(text)
    if match is None:
        raise ValueError(f"not a datetime: {text!r}")
    day, clock, fraction, offset = match.groups()
    parsed = datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7]}{offset or 'Z'}")
    return parsed.astimezone(UTC)


def to_stored(field: Field, value: Any) -> Stored:
    """The canonical form of a value given for a field; SalesforceError in Salesforce's words if it does not fit."""
    if value is None or value == "":
        return 0 if field.type == "boolean" else None
    try:
        stored = _CONVERTERS.get(field.type, _text)(field, value)
    except (ValueError, TypeError, OverflowError):
        kind = "VALUE_STRING" if isinstance(value, str) else "VALUE"
        message = f"Cannot deserialize instance of {field.type} from {kind} value {value} or request may be missing a "
        raise SalesforceError(400, "JSON_PARSER_ERROR", message + "required field at [line:1, column:1]") from None
    return stored


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        if field.type not in ("anyType", "string", "textarea") or isinstance(value, dict | list):
            raise TypeError
        value = str(value)
    if field.length and len(value) > field.length:
        shown = value if len(value) <= 40 else value[:40] + "..."
        message = f"{field.label or field.name}: data value too large: {shown} (max length={field.length})"
        raise SalesforceError(400, "STRING_TOO_LONG", message, [field.name])
    return str(value).strip() if field.external_id else str(value)  # Salesforce cuts blanks off texts; here where it tells keys apart


def _identifier(field: Field, value: Any) -> str:
    if not isinstance(value, str) or not identifiers.is_valid(value):
        message = f"{field.label or field.name}: id value of incorrect type: {value}"
        raise SalesforceError(400, "MALFORMED_ID", message, [field.name])
    return identifiers.with_checksum(value)


def _boolean(field: Field, value: Any) -> int:
    if value not in (True, False, "true", "false"):
        raise ValueError
    return int(value in (True, "true"))


def _integer(field: Field, value: Any) -> int:
    number = int(value)
    limit = 2**31 if field.type == "int" else 2**63
    if isinstance(value, bool) or (isinstance(value, float) and number != value) or not -limit <= number < limit:
        raise ValueError
    return number


def _number(field: Field, value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError
    whole_digits = (field.precision or 18) - (field.scale or 0)
    if abs(number) >= 10.0**whole_digits:
        message = f"{field.label or field.name}: value outside of valid range on numeric field: {number}"
        raise SalesforceError(400, "NUMBER_OUTSIDE_VALID_RANGE", message, [field.name])
    return round(number, field.scale or 0)


def _date(field: Field, value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    day: date = value if isinstance(value, date) else date.fromisoformat(value[:10])
    return str(day)


def _datetime(field: Field, value: Any) -> str:
    if isinstance(value, str) and len(value) == 10:
        value += "T00:00:00Z"
    return store_datetime(value if isinstance(value, datetime) else parse_datetime(value))


def _time(field: Field, value: Any) -> str:
    moment = value if isinstance(value, time) else time.fromisoformat(value.removesuffix("Z"))
    return moment.replace(tzinfo=None).isoformat("milliseconds") + "Z"


_CONVERTERS: dict[str, Callable[[Field, Any], Stored]] = {
    "id": _identifier, "reference": _identifier, "boolean": _boolean, "date": _date, "datetime": _datetime,
    "time": _time, **dict.fromkeys(INTEGER_TYPES, _integer), **dict.fromkeys(NUMBER_TYPES - INTEGER_TYPES, _number),
}  # fmt: skip


def to_json(field: Field, stored: Stored) -> Any:
    """A stored value as the REST API answers it; its datetimes end in `+0000`."""
    if stored is None:
        return None
    if field.type == "boolean":
        return bool(stored)
    if field.type == "datetime":
        return str(stored)[:-1] + "+0000"
    return stored


def java_double(number: float | None) -> str | None:
    """A double as Java writes it, which is how Salesforce writes it into CSV: `8.0E7`, `0.5`, `1.0E-4`.

    Salesforce's own tools show it: https://github.com/forcedotcom/cli/issues/3367
    """
    if number is None:
        return None
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(float(number))
    mantissa, exponent = f"{Decimal(repr(float(number))).normalize():E}".split("E")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def csv_expression(field: Field) -> str:
    """The SQLite expression that turns a field's column into the text that stands in a Bulk result."""
    column = f'"{field.name}"'
    if field.type == "boolean":
        return f"CASE {column} WHEN 1 THEN 'true' ELSE 'false' END"
    if field.type in NUMBER_TYPES - INTEGER_TYPES:
        # SQLite prints 15 digits; the slow exact function is only called where that loses something.
        plain = f"abs({column}) >= 1e-3 AND abs({column}) < 1e7 AND CAST(CAST({column} AS TEXT) AS REAL) = {column}"
        return f"CASE WHEN {plain} THEN CAST({column} AS TEXT) ELSE java_double({column}) END"
    return column
