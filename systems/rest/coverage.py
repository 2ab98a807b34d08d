"""What of a manifest is read here: its tables, how each is read, what is left out and why, and the licence of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_metadata.program import Mode
from systems.rest.asked_columns import is_asked, with_properties
from systems.rest.columns import columns_of, cursor_field, of_changes, properties_of
from systems.rest.document import MANIFEST, read, said_of
from systems.rest.manifest import NO_COMPONENTS, Node
from systems.rest.table_defaults import defaults_of, deleted_field
from systems.rest.templates import BY_API, BY_MANIFEST, BY_OPTIONS

METADATA = "metadata.yaml"  # beside a manifest of Airbyte's
_OPTION = re.compile(r"""\bconfig(?:\[\s*["'](\w+)["']\s*\]|\.get\(\s*["'](\w+)|\.(?!get\b)(\w+))""")
WHO: Mapping[str, str] = {BY_API: "the API", BY_OPTIONS: "the connection's options", BY_MANIFEST: "the manifest"}
# Where the vendors of licences say it in full; of others only the name is told.
SAID: Mapping[str, str] = {
    "ELv2": "Elastic License 2.0: use it in your own account; do not offer it to others as a managed service",
    "MIT": "MIT: keep its notice",
}


@dataclass(frozen=True)
class TableRead:
    """key, cursor: columns; none where the manifest has none.  reads: what a batch reads, in words.

    mode: by which it is collected where a program says none.  deletes: how it is known that a record is gone; '' where it is not.
    misses: which changes no batch of a cursor sees beside those that no source of a manifest sees, as the overlay says.
    only: 'MERGE' where it is read in that mode alone.
    """

    name: str
    columns: int
    key: tuple[str, ...]
    cursor: str
    reads: str
    mode: str = "REPLACE"
    deletes: str = ""
    misses: str = ""
    only: str = ""


@dataclass(frozen=True)
class Coverage:
    """left_out: table ▸ why.  options, secret: what a connection says, and its secret holds.  licence: '' where none is told.

    lag: of the source, in seconds, where a connection says no other.
    made: of what streams are made whose names are told elsewhere ▸ who tells them.
    unknown: what the manifest's expressions read of a connection and its specification does not have, so that nothing can give it.
    engine: 'airbyte' where airbyte-cdk reads it; '' for Atoll's own.
    """

    tables: tuple[TableRead, ...]
    left_out: Mapping[str, str]
    options: tuple[str, ...]
    secret: tuple[str, ...]
    licence: str
    lag: int
    unknown: tuple[str, ...] = ()
    engine: str = ""
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_code(self) -> int:
        """How many tables are left out since they need code of the manifest's own, which the other engine runs."""
        return sum("code " in why for why in self.left_out.values()) if not self.engine else 0


def coverage(folder: Path) -> Coverage:
    """Looks through a folder with a manifest. Raises DefinitionError for what cannot be read."""
    from systems.rest.options import plain_fields, secret_fields

    document = read(folder)
    tables = tuple(_table(name, stream, said_of(document, name)) for name, stream in document["streams"].items())
    options, secret = (tuple(name for name, _ in fields(document)) for fields in (plain_fields, secret_fields))
    asked = {name for one in (*document["streams"].values(), *document["templates"]) for name in _options_read(one)}
    made = {one["name"]: WHO[one["components_resolver"]["type"]] for one in document["templates"]}
    unknown, engine = tuple(sorted(asked - {*options, *secret})), document["engine"]
    return Coverage(tables, document["left_out"], options, secret, _licence(folder), document["lag"], unknown, engine, made)


def _options_read(node: Node) -> Iterator[str]:
    """The names of options that the expressions of a stream read, and by which it chooses how to sign in."""
    if isinstance(node, str) and "config" in node and "{" in node:
        yield from (found[1] or found[2] or found[3] for found in _OPTION.finditer(node))
    elif isinstance(node, dict):
        yield from map(str, (node.get("authenticator_selection_path") or ())[:1])
        for key, value in node.items():
            yield from _options_read(value) if key not in NO_COMPONENTS else ()
    elif isinstance(node, list):
        for value in node:
            yield from _options_read(value)


def _table(name: str, stream: Mapping[str, Node], said: Mapping[str, Any]) -> TableRead:
    if is_asked(stream):  # of its columns those are known that are named
        stream = with_properties(stream, {name: {"type": "string"} for name in _named(stream, said)} | dict(properties_of(stream)))
    columns, stream = columns_of(stream, said.get("types") or {}), of_changes(stream)
    names = {column.source: column.name for column in columns}
    defaults, misses, only = defaults_of(stream, said), str(said.get("misses") or ""), said.get("only") or ""
    mode = defaults.mode or Mode.REPLACE
    deletes = defaults.deletes or ("by comparison" if mode == Mode.REPLACE else "")
    cursor = defaults.cursor or names.get(cursor_field(stream), "")
    return TableRead(name, len(columns), defaults.key, cursor, defaults.reads, mode, deletes, misses, only)


def _named(stream: Mapping[str, Node], said: Mapping[str, Any]) -> Iterator[str]:
    """The fields that a manifest and an overlay name of a stream."""
    key, cursor = stream.get("primary_key") or (), (of_changes(stream).get("incremental_sync") or {}).get("cursor_field")
    for one in (key, cursor or (), said.get("key") or (), said.get("cursor") or (), deleted_field(said) or ()):
        yield from (str(name) for name in ([one] if isinstance(one, str) else one) if isinstance(name, str))


def _licence(folder: Path) -> str:
    """The name that the metadata beside the manifest says, and what it asks for."""
    file = folder / METADATA
    if not file.is_file():
        return ""
    import yaml

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        name = str(data["data"]["license"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return ""
    return SAID.get(name, name)


__all__ = ["MANIFEST", "METADATA", "Coverage", "TableRead", "coverage"]
