"""Decides what columns a table of events has: the events' keys, or their text, and what the source tells of each; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared_metadata.contract.own_columns import DELETED
from shared_metadata.contract.projection import place_of, projected
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn

DATA = SchemaColumn("data", "string", False, "data", "text")
JSON = "json"  # the type of a column that is a key of events


@dataclass(frozen=True)
class Told:
    """What a source tells of an event beside what the event says.

    lines: the columns of lines (`Lines`) that say it, with DuckDB's types.  columns: those of tables, strings, whole numbers or
    moments.  sql: of each of them what it is, over the lines.  place: where an event stands, likewise, for who looks for it.
    deleted: likewise whether an event says that its key is gone; '' where none says so.
    """

    lines: Mapping[str, str]
    columns: tuple[SchemaColumn, ...]
    sql: Mapping[str, str]
    place: str
    deleted: str = ""

    @property
    def texts(self) -> Schema:
        """The columns of events that are any text."""
        return Schema((replace(DATA, nullable=bool(self.deleted)), *self.columns))


def described(types: Mapping[str, str], known: Schema | None, told: Told) -> Schema:
    """The columns of events with these keys, key ▸ type by a sample.

    known: what the program knows. Its types stay, as another sample is no other type, and its columns, as events may lack some.
    """
    own = {column.name for column in told.columns}
    found = {column.name: column for column in known.columns if column.source_type == JSON} if known else {}
    for key, kind in types.items():
        found.setdefault(key.lower(), SchemaColumn(key.lower(), kind, True, key, JSON))
    return Schema((*(column for name, column in found.items() if name not in own), *told.columns))


def collected(flow: Flow, table: Table, known: Schema, told: Told) -> Schema:
    """The columns that a flow collects, `_batch`, and `_deleted` where events tell it. Raises DefinitionError where one is missing.

    Of a key that no event of the sample had, what the program casts it to is its type.
    """
    sources = {column.source.lower(): column for column in known.columns}

    def find(name: str, source: str) -> SchemaColumn:
        found = sources.get(source.lower())
        if found is None and DATA.name not in sources and name in flow.casts:
            found = SchemaColumn(name, flow.casts[name], True, source, JSON)
        if found is None:
            cause = f"the events of {table.source} have no column {source}"
            raise DefinitionError(cause, place=place_of(flow, table), remedy="change the program")
        return found

    found = projected(flow, table, known, find)
    return Schema((*found.columns, DELETED)) if told.deleted else found
