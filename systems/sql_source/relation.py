"""What a flow's table is at its source: the columns that are read, what stands in FROM for them, and the flow's filter; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.sql_source.dialect import Mapped, TableSize
from systems.sql_source.members import Member

BATCH, DELETED = "_batch", "_deleted"
OWN = (BATCH, DELETED)


@dataclass(frozen=True)
class ReadColumn:
    """A column of a table or of a query's answer. quoted: its name in SQL; type_name: as the source writes it; mapped: how its values
    are read."""

    name: str
    quoted: str
    type_name: str
    not_null: bool
    mapped: Mapped


@dataclass(frozen=True)
class Relation:
    """What a flow's table is at the source.

    reads: what stands in FROM: a quoted table, or the query in parentheses.  columns: SQL over it, in the schema's order.
    expressions: SQL over c0, c1 …: each column as its Iceberg type.  misfits: over the same, where it cannot be or a key is null.
    filter: the flow's WHERE, or ''.  unfiltered: what stands in FROM for the rows that the flow's WHERE does not take, or ''.
    members: the tables that its rows are in, the table itself first; () where they are not known.
    remade: rows come and change at any time whatever their values, as in a materialized view, and tell since when they are there.
    """

    schema: Schema
    reads: str
    columns: tuple[str, ...]
    expressions: tuple[str, ...]
    misfits: tuple[str, ...]
    filter: str = ""
    unfiltered: str = ""
    size: TableSize = field(default_factory=TableSize)
    members: tuple[Member, ...] = ()
    remade: bool = False

    @property
    def left(self) -> tuple[str, tuple[str, ...]]:
        """What stands in FROM and WHERE for the rows that the flow's WHERE does not take; ('', ()) where it has none."""
        if self.unfiltered:
            return self.unfiltered, ()
        return (self.reads, (untrue(self.filter),)) if self.filter else ("", ())

    def due(self, where: str, *, tell_left: bool) -> list[str]:
        """The FROM and WHERE of all rows that a window takes; tell_left: also of those that the flow's WHERE does not take."""
        if tell_left and self.filter:
            return [from_sql(self.reads, [where])]
        found = [from_sql(self.reads, [self.filter, where])]
        return [*found, from_sql(self.unfiltered, [where])] if tell_left and self.unfiltered else found

    def column(self, name: str) -> tuple[SchemaColumn, str] | None:
        """A column, and its SQL over what is read."""
        found = zip(self.schema.columns, self.columns, strict=False)
        return next(((column, expression) for column, expression in found if column.name == name), None)


def table_relation(flow: Flow, reads: str, columns: Sequence[ReadColumn], size: TableSize) -> Relation:
    """A table, with the flow's projection and filter. reads: the table, quoted."""
    names = [column.name for column in flow.columns] or [column.name for column in columns]
    sources = [column.source for column in flow.columns] or [column.quoted for column in columns]
    schema, expressions, misfits = _schema(names, columns, flow)
    return Relation(schema, reads, tuple(sources), expressions, misfits, flow.filter, size=size)


def query_relation(flow: Flow, columns: Sequence[ReadColumn], dropped: Collection[str]) -> Relation:
    """A query of the source's own; what is dropped of its answer stays there."""
    aliases = [f"c{number}" for number in range(len(columns))]
    kept = {alias: column for alias, column in zip(aliases, columns, strict=True) if column.name.lower() not in dropped}
    schema, expressions, misfits = _schema([column.name for column in kept.values()], list(kept.values()), flow)
    named = f"AS query ({', '.join(aliases)})"
    unfiltered = f"({flow.left_out}\n) {named}" if flow.left_out else ""
    return Relation(schema, f"({flow.query}\n) {named}", tuple(kept), expressions, misfits, unfiltered=unfiltered)


def _schema(names: list[str], columns: Sequence[ReadColumn], flow: Flow) -> tuple[Schema, tuple[str, ...], tuple[str, ...]]:
    own, folded = own_columns(flow), dict.fromkeys(OWN, "Atoll's own column")
    place = str(flow.position)
    found, expressions, misfits = [], [], []
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        if name.lower() in folded:
            raise DefinitionError(
                f"the column {name} collides with {folded[name.lower()]}: names are folded to lower case",
                place=place,
                remedy=f"rename it in a query: SELECT …, {column.quoted} AS another_name",
            )
        folded[name.lower()] = name
        found.append(SchemaColumn(name.lower(), column.mapped.iceberg, not column.not_null, column.name, column.type_name))
        expressions.append(column.mapped.expression(f"c{number}"))
        required = name.lower() in keys_of(flow) and not column.not_null
        misfits.append(" OR ".join(filter(None, [column.mapped.misfit(f"c{number}"), f"c{number} IS NULL" * required])))
    if not found:
        raise DefinitionError("there are no columns to collect", place=place, remedy="add a column, or leave the table out")
    return Schema((*found, *own)), tuple(expressions), tuple(misfits)


def keys_of(flow: Flow) -> tuple[str, ...]:
    """The columns by which rows are merged: all rows in which one is null would be one."""
    return flow.key if flow.mode == Mode.MERGE else ()


def own_columns(flow: Flow) -> tuple[SchemaColumn, ...]:
    """Those that Atoll adds to every row of the flow."""
    batch = SchemaColumn(BATCH, "timestamptz", False)
    return (batch, SchemaColumn(DELETED, "boolean")) if flow.reports_left else (batch,)


def untrue(condition: str) -> str:
    """The condition of rows that do not fulfil another one, or of which that is not known."""
    return f"CASE WHEN {condition}\nTHEN 0 ELSE 1 END = 1"  # which every database takes


def rows_sql(reads: str, columns: Sequence[str], where: Sequence[str]) -> str:
    """A SELECT of `columns`; each condition on lines of its own, since a filter may end in a comment."""
    return f"SELECT {', '.join(columns)} {from_sql(reads, where)}"


def from_sql(reads: str, where: Sequence[str]) -> str:
    """FROM and WHERE of the rows that fulfil all conditions."""
    conditions = "\nAND ".join(f"({condition}\n)" for condition in where if condition)
    return f"FROM {reads}" + (f"\nWHERE {conditions}" if conditions else "")
