"""Decides how the columns of a flow's table are read, by their types in PostgreSQL and by the flow's casts; no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.program import Flow
from slices.collect.postgres.casting import cast_type
from slices.collect.postgres.type_mapping import map_type
from systems.postgres.catalog import SourceColumn
from systems.sql_source.dialect import Mapped
from systems.sql_source.relation import ReadColumn


def read_columns(flow: Flow, columns: Sequence[SourceColumn], names: Sequence[str] = ()) -> list[ReadColumn]:
    """Reads columns. names: the flow's names, where the source's differ. Raises DefinitionError where there is no such cast."""
    return [
        ReadColumn(column.name, identifier(column.name), column.type_name, column.not_null, _mapped(flow, column, name))
        for column, name in zip(columns, names or [column.name for column in columns], strict=True)
    ]


def _mapped(flow: Flow, column: SourceColumn, name: str) -> Mapped:
    wanted = flow.casts.get(name.lower())
    return map_type(column.type) if wanted is None else cast_type(column.type, wanted, name, str(flow.position))
