"""What of a manifest is read here: its tables, how each is read, what is left out and why, and the licence of the text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systems.rest.columns import columns_of, cursor_field, key_fields
from systems.rest.document import MANIFEST, read
from systems.rest.manifest import Node

METADATA = "metadata.yaml"  # beside a manifest of Airbyte's
# Where the vendors of licences say it in full; of others only the name is told.
SAID: Mapping[str, str] = {
    "ELv2": "Elastic License 2.0: use it in your own account; do not offer it to others as a managed service",
    "MIT": "MIT: keep its notice",
}


@dataclass(frozen=True)
class TableRead:
    """key, cursor: columns; none where the manifest has none.  reads: what a batch reads, in words.

    misses: which changes no batch of a cursor sees beside those that no source of a manifest sees, as the overlay says.
    only: 'MERGE' where it is read in that mode alone.
    """

    name: str
    columns: int
    key: tuple[str, ...]
    cursor: str
    reads: str
    misses: str = ""
    only: str = ""


@dataclass(frozen=True)
class Coverage:
    """left_out: table ▸ why.  options, secret: what a connection says, and its secret holds.  licence: '' where none is told."""

    tables: tuple[TableRead, ...]
    left_out: Mapping[str, str]
    options: tuple[str, ...]
    secret: tuple[str, ...]
    licence: str


def coverage(folder: Path) -> Coverage:
    """Looks through a folder with a manifest. Raises DefinitionError for what cannot be read."""
    from systems.rest.options import plain_fields, secret_fields

    document = read(folder)
    tables = tuple(_table(name, stream, document["tables"].get(name) or {}) for name, stream in document["streams"].items())
    options, secret = (tuple(name for name, _ in fields(document)) for fields in (plain_fields, secret_fields))
    return Coverage(tables, document["left_out"], options, secret, _licence(folder))


def _table(name: str, stream: Mapping[str, Node], said: Mapping[str, Any]) -> TableRead:
    columns = columns_of(stream, said.get("types") or {})
    names = {column.source: column.name for column in columns}
    router = stream["retriever"].get("partition_router") or []
    parents = any(one.get("parent_stream_configs") for one in (router if isinstance(router, list) else [router]))
    cursor = cursor_field(stream)
    said_in_place = "stream_interval" in json.dumps(stream["retriever"]["requester"])
    asks = bool(cursor and (said_in_place or (stream.get("incremental_sync") or {}).get("start_time_option")))
    reads = "what its cursor says is new" if asks else "all"
    reads = said.get("reads") or (f"{reads}, by each parent" if parents else reads)
    key, misses = tuple(names[field] for field in key_fields(stream)), str(said.get("misses") or "")
    return TableRead(name, len(columns), key, names.get(cursor, ""), reads, misses, said.get("only") or "")


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
