"""How a stream is collected where a program leaves it open, and which of its records are gone: by its manifest and its overlay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program import Mode
from shared_metadata.program.json_types import CURSOR_TYPES
from shared_metadata.program.source_schemas import TableDefaults, names_a_change
from systems.rest.columns import columns_of, cursor_field, filters, key_fields, of_changes, properties_of
from systems.rest.manifest import Node, has_parents

WORDS = frozenset({"key", "cursor", "mode", "deleted"})  # of a table in an overlay
MODES = {mode.value.lower(): mode for mode in (Mode.REPLACE, Mode.MERGE)}


def defaults_of(stream: Mapping[str, Node], said: Mapping[str, Any]) -> TableDefaults:
    """The key, cursor, mode and deletes of a table, and what of it is read.  said: of the overlay.

    MERGE is the mode of one whose changes the API is asked for. Of another a batch reads all in any case, and a REPLACE shows what is
    gone as well. One that the overlay has read in MERGE only is merged by the cursor that the API filters by, however it is called.
    """
    columns = {column.source: column for column in columns_of(stream, said.get("types") or {})}
    reads, stream = reads_of(stream, said), of_changes(stream)
    key = key_of(stream, said)
    filtered, only = cursor_field(stream), said.get("only") == Mode.MERGE
    cursor = columns.get(said.get("cursor") or (filtered if only or names_a_change(filtered) else ""))
    if cursor is not None and cursor.source_type not in CURSOR_TYPES:
        cursor = None
    asked = cursor is not None and cursor.source == filtered and filters(stream)
    mode = MODES[said["mode"]] if said.get("mode") else Mode.MERGE if key and (asked or only) else None
    field = deleted_field(said)
    deletes = f"by {field}" if field else ""
    return TableDefaults(tuple(columns[one].name for one in key), cursor.name if cursor else "", mode, deletes, reads)


def key_of(stream: Mapping[str, Node], said: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that tell a table's records apart; none where neither the overlay nor the manifest says any."""
    return _fields(said["key"]) if said.get("key") else key_fields(stream)


def reads_of(stream: Mapping[str, Node], said: Mapping[str, Any]) -> str:
    """What of a table a batch reads, in words: the overlay's, or by what the API is asked for."""
    stream = of_changes(stream)
    found = "what its cursor says is new" if filters(stream) else "all"
    return str(said.get("reads") or (f"{found}, by each parent" if has_parents(stream) else found))


def deleted_field(said: Mapping[str, Any]) -> str:
    """The field that says of a record that it is gone; '' where there is none."""
    found = said.get("deleted") or ""
    return str(found["field"] if isinstance(found, dict) else found)


def deleted_sql(said: Mapping[str, Any], kind: str) -> str:
    """SQL of whether a record is gone.  kind: the type of the field that says so.

    Of a flag: that it is set; of another field: that it has one of the overlay's values, or else any but an empty text.
    """
    field, found = identifier(deleted_field(said)), said.get("deleted")
    values = found.get("values") if isinstance(found, dict) else None
    if values:
        return f"coalesce(CAST({field} AS VARCHAR) IN ({', '.join(literal(str(value)) for value in values)}), false)"
    return f"coalesce({field}, false)" if kind == "boolean" else f"(coalesce(CAST({field} AS VARCHAR), '') <> '')"


def wrong_in(name: str, said: Mapping[str, Any], stream: Mapping[str, Node]) -> Iterator[str]:
    """What an overlay says of a table that cannot be."""
    known = properties_of(stream)
    named = {"key": _fields(said.get("key") or []), "cursor": _fields(said.get("cursor") or [])}
    found = said.get("deleted")
    if isinstance(found, dict) and (set(found) - {"field", "values"} or not isinstance(found.get("values", []), list)):
        yield f"`deleted` of {name} is no field, and no `field` with a list of `values`"
    else:
        named["deleted"] = _fields(deleted_field(said) or [])
    for word, fields in named.items():
        yield from (f"`{word}` of {name} names {field}, which its schema has not" for field in fields if field not in known)
    if said.get("mode", "replace") not in MODES:
        yield f"`mode` of {name} is neither {' nor '.join(MODES)}"
    if said.get("mode") == "merge" and not (said.get("key") or key_fields(stream)):
        yield f"`mode` of {name} is merge, and it has no key"


def _fields(said: Any) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(map(str, said))
