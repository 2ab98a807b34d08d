"""The columns of a stream: its JSON schema in the warehouse's types, and what of it can be a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.program.schema import SchemaColumn
from systems.rest import moments
from systems.rest.manifest import Node

TYPES: Mapping[str, str] = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}
FORMATS: Mapping[str, str] = {"date-time": "timestamptz", "date": "date", "int32": "int"}
MOMENT, DAY, EPOCH = "date-time", "date", "epoch"  # the source's types whose values can be a cursor's
CURSOR_TYPES = (MOMENT, DAY, EPOCH)
OWN = ("_batch", "_deleted")


def columns_of(stream: Mapping[str, Node], types: Mapping[str, str]) -> tuple[SchemaColumn, ...]:
    """The columns that a stream's schema declares, in its order, their names folded.

    types: of the overlay, field ▸ JSON type or format, which win over the schema's. All are nullable: a schema promises nothing.
    """
    cursor = cursor_field(stream)
    found = []
    for field, node in _properties(stream).items():
        word = types.get(field) or (_cursor_type(stream) if field == cursor else "") or _word(node)
        kind = FORMATS.get(word) or ("long" if word == EPOCH else TYPES.get(word, "string"))
        found.append(SchemaColumn(field.lower(), kind, True, field, word))
    return tuple(found)


def cursor_field(stream: Mapping[str, Node]) -> str:
    """The field by which the API filters changes; '' where it filters none, or by what no column is."""
    found = str((stream.get("incremental_sync") or {}).get("cursor_field") or "")
    return found if found in _properties(stream) else ""


def key_fields(stream: Mapping[str, Node]) -> tuple[str, ...]:
    """The fields of a stream's primary key; none where it has none, or has one within an object."""
    key = stream.get("primary_key") or []
    fields = [key] if isinstance(key, str) else [one[0] if isinstance(one, list) and len(one) == 1 else one for one in key]
    return tuple(fields) if all(isinstance(one, str) and one in _properties(stream) for one in fields) else ()


def why_no_columns(stream: Mapping[str, Node]) -> str:
    """Why a stream can be no table; '' for one that can."""
    names = [name.lower() for name in _properties(stream)]
    if not names:
        return "no columns declared"
    twice = sorted({name for name in names if names.count(name) > 1})
    own = sorted({*OWN} & {*names})
    return f"fields that differ by case only: {', '.join(twice)}" if twice else f"a field called {own[0]}" if own else ""


def units_in_second(stream: Mapping[str, Node]) -> int:
    """How many of its units a second has, for a cursor that counts since 1970."""
    return next((moments.EPOCH[form] for form in _forms(stream) if form in moments.EPOCH), 1)


def _properties(stream: Mapping[str, Node]) -> Mapping[str, Any]:
    loader = stream.get("schema_loader") or {}
    schema = loader.get("schema") if isinstance(loader, dict) else None
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def _word(node: Any) -> str:
    """'string', or its format; the words of several types, in order; 'object' and 'array' are kept as JSON text."""
    kinds = node.get("type", "object") if isinstance(node, dict) else "object"
    words = sorted({str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)} - {"null"})
    form = str(node.get("format") or "") if isinstance(node, dict) else ""
    if form in (*CURSOR_TYPES, "int32") and words == ["integer" if form == "int32" else "string"]:
        return form
    return "number" if words == ["integer", "number"] else "|".join(words)


def _forms(stream: Mapping[str, Node]) -> list[str]:
    sync = stream.get("incremental_sync") or {}
    return [str(form) for form in sync.get("cursor_datetime_formats") or [sync.get("datetime_format") or ""]]


def _cursor_type(stream: Mapping[str, Node]) -> str:
    """What a cursor's values are by the formats in which they stand; '' for one that DuckDB does not read as a moment."""
    forms = _forms(stream)
    if all(form in moments.EPOCH for form in forms):
        return EPOCH
    if all(form.startswith("%Y-%m-%d") and "%H:%M" in form for form in forms):
        return MOMENT
    return DAY if forms == ["%Y-%m-%d"] else ""
