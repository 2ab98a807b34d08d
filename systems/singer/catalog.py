"""A tap's catalog: its streams as tables, and the same catalog with one of them chosen."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode
from shared_metadata.program.json_types import type_of, type_of_word, word_of
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults, names_a_change
from systems.singer.declared import CURSOR_TYPES

DELETED = "_sdc_deleted_at"  # the field by which taps that read a log tell that a row is gone
OWN = ("_batch", "_deleted")
FULL, INCREMENTAL, LOG_BASED = "FULL_TABLE", "INCREMENTAL", "LOG_BASED"


@dataclass(frozen=True)
class Stream:
    """One stream of a catalog.  entry: as the tap wrote it.  said: of the table, in `tap.yaml`."""

    entry: Mapping[str, Any]
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name that its messages have."""
        return str(self.entry.get("stream") or self.entry.get("tap_stream_id") or "")

    @property
    def table(self) -> str:
        """The name that a program has for it, which no other stream has."""
        return str(self.entry.get("tap_stream_id") or self.entry.get("stream") or "")

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        found = (self.entry.get("schema") or {}).get("properties")
        return found if isinstance(found, dict) else {}

    @cached_property
    def whole(self) -> Mapping[str, Any]:
        """What the catalog's metadata says of the stream itself."""
        return next((one.get("metadata") or {} for one in self.entry.get("metadata") or () if not one.get("breadcrumb")), {})

    @cached_property
    def columns(self) -> tuple[SchemaColumn, ...]:
        types = self.said.get("types") or {}
        found = []
        for name, node in self.properties.items():
            if self._inclusion(name) != "unsupported":
                said = types.get(name)
                kind, word = (type_of_word(said), said) if said else type_and_word(node)
                found.append(SchemaColumn(name.lower(), kind, True, name, word))
        return tuple(found)

    @property
    def key(self) -> tuple[str, ...]:
        given = self.said.get("key") or self.entry.get("key_properties") or self.whole.get("table-key-properties") or ()
        return tuple(name for name in map(str, given)) if all(name in self.properties for name in given) else ()

    @property
    def replication_key(self) -> str:
        """The field whose greatest value the tap keeps as its bookmark; '' where its catalog names none, or several."""
        valid: Sequence[str] = self.whole.get("valid-replication-keys") or ()
        found = self.entry.get("replication_key") or self.whole.get("replication-key") or (valid[0] if len(valid) == 1 else "")
        return str(found) if found in self.properties else ""

    @property
    def gone_by(self) -> set[str]:
        """The fields that the tap needs for itself."""
        automatic = {name for name in self.properties if self._inclusion(name) == "automatic"}
        return {*self.key, *map(str, self.entry.get("key_properties") or ()), self.replication_key, *automatic}

    @property
    def reports_deletes(self) -> bool:
        return DELETED in self.properties

    @property
    def forced(self) -> str:
        """The only replication method that the tap has for it; '' where it can be chosen."""
        method = str(self.whole.get("forced-replication-method") or "").upper()
        own = str(self.entry.get("replication_method") or self.whole.get("replication-method") or "").upper()
        return method or (own if own in (FULL, LOG_BASED) and not self.replication_key else "")

    def why_no_table(self) -> str:
        """Why it can be no table; '' for one that can."""
        names = [column.name for column in self.columns]
        twice, own = sorted({name for name in names if names.count(name) > 1}), sorted({*OWN} & {*names})
        if not names:
            return "no columns declared"
        return f"fields that differ by case only: {', '.join(twice)}" if twice else f"a field called {own[0]}" if own else ""

    def defaults(self) -> TableDefaults:
        """MERGE where it has a key and a bookmark that is a moment of changes; else REPLACE, which shows what is gone as well."""
        columns = {column.source: column for column in self.columns}
        own = self.replication_key if names_a_change(self.replication_key) else ""
        cursor = columns.get(str(self.said.get("cursor") or own))
        if cursor is not None and cursor.source_type not in CURSOR_TYPES:
            cursor = None
        key = tuple(columns[name].name for name in self.key if name in columns)
        mode = Mode.MERGE if key and cursor is not None and self.forced != FULL else None
        mode = {"merge": Mode.MERGE, "replace": Mode.REPLACE}.get(str(self.said.get("mode")), mode)
        deletes = f"by {DELETED}" if self.reports_deletes else ""
        bookmark = "what its bookmark says is new" if self.replication_key and self.forced != FULL else "all"
        reads = "what its tap's log tells" if self.forced == LOG_BASED else bookmark
        return TableDefaults(key, cursor.name if cursor else "", mode, deletes, reads)

    def _inclusion(self, name: str) -> str:
        of = next((one.get("metadata") or {} for one in self.entry.get("metadata") or () if _of(one) == name), {})
        node = self.properties[name]
        return str(of.get("inclusion") or (node.get("inclusion") if isinstance(node, dict) else "") or "")


def _of(entry: Mapping[str, Any]) -> str:
    """The property that an entry of metadata is of; '' for the stream, and for what lies deeper."""
    crumbs: Sequence[str] = entry.get("breadcrumb") or ()
    return str(crumbs[1]) if len(crumbs) == 2 and crumbs[0] == "properties" else ""


def type_and_word(node: Any) -> tuple[str, str]:
    """The type of a field by its schema, and its word; of `anyOf` the one that is no null, or that is a moment."""
    options = [one for one in (node.get("anyOf") or ()) if isinstance(one, dict)] if isinstance(node, dict) else []
    told = [one for one in options if one.get("type") not in ("null", ["null"])]
    if told and not node.get("type"):
        moments = [one for one in told if one.get("format") in CURSOR_TYPES]
        node = (moments or told)[0] if len(moments or told) == 1 or moments else {"type": "string"}
    return type_of(node), word_of(node)


def streams_of(catalog: Any, tables: Mapping[str, Any], place: str) -> dict[str, Stream]:
    """Table ▸ stream. Raises DefinitionError for what is no catalog."""
    entries = catalog.get("streams") if isinstance(catalog, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        remedy = 'the tap writes {"streams": [...]} where it is run with --discover; or put such a catalog.json beside tap.yaml'
        raise DefinitionError("the tap's catalog has no list of streams", place=place, remedy=remedy)
    streams = [Stream(one) for one in entries]
    return {one.table: Stream(one.entry, tables.get(one.table) or {}) for one in streams if one.table and one.properties}


def chosen(catalog: Any, stream: Stream, fields: Sequence[str], *, cursor: str) -> dict[str, Any]:
    """The catalog with one stream selected, and of it these fields; it has no others, but those that the tap goes by.

    cursor: the field whose changes the tap is asked for; '' for all of it. A method that the tap forces stays.
    """
    made = copy.deepcopy(dict(catalog))
    for entry in made["streams"]:
        own = Stream(entry).table == stream.table
        entry.pop("selected", None)
        metadata = [one for one in entry.get("metadata") or [] if isinstance(one, dict)]
        told = {**Stream(entry).whole, "selected": own, **(_method(stream, cursor) if own else {})}
        entry["metadata"] = [{"breadcrumb": [], "metadata": told}, *(one for one in metadata if one.get("breadcrumb"))]
        if isinstance(entry.get("schema"), dict):
            entry["schema"]["selected"] = own
        if own:
            _only(entry, stream, fields)
            entry |= {name.replace("-", "_"): value for name, value in _method(stream, cursor).items()}
    return made


def _only(entry: dict[str, Any], stream: Stream, fields: Sequence[str]) -> None:
    """Leaves of a stream's entry these fields, selected, and those that its tap goes by."""
    kept = [name for name in stream.properties if name in fields or name in stream.gone_by]
    entry["schema"]["properties"] = {name: stream.properties[name] for name in kept}
    deeper = [one for one in entry["metadata"][1:] if len(one["breadcrumb"]) != 2 and one["breadcrumb"][1:2] in ([k] for k in kept)]
    said = {_of(one): one.get("metadata") or {} for one in entry["metadata"]}
    own = [{"breadcrumb": ["properties", name], "metadata": {**said.get(name, {}), "selected": name in fields}} for name in kept]
    entry["metadata"] = [entry["metadata"][0], *own, *deeper]


def _method(stream: Stream, cursor: str) -> dict[str, Any]:
    method = stream.forced or (INCREMENTAL if cursor else FULL)
    return {"replication-method": method} | ({"replication-key": cursor} if cursor and method == INCREMENTAL else {})
