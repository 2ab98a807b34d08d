"""Compares an update set with the tables as they are: a column that a table has in another type takes no values of the new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from shared_metadata.program import Kind, Program
from shared_metadata.program.lineage import DatasetLineage, Lineage
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_widening import PROMOTIONS, Widens, widened
from shared_metadata.update_set.records import Breaking, ColumnKind, Reason, UpdateSet
from shared_metadata.update_set.statements import statement_id

_MADE_IN_A_WAREHOUSE = (Kind.LOAD, Kind.VIEW)


def to_look_at(update: UpdateSet, program: Program) -> list[str]:
    """The datasets in warehouses whose tables decide whether the update set's columns fit: of statements that are new or changed, and
    those that get columns of other types.
    """
    statements = {*update.added, *(change.statement for change in update.changed)}
    retyped = {change.dataset for change in update.columns if change.kind == ColumnKind.RETYPED}
    flows = [flow for flow in program.flows.values() if flow.kind in _MADE_IN_A_WAREHOUSE]
    return sorted(
        table.dataset for flow in flows for table in flow.tables if table.dataset in retyped or statement_id(flow.id) in statements
    )


def held_against(update: UpdateSet, program: Program, lineage: Lineage, tables: Mapping[str, Schema | None]) -> UpdateSet:
    """The update set with the breaks by type that the tables themselves tell, in place of those against the former program.

    tables: dataset ▸ the columns of its table; None where no batch has made one.
    """
    others = [item for item in update.breaking if item.reason != Reason.TYPE_CHANGED or item.dataset not in tables]
    makers = program.producers
    widens = {name: program.warehouses[makers[name].warehouse].widens for name in tables if name in makers}
    return replace(update, breaking=(*others, *_unfit(lineage.some(tables), tables, widens)))


def _unfit(
    datasets: Iterable[DatasetLineage], tables: Mapping[str, Schema | None], widens: Mapping[str, Widens]
) -> Iterator[Breaking]:
    for dataset in sorted(datasets, key=lambda one: one.dataset):
        table = tables[dataset.dataset]
        held = {column.name: column.type for column in table.columns} if table else {}
        for column in dataset.columns:
            before = held.get(column.name)
            if before and widened(before, column.type, widens.get(dataset.dataset, PROMOTIONS)) is None:
                why = f"{before} becomes {column.type}: a table cannot change it in place, so batches would fail"
                remedy = f"CAST it to {before}, or give it another name"
                if column.masked:
                    remedy = "collect it into a table of another name"
                yield Breaking(dataset.dataset, column.name, Reason.TYPE_CHANGED, why, remedy, column.position, fails=True)
