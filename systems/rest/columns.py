"""The columns of a stream: its JSON schema in the warehouse's types, and what of it can be a cursor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from shared_metadata.program.json_types import DAY, EPOCH, MOMENT, type_of, type_of_word, word_of
from shared_metadata.program.schema import SchemaColumn
from systems.rest import moments
from systems.rest.manifest import CHANGES, Node

OWN = ("_batch", "_deleted")
_WINDOW = re.compile(r"stream_interval|stream_slice\W{1,4}(?:start|end)_time")  # in an expression


def columns_of(stream: Mapping[str, Node], types: Mapping[str, str]) -> tuple[SchemaColumn, ...]:
    """The columns that a stream's schema declares, in its order, their names folded.

    types: of the overlay, field ▸ JSON type or format, which win over the schema's; an object or a list is then JSON text.
    All are nullable: a schema promises nothing.
    """
    stream = of_changes(stream)
    cursor = cursor_field(stream)
    found = []
    for field, node in properties_of(stream).items():
        said = types.get(field) or (_cursor_type(stream) if field == cursor else "")
        kind = type_of_word(said) if said else type_of(node)
        found.append(SchemaColumn(field.lower(), kind, True, field, said or word_of(node)))
    return tuple(found)


def of_changes(stream: Mapping[str, Node]) -> Mapping[str, Node]:
    """The stream by which changes are read: itself, where no other one is said."""
    found: Mapping[str, Node] = stream.get(CHANGES) or stream
    return found


def cursor_field(stream: Mapping[str, Node]) -> str:
    """The field by which the API filters changes; '' where it filters none, or by what no column is."""
    found = str((stream.get("incremental_sync") or {}).get("cursor_field") or "")
    return found if found in properties_of(stream) else ""


def filters(stream: Mapping[str, Node]) -> bool:
    """Whether the API is asked for what the cursor says is new, by an option of the window or where a request names it."""
    said_in_place = _WINDOW.search(json.dumps(stream["retriever"].get("requester")))
    return bool(cursor_field(stream) and (said_in_place or stream["incremental_sync"].get("start_time_option")))


def key_fields(stream: Mapping[str, Node]) -> tuple[str, ...]:
    """The fields of a stream's primary key; none where it has none, or has one within an object."""
    key = stream.get("primary_key") or []
    fields = [key] if isinstance(key, str) else [one[0] if isinstance(one, list) and len(one) == 1 else one for one in key]
    return tuple(fields) if all(isinstance(one, str) and one in properties_of(stream) for one in fields) else ()


def why_no_columns(stream: Mapping[str, Node]) -> str:
    """Why a stream can be no table; '' for one that can."""
    names = [name.lower() for name in properties_of(stream)]
    if not names:
        return "no columns declared"
    twice = sorted({name for name in names if names.count(name) > 1})
    own = sorted({*OWN} & {*names})
    return f"fields that differ by case only: {', '.join(twice)}" if twice else f"a field called {own[0]}" if own else ""


def units_in_second(stream: Mapping[str, Node]) -> int:
    """How many of its units a second has, for a cursor that counts since 1970."""
    return next((moments.EPOCH[form] for form in _forms(stream) if form in moments.EPOCH), 1)


def properties_of(stream: Mapping[str, Node]) -> Mapping[str, Any]:
    """The fields that a stream's schema declares, with the schema of each; of a field that several schemas have the first one's."""
    found: Mapping[str, Any] = {}
    for loader in loaders_of(stream):
        properties = _schema(loader).get("properties")
        found = {**properties, **found} if isinstance(properties, dict) else found
    return found


def schema_of(stream: Mapping[str, Node]) -> Mapping[str, Any]:
    """The JSON schema that stands in the manifest; {} where none does."""
    loaders = loaders_of(stream)
    return _schema(loaders[0]) if len(loaders) == 1 else {"type": "object", "properties": properties_of(stream)} if loaders else {}


def loaders_of(stream: Mapping[str, Node]) -> list[Mapping[str, Node]]:
    """What tells a stream's columns."""
    found = stream.get("schema_loader") or []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _schema(loader: Mapping[str, Node]) -> Mapping[str, Any]:
    found = loader.get("schema")
    return found if isinstance(found, dict) else {}


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
