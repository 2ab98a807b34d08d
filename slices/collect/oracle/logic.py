"""Decides how the columns of a flow's table are read, by their types in Oracle; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Column, Flow, Mask, Table
from shared_metadata.spelling import did_you_mean
from slices.collect.oracle.catalog import SourceColumn, identifier
from slices.collect.oracle.type_mapping import map_type
from systems.sql_source.relation import ReadColumn


def columns_to_read(flow: Flow, table: Table, found: Sequence[SourceColumn]) -> list[SourceColumn]:
    """The columns that a flow names, or all but those it drops. Raises DefinitionError for one that is gone."""
    if not flow.columns:
        dropped = table.masked(Mask.DROP)
        return [column for column in found if not column.hidden and column.name.lower() not in dropped]
    return [_named(flow, table, column.source, found) for column in flow.columns]


def spelled(flow: Flow, columns: Sequence[SourceColumn]) -> Flow:
    """The flow with its columns as the source names them, in quotes, however they were written."""
    named = zip(flow.columns, columns, strict=bool(flow.columns))
    return replace(flow, columns=tuple(Column(asked.name, identifier(column.name)) for asked, column in named))


def read_columns(flow: Flow, columns: Sequence[SourceColumn]) -> list[ReadColumn]:
    """Raises DefinitionError for a column whose values are no values of a row."""
    found = []
    for column in columns:
        mapped = map_type(column.type)
        if mapped is None:
            raise DefinitionError(
                f"the column {column.name} is of the type {column.type.written}, of which no row has a plain value",
                place=str(flow.position),
                remedy="name the other columns in a query, or collect a view that makes a text or columns of it",
            )
        found.append(ReadColumn(column.name, identifier(column.name), column.type.written, column.not_null, mapped))
    return found


def _named(flow: Flow, table: Table, written: str, found: Sequence[SourceColumn]) -> SourceColumn:
    """A name in quotes is itself; without them it stands in capitals."""
    quoted = written.startswith('"')
    name = written[1:-1].replace('""', '"') if quoted else written.upper()
    column = next((column for column in found if column.name == name), None)
    folded = [column for column in found if column.name.upper() == name.upper()]
    if column is None and len(folded) == 1:
        column = folded[0]
    if column is None:
        near = did_you_mean(name, [column.name for column in found])
        raise DefinitionError(
            f"{table.source}: there is no column {name}", place=str(flow.position), remedy=f"{near}take it out of the statement"
        )
    return column
