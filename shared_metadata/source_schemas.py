"""Snapshots of sources' schemas: `schemas/<connection>.json` beside a program, checked in, so that compiling needs no network.

    {"connection": "ops", "system": "postgres", "tables": {
      "public.flights": {"columns": [{"name": "id", "type": "long", "nullable": false, "source": "id", "source_type": "bigint"}]}}}

A table that was looked for and is not there is null. Columns stand in the source's order and do not include Atoll's own (`_batch`,
`_deleted`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_metadata.program import from_plain
from shared_metadata.records import Schema

FOLDER = "schemas"


@dataclass(frozen=True)
class ConnectionSchemas:
    """What is known of one connection's tables: name at the source ▸ schema, None for one that is not there."""

    connection: str
    system: str
    tables: Mapping[str, Schema | None] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str) -> ConnectionSchemas:
        """Raises ValueError, KeyError or TypeError for a text that is not such a snapshot."""
        return from_plain(ConnectionSchemas, json.loads(text))


SourceSchemas = Mapping[str, ConnectionSchemas]
