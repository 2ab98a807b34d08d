"""Decides how the columns of a flow's table are read, by their types in MySQL; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Column, Flow, Mask, Table
from shared_metadata.spelling import did_you_mean
from slices.collect.mysql.values import map_type
from systems.mysql.catalog import SourceColumn, identifier
from systems.sql_source.relation import ReadColumn


def columns_to_read(flow: Flow, table: Table, found: Sequence[SourceColumn]) -> list[SourceColumn]:
    """The columns that a flow names, or all but those it drops. Raises DefinitionError for one that is gone."""
    if not flow.columns:
        dropped = table.masked(Mask.DROP)
        return [column for column in found if not column.hidden and column.name.lower() not in dropped]
    by_name = {column.name.lower(): column for column in found}
    return [_named(flow, table, _unquoted(column.source), by_name) for column in flow.columns]


def spelled(flow: Flow, columns: Sequence[SourceColumn]) -> Flow:
    """The flow with its columns as the source names them, in MySQL's quotes, however they were written."""
    named = zip(flow.columns, columns, strict=bool(flow.columns))
    return replace(flow, columns=tuple(Column(asked.name, identifier(column.name)) for asked, column in named))


def read_columns(columns: Sequence[SourceColumn]) -> list[ReadColumn]:
    return [ReadColumn(c.name, identifier(c.name), c.type_name, c.not_null, map_type(c.type)) for c in columns]


def _unquoted(name: str) -> str:
    """A program quotes names as MySQL does; where a column has gone, those that are left are named in the quotes of the standard."""
    quote = name[:1]
    return name[1:-1].replace(quote * 2, quote) if quote in ("`", '"') else name


def _named(flow: Flow, table: Table, name: str, known: dict[str, SourceColumn]) -> SourceColumn:
    """Names of columns are the same in any case, in quotes too."""
    found = known.get(name.lower())
    if found is None:
        near = did_you_mean(name, [column.name for column in known.values()])
        raise DefinitionError(
            f"{table.source}: there is no column {name}", place=str(flow.position), remedy=f"{near}take it out of the statement"
        )
    return found
