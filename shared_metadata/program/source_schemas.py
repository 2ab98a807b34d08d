"""Snapshots of sources' schemas: `schemas/<connection>.json` beside a program, checked in, so that compiling needs no network.

    {"connection": "ops", "system": "postgres", "tables": {
     "public.flights": {"columns": [
      {"name": "id", "type": "long", "nullable": false, "source": "id", "source_type": "bigint"}
     ]}
    }}

A table that was looked for and is not there is null. Columns stand in the source's order and do not include Atoll's own (`_batch`,
`_deleted`). Beside "tables", "notes" says of some of them by what a statement would lose rows, and "defaults" how one is collected
where a statement leaves it open: {"public.flights": {"key": ["id"]}}.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared_metadata.program import Mode, from_plain
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_names import parsed

FOLDER = "schemas"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CHANGED = r"(updated?|modified|modify|modification|changed?|edit(ed)?)"
_OF_CHANGES = re.compile(rf"(last|date|time)?{_CHANGED}(at|on|by|date|time|timestamp|utc)*", re.IGNORECASE)


def names_a_change(column: str) -> bool:
    """Whether a column is called as one that moves when its row changes: updated_at, lastModifiedDate; not credited_at, edition.

    One that is not called so may be set once, when a row is made: a MERGE by it would miss what changes later.
    """
    return any(_OF_CHANGES.fullmatch(word) for word in _WORDS.findall(column))


class Concern(StrEnum):
    """Which statements over a table a note is for: those in MERGE, those by a cursor, or those by CAPTURE."""

    MERGE = "merge"
    CURSOR = "cursor"
    CAPTURE = "capture"


@dataclass(frozen=True)
class SourceNote:
    """What is to be known of a table: why rows of it may stay away, or stay, unnoticed; or what a source would go on keeping.

    text: with the remedy.  column: the cursor it is for; '' for any.
    """

    concerns: Concern
    text: str
    column: str = ""


@dataclass(frozen=True)
class TableDefaults:
    """How a table is collected where a statement leaves it open, as its source tells; names are the columns' in a warehouse.

    key: what tells its rows apart; () where the source has none.  cursor: the column that moves when a row changes; '' where there is
    none, or only one that says when a row was made.  mode: None for the slice's default.
    deletes: how it is known that a row is gone, in words, where batches report it as `_deleted`; '' where only a REPLACE shows it.
    reads: what of the table a batch reads, in words; '' where that follows from the mode and the cursor.
    """

    key: tuple[str, ...] = ()
    cursor: str = ""
    mode: Mode | None = None
    deletes: str = ""
    reads: str = ""

    def to_plain(self) -> dict[str, object]:
        """What it says, without what it leaves open."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class ConnectionSchemas:
    """The known tables of one connection: name at the source ▸ schema, None for one that is not there; notes, defaults: by name."""

    connection: str
    system: str
    tables: Mapping[str, Schema | None] = field(default_factory=dict)
    notes: Mapping[str, tuple[SourceNote, ...]] = field(default_factory=dict)
    defaults: Mapping[str, TableDefaults] = field(default_factory=dict)

    def defaults_of(self, table: str) -> TableDefaults:
        """A table's, by its name in any case; of one that is not known, none."""
        found = self.defaults.get(table)
        return found or next((d for name, d in self.defaults.items() if name.lower() == table.lower()), NO_DEFAULTS)

    def to_json(self) -> str:
        """Tables in the order of their names, and a line for each column, so that a change of one column is a change of one line."""
        tables = ",\n".join(f" {json.dumps(name)}: {_table(self.tables[name])}" for name in sorted(self.tables))
        head = json.dumps({"connection": self.connection, "system": self.system})[:-1]
        noted = ",\n".join(
            f" {json.dumps(name)}: {json.dumps([dataclasses.asdict(note) for note in self.notes[name]])}"
            for name in sorted(self.notes)
        )
        notes = f', "notes": {{\n{noted}\n}}' if noted else ""
        left_open = ",\n".join(f" {json.dumps(name)}: {json.dumps(self.defaults[name].to_plain())}" for name in sorted(self.defaults))
        defaults = f', "defaults": {{\n{left_open}\n}}' if left_open else ""
        return f'{head}, "tables": {{\n{tables}\n}}{notes}{defaults}}}\n'

    @staticmethod
    def from_json(text: str) -> ConnectionSchemas:
        """Reads a snapshot. Raises ValueError, KeyError or TypeError for a text that is none."""
        found = from_plain(ConnectionSchemas, json.loads(text))
        for table, schema in found.tables.items():
            for column in schema.columns if schema is not None else ():
                _check_type(table, column)
        return found


def _check_type(table: str, column: SchemaColumn) -> None:
    try:
        parsed(column.type)
    except ValueError as error:
        raise ValueError(f"{table}.{column.name}: {error}") from error


def _table(schema: Schema | None) -> str:
    if schema is None:
        return "null"
    return '{"columns": [\n' + ",\n".join(f"  {json.dumps(dataclasses.asdict(c))}" for c in schema.columns) + "\n ]}"


NO_DEFAULTS = TableDefaults()
SourceSchemas = Mapping[str, ConnectionSchemas]
