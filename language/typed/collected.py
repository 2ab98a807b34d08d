"""The columns of what is collected: of whole tables, those that a `*` stands for, and those that Atoll adds."""

from __future__ import annotations

from collections.abc import Callable

from language.sql.source_names import source_name
from language.sql.typing import QueryColumn, QueryUse, TypedQuery
from language.text.diagnostics import Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Column
from shared_metadata.program.lineage import Use
from shared_metadata.program.schema import Schema, SchemaColumn


def own_columns(collector: Slice, *, reports_left: bool) -> tuple[SchemaColumn, ...]:
    """The columns that Atoll adds to every collected row; reports_left: rows that are gone are told otherwise."""
    batch = SchemaColumn("_batch", "timestamptz", False)
    marked = collector.capabilities.reports_deletes or reports_left
    return (batch, SchemaColumn("_deleted", "boolean")) if marked else (batch,)


def whole_table(name: str, schema: Schema, span: Span) -> TypedQuery:
    """Every column of a table that is listed in TABLES (…); places are relative to `span`."""
    width = span.end - span.start
    columns = tuple(
        QueryColumn(c.name, c.type, ((name, source_name(c)),), 0, width, c.nullable, c.source_type) for c in schema.columns
    )
    return TypedQuery(columns, tuple(QueryUse(name, source_name(c), Use.VALUE, 0, width) for c in schema.columns))


def pinned_columns(schema: Schema, spelled: Callable[[str], str]) -> tuple[Column, ...]:
    """The columns that `*` stands for, by name.  spelled: a name as the source's SQL writes it."""
    return tuple(Column(column.name, spelled(source_name(column))) for column in schema.columns)
