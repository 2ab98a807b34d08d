"""The types of Salesforce's fields, as Iceberg's."""

from __future__ import annotations

from collections.abc import Mapping

# Field types: Object Reference, "Field Types"; numbers that are no integers are xsd:double in every API, also money, and
# `precision` and `scale` only say what the page lets a user type in: formulas and conversions go beyond them.
TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "double": "double",
    "currency": "double",
    "percent": "double",
    "date": "date",
    "datetime": "timestamptz",
    "time": "time",
}
# The Bulk API refuses compounds, whose parts are fields of their own, and binary data.
NOT_COLLECTED = frozenset({"address", "location", "base64"})


def column_type(field_type: str) -> str:
    """What a field's values are in a warehouse; of what is not known, text."""
    return TYPES.get(field_type, "string")
