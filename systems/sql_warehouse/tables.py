"""A table as its catalog tells it, and the statements that change its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.own_columns import VIEW_BATCH, unlike
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.sql_warehouse.dialect import WarehouseSql

Stored = dict[tuple[str, str], tuple[SchemaColumn, ...]]
MARK = "atoll "  # begins the word of a column's type, where it is Atoll that has declared it
WIDER = "atoll_wider"  # what a column is called for as long as it takes the values of a narrower one


def place_of(dataset: str) -> tuple[str, str]:
    """'dwh.ops.flights' ▸ its schema and its table."""
    _, schema, name = dataset.split(".")
    return schema, name


def stored(sql: WarehouseSql, rows: Sequence[Sequence[Any]], place: str) -> Stored:
    """What `columns_of` gave. Raises DefinitionError for a column of a type that is none of ours."""
    found: Stored = {}
    for schema, name, column, word, precision, scale in rows:
        kind = sql.type_known(str(word), (int(precision or 0), int(scale or 0)))
        if kind is None:
            raise DefinitionError(
                f"the column {column} of {schema}.{name} in {sql.title} has the type {word}, which is none of Atoll's",
                place=place,
                remedy="name this dataset otherwise: that table is another's, or its column was changed there",
            )
        place_known = sql.name_known(str(schema)), sql.name_known(str(name))
        found[place_known] = (*found.get(place_known, ()), SchemaColumn(sql.name_known(str(column)), kind))
    return found


def marked(sql: WarehouseSql, rows: Sequence[Sequence[Any]]) -> set[tuple[str, str]]:
    """The tables whose columns Atoll has declared, as far as a warehouse lets it mark them: they are its own, ledger or not."""
    return {(sql.name_known(str(row[0])), sql.name_known(str(row[1]))) for row in rows if str(row[3]).startswith(MARK)}


def refuse_another_s(sql: WarehouseSql, schema: str, name: str, place: str) -> DefinitionError:
    """The error for a table that stands in the way."""
    return DefinitionError(
        f"the table {schema}.{name} is in {sql.title} and was not made by Atoll",
        place=place,
        remedy="name this dataset otherwise, or rename that table; Atoll touches no table that it did not make",
    )


def evolved(sql: WarehouseSql, written: str, known: Sequence[SchemaColumn], changes: Mapping[str, str]) -> list[list[str]]:
    """Transactions that give a table columns, or wider ones.  changes: column ▸ type, as `evolution` says."""
    former = {column.name: column.type for column in known}
    steps, other = list[list[str]](), unlike({*former, *changes}, WIDER)
    for name, kind in changes.items():
        column = sql.identifier(name)
        if name not in former:
            steps.append([f"ALTER TABLE {written} ADD COLUMN {column} {sql.declared(kind)}"])
        else:
            steps += sql.widened(written, column, former[name], kind, other)
    return steps


def widened_by_copying(sql: WarehouseSql, written: str, column: str, type_name: str, other: str) -> list[list[str]]:
    """Makes the column anew: for a warehouse that changes no column's type, and has all of this in one transaction."""
    wider = sql.identifier(other)
    return [
        [
            f"ALTER TABLE {written} ADD COLUMN {wider} {sql.type(type_name)}",
            f"UPDATE {written} SET {wider} = {column}",
            f"ALTER TABLE {written} DROP COLUMN {column}",
            f"ALTER TABLE {written} RENAME COLUMN {wider} TO {column}",
        ]
    ]


def together(steps: Sequence[Sequence[str]], most: int) -> list[list[str]]:
    """The same as fewer transactions, each of at most so many statements."""
    found: list[list[str]] = []
    for step in steps:
        if found and len(found[-1]) + len(step) <= most:
            found[-1] += step
        else:
            found.append([*step])
    return found


def schema_of(known: Sequence[SchemaColumn], columns: Sequence[SchemaColumn], changes: Mapping[str, str]) -> Schema:
    """The table's schema after a batch, with what is known of its columns' origin; without the hidden batch column."""
    origin = {column.name: column for column in columns}
    types = {column.name: column.type for column in known} | dict(changes)
    found = (
        SchemaColumn(name, kind, True, origin[name].source, origin[name].source_type) if name in origin else SchemaColumn(name, kind)
        for name, kind in types.items()
    )
    return Schema(tuple(column for column in found if column.name != VIEW_BATCH))
