"""Snapshots of sources' schemas: `schemas/<connection>.json` beside a program, checked in, so that compiling needs no network.

    {"connection": "ops", "system": "postgres", "tables": {
     "public.flights": {"columns": [
      {"name": "id", "type": "long", "nullable": false, "source": "id", "source_type": "bigint"}
     ]}
    }}

A table that was looked for and is not there is null. Columns stand in the source's order and do not include Atoll's own (`_batch`,
`_deleted`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_metadata.program import from_plain
from shared_metadata.program.schema import Schema

FOLDER = "schemas"


@dataclass(frozen=True)
class ConnectionSchemas:
    """The known tables of one connection: name at the source ▸ schema, None for one that is not there."""

    connection: str
    system: str
    tables: Mapping[str, Schema | None] = field(default_factory=dict)

    def to_json(self) -> str:
        """Tables in the order of their names, and a line for each column, so that a change of one column is a change of one line."""
        tables = ",\n".join(f" {json.dumps(name)}: {_table(self.tables[name])}" for name in sorted(self.tables))
        head = json.dumps({"connection": self.connection, "system": self.system})[:-1]
        return f'{head}, "tables": {{\n{tables}\n}}}}\n'

    @staticmethod
    def from_json(text: str) -> ConnectionSchemas:
        """Reads a snapshot. Raises ValueError, KeyError or TypeError for a text that is none."""
        return from_plain(ConnectionSchemas, json.loads(text))


def _table(schema: Schema | None) -> str:
    if schema is None:
        return "null"
    return '{"columns": [\n' + ",\n".join(f"  {json.dumps(dataclasses.asdict(c))}" for c in schema.columns) + "\n ]}"


SourceSchemas = Mapping[str, ConnectionSchemas]
