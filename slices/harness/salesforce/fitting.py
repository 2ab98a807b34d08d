"""Tells why values of a type cannot be published to a field of Salesforce, as one that would change them in silence. Pure."""

from __future__ import annotations

from systems.salesforce.type_mapping import TYPES

NUMBERS = ("int", "long", "float", "double", "decimal")
# Kind of a field, as its column has it ▸ heads of the types that it takes; of all others, which are texts, what is one value.
TAKES = {
    "boolean": ("boolean",),
    **dict.fromkeys(("int", "long", "double"), NUMBERS),
    "date": ("date",),
    "timestamptz": ("timestamptz", "timestamp", "date"),
    "time": ("time",),
}
NESTED = ("list", "map", "struct")


def fits(source_type: str, iceberg_type: str) -> str:
    """Why not, in words that follow the field's own type; '' where it takes them."""
    kind = source_type.partition("(")[0]
    head = iceberg_type.replace("<", "(").partition("(")[0]
    if kind == "multipicklist" and iceberg_type == "list<string>":
        return ""
    if kind == "multipicklist" and head in NESTED:
        return "which takes a list of texts"
    if head in NESTED:
        return "which holds one value"
    takes = TAKES.get(TYPES.get(kind, ""))
    if head == "binary" or (takes is not None and head not in takes):
        return f"which takes no {iceberg_type}"
    return ""
