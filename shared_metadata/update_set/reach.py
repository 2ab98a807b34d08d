"""Follows a change from a statement's text, over the columns that readers use, to their own columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from shared_metadata.program import Column, Flow, Kind, Position
from shared_metadata.program.lineage import ColumnRef, DatasetLineage, Lineage, Use, overlap, schema_digest
from shared_metadata.program.masks import Path
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_widening import PROMOTIONS, Widens
from shared_metadata.update_set.column_changes import Renamed, Shapes, certain_renames, column_changes, hashed_anew
from shared_metadata.update_set.field_changes import changed_fields
from shared_metadata.update_set.records import ColumnChange, ColumnKind, QueryShape, Reach, ReaderEffect
from shared_metadata.update_set.statements import Statement, expectations, signed

ShapeOf = Callable[[Flow, Renamed], QueryShape | None]
_OTHER_ROWS = ("kind", "slice", "warehouse", "connection", "mode", "key", "CURSOR", "functions")
_OTHER_VALUES = (
    *(ColumnKind.WIDENED, ColumnKind.NARROWED, ColumnKind.RETYPED),
    *(ColumnKind.NULLABLE, ColumnKind.MEANING, ColumnKind.MASKED),
)
_GONE = (ColumnKind.DROPPED, ColumnKind.RENAMED)


@dataclass(frozen=True)
class DataChange:
    """The change of a dataset's data: rows, and with them everything; or the values of `columns` (names of the new program).

    fields: for columns of which only some fields differ, those.
    """

    rows: bool = False
    columns: frozenset[str] = frozenset()
    fields: Mapping[str, frozenset[Path]] = field(default_factory=dict)

    def changes(self, ref: ColumnRef) -> bool:
        """Whether a column of the dataset, or a field of one, has other values."""
        parts = self.fields.get(ref.column, frozenset({()}))
        return ref.column in self.columns and any(overlap(path, ref.fields) for path in parts)


@dataclass
class Reached:
    """The result by dataset: the changes of its data and its columns, and for readers their causes."""

    data: dict[str, DataChange] = field(default_factory=dict)
    columns: dict[str, list[ColumnChange]] = field(default_factory=dict)
    readers: dict[str, ReaderEffect] = field(default_factory=dict)


def reach(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    words: Mapping[str, Sequence[str]],
    lineages: tuple[Lineage, Lineage] | None,
    shape_of: ShapeOf,
    widens: Mapping[str, Widens],
) -> Reached:
    """Walks the statements that both programs have, inputs first.

    words: the changed parts of each changed statement.  lineages: former and new; None where one of them is unknown: then a reader of
    a changed statement counts as changed entirely.  widens: of each warehouse, what a column's type becomes there.
    """
    found, renamed = Reached(), dict[ColumnRef, ColumnRef]()
    if lineages is not None:
        found.data.update(_sources(lineages[0].sources, lineages[1].sources))
    sources_differ = bool(found.data)
    for name in _inputs_first(new):
        if name not in old:
            continue
        before, after, parts = old[name], new[name], words.get(name, ())
        own = parts or signed(before.last, after.last) or (sources_differ and after.first.kind == Kind.COLLECT)
        if lineages is not None and not own and not _columns_differ(found, after):
            _same_columns(found, after)
            continue
        shapes = _shapes(before.first, after.first, renamed, shape_of) if "query" in parts else (None, None)
        for dataset in after.datasets:
            if dataset in before.datasets:
                able = widens.get(after.last.warehouse, PROMOTIONS)
                _visit(found, dataset, (before, after), parts, shapes, lineages, renamed, able)
    return found


def _columns_differ(found: Reached, statement: Statement) -> bool:
    """Whether a column of one of its inputs changes; if so, the lineage decides about its own columns."""
    return any(found.columns.get(name) or (name in found.data and found.data[name].columns) for name in statement.inputs)


def _same_columns(found: Reached, statement: Statement) -> None:
    """The change of an unchanged statement over inputs with unchanged columns: it may have other rows, and nothing else.

    No lineage is looked at, of which a program has megabytes.
    """
    rows_of = tuple(sorted({name for name in statement.inputs if name in found.data}))
    for dataset in statement.datasets if rows_of else ():
        found.data[dataset] = DataChange(rows=True)
        found.readers[dataset] = ReaderEffect(dataset, statement.last.position, rows_of=rows_of, rows=True)


def _inputs_first(statements: Mapping[str, Statement]) -> Iterator[str]:
    makers = {dataset: name for name, statement in statements.items() for dataset in statement.datasets}
    graph = {name: [makers[i] for i in statement.inputs if i in makers] for name, statement in statements.items()}
    return iter(TopologicalSorter(graph).static_order())


def _sources(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> dict[str, DataChange]:
    found = {}
    for table in old.keys() & new.keys():
        if schema_digest(old[table]) != schema_digest(new[table]):
            before = {(c.source or c.name): (c.type, c.source_type, c.nullable) for c in old[table].columns}
            after = {(c.source or c.name): (c.type, c.source_type, c.nullable) for c in new[table].columns}
            found[table] = DataChange(columns=frozenset(c for c in before.keys() & after.keys() if before[c] != after[c]))
    return found


def _shapes(old: Flow, new: Flow, renamed: Renamed, shape_of: ShapeOf) -> Shapes:
    if old.columns and new.columns:  # a projection of one table
        return tuple(QueryShape(f.filter, {c.name: _value(f, c) for c in f.columns}) for f in (old, new))  # type: ignore[return-value]
    return shape_of(old, {}), shape_of(new, renamed)


def _value(flow: Flow, column: Column) -> str:
    """The content of a projected column: the source's column, and its cast; a struct's changes are found by its fields' types."""
    cast, masked = flow.casts.get(column.name, ""), flow.tables[0].masks.get(column.name)
    if cast.startswith("struct<") and not isinstance(masked, str):
        return f"{column.source}::struct"
    return f"{column.source}::{cast}" if cast else column.source


def _visit(
    found: Reached,
    dataset: str,
    statements: tuple[Statement, Statement],
    parts: Sequence[str],
    shapes: Shapes,
    lineages: tuple[Lineage, Lineage] | None,
    renamed: dict[ColumnRef, ColumnRef],
    able: Widens,
) -> None:
    rows = _own_rows(dataset, statements, parts, shapes)
    known = [lineage.datasets[dataset] for lineage in lineages or () if dataset in lineage.datasets]
    if len(known) == 2:
        changes = found.columns[dataset] = column_changes(known[0], known[1], shapes, renamed, able)
        if statements[0].first.mask_key != statements[1].first.mask_key:
            changes += hashed_anew(known[0], known[1])
        renamed.update({ColumnRef(dataset, now): ColumnRef(dataset, was) for was, now in certain_renames(*shapes).items()})
        effect = _effect(found, statements[1], known[0], known[1], rows, {c.column for c in changes if c.kind in _OTHER_VALUES})
    else:
        inputs = tuple(name for name in statements[1].inputs if name in found.data)
        differs = rows or bool(inputs) or shapes[0] != shapes[1] or "MASK" in parts
        effect = ReaderEffect(dataset, statements[1].last.position, rows_of=inputs, rows=differs, known=False)
    if effect.changes:
        fields = changed_fields(dataset, statements, found.columns.get(dataset, ()))
        by_inputs = {c.name for each in known[1:] for c in each.columns if any(_changes(found, ref) for ref in c.inputs)}
        by_field = {name: each for name, each in fields.items() if name not in by_inputs}
        found.data[dataset] = DataChange(effect.rows, frozenset(effect.columns), by_field)
    if (effect.by or effect.rows_of) and statements[1].first.kind != Kind.COLLECT:
        found.readers[dataset] = effect


def _own_rows(
    dataset: str,
    statements: tuple[Statement, Statement],
    parts: Sequence[str],
    shapes: Shapes,
) -> bool:
    """Whether the statement's own changes may give the dataset other rows."""
    old, new = statements
    if any(word in _OTHER_ROWS for word in parts) or _sources_of(old, dataset) != _sources_of(new, dataset):
        return True
    if "EVERY" in parts and new.first.kind != Kind.COLLECT and not (old.first.whole and new.first.whole):
        return True
    if "EXPECT" in parts and _quarantine(old) != _quarantine(new):
        return True
    return "query" in parts and (shapes[0] is None or shapes[1] is None or shapes[0].rows != shapes[1].rows)


def _sources_of(statement: Statement, dataset: str) -> list[str]:
    """The source's table of a collected dataset."""
    return [table.source for table in statement.first.tables if table.source and table.dataset.removesuffix(":staged") == dataset]


def _quarantine(statement: Statement) -> set[tuple[str, str, str]]:
    """The expectations that reject rows."""
    return {e for flow in statement.flows for e in expectations(flow) if e[2] == "QUARANTINE"}


def _effect(
    found: Reached, statement: Statement, former: DatasetLineage, lineage: DatasetLineage, rows: bool, columns: set[str]
) -> ReaderEffect:
    """The effect of its own changes and its inputs' on a dataset."""
    position = statement.last.position
    used, lost = tuple(_used(found, lineage)), tuple(_lost(found, former, position))
    rows_of = tuple(sorted({name for name in statement.inputs if name in found.data and found.data[name].rows}))
    columns = columns | {c.name for c in lineage.columns if any(_changes(found, ref) for ref in c.inputs)}
    rows = rows or bool(rows_of) or any(set(reach.uses) - {Use.VALUE, Use.EXPECT} for reach in used)
    return ReaderEffect(lineage.dataset, position, (*used, *lost), rows_of, tuple(sorted(columns)), rows)


def _changes(found: Reached, ref: ColumnRef) -> bool:
    return ref.dataset in found.data and found.data[ref.dataset].changes(ref)


def _used(found: Reached, lineage: DatasetLineage) -> Iterator[Reach]:
    """The uses of columns whose values change, one for each column."""
    refs = dict.fromkeys(use.column for use in lineage.uses if _changes(found, use.column))
    for ref in refs:
        uses = [use for use in lineage.uses if use.column == ref]
        first = min(uses, key=lambda use: (use.position.file, use.position.line, use.position.column))
        yield Reach(ref, tuple(use.use for use in uses), first.position)


def _lost(found: Reached, former: DatasetLineage, position: Position) -> Iterator[Reach]:
    """The removed or renamed columns that the former statement used; the place is the new statement's."""
    for ref in dict.fromkeys(use.column for use in former.uses):
        if any(c.column == ref.column and c.kind in _GONE for c in found.columns.get(ref.dataset, ())):
            yield Reach(ref, tuple(use.use for use in former.uses if use.column == ref), position)
