"""A dataset's lineage as plain tuples: they are written and read several times faster than as many small objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from language.text.statement_texts import StatementText
from shared_metadata.program import Masks
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Use
from shared_metadata.program.schema import SchemaColumn

Columns = tuple[SchemaColumn, ...]
Plain = tuple[Any, ...]


def plain_lineage(found: DatasetLineage, text: StatementText) -> Plain:
    """found: of the statement at `text`, to whose beginning its places become relative."""
    columns = [
        (
            c.name,
            c.type,
            c.nullable,
            [_plain_ref(ref) for ref in c.inputs],
            text.relative(c.position),
            _plain_masked(c.masked),
        )
        for c in found.columns
    ]
    uses = [(_plain_ref(use.column), use.use.value, text.relative(use.position)) for use in found.uses]
    return found.dataset, found.flow, columns, uses, text.relative(found.position)


def _plain_ref(ref: ColumnRef) -> Plain:
    return (ref.dataset, ref.column, ref.fields) if ref.fields else (ref.dataset, ref.column)


def _plain_masked(masked: str | Masks) -> Any:
    return {name: _plain_masked(how) for name, how in masked.items()} if isinstance(masked, Mapping) else str(masked)


def lineage_of(plain: Plain, text: StatementText) -> DatasetLineage:
    """What `plain_lineage` was made of, at the places where the text stands now."""
    dataset, flow, columns, uses, at = plain
    return DatasetLineage(
        dataset,
        flow,
        tuple(
            ColumnLineage(name, type_, nullable, tuple(ColumnRef(*ref) for ref in inputs), text.absolute(*place), masked)
            for name, type_, nullable, inputs, place, masked in columns
        ),
        tuple(ColumnUse(ColumnRef(*ref), Use(use), text.absolute(*place)) for ref, use, place in uses),
        text.absolute(*at),
    )


def columns_of(plain: Plain) -> Columns:
    """Its columns alone."""
    return tuple(SchemaColumn(name, type_, nullable) for name, type_, nullable, *_ in plain[2])
