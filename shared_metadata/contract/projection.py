"""The columns that a statement collects of a source whose tables are described by a schema; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mask, Table
from shared_metadata.program.masks import without_dropped as clear_type
from shared_metadata.program.schema import Schema, SchemaColumn

BATCH = SchemaColumn("_batch", "timestamptz")


def place_of(flow: Flow, table: Table) -> str:
    """Where errors of a table's batches say that they are."""
    return f"{flow.position}: {table.dataset.removesuffix(':staged')}"


def projected(flow: Flow, table: Table, known: Schema, find: Callable[[str, str], SchemaColumn]) -> Schema:
    """The columns that a flow collects, under its names and types, and `_batch`.

    find: a column's name in the flow, and its name at the source ▸ the source's column. It raises DefinitionError for one that is not
    there; so does this where MASK leaves no column. Of a struct it has the fields that are not dropped.
    """
    wanted = [(column.name, _unquoted(column.source)) for column in flow.columns] or [(c.name, c.source) for c in known.columns]
    dropped, columns = table.masked(Mask.DROP), list[SchemaColumn]()
    for name, source in wanted:
        if name not in dropped:
            found = find(name, source)
            kind = flow.casts.get(name, found.type)
            columns.append(replace(found, name=name, type=clear_type(kind, table.masks[name]) if name in table.masks else kind))
    if not columns:
        raise DefinitionError(f"MASK drops every column of {table.source}", place=place_of(flow, table), remedy="leave one")
    return Schema((*columns, BATCH))


def beside(flow: Flow, schema: Schema, known: Schema) -> list[SchemaColumn]:
    """The columns that the flow's WHERE may read and its schema has not: those whose names stand in it."""
    read, text = {column.source.lower() for column in schema.columns}, flow.filter.lower()
    return [column for column in known.columns if column.source.lower() not in read and column.source.lower() in text]


def _unquoted(text: str) -> str:
    """A column's name in the source, of its SQL."""
    stripped = text.strip()
    return stripped[1:-1].replace('""', '"') if stripped.startswith('"') else stripped
