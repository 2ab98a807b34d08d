"""Judges a change of a source's table: classifies it, finds the columns' users, and the datasets that have to stop. Pure.

A change *breaks* when a column in use is gone or no longer takes the values that it took. Then exactly the datasets that use it,
and all that read those, are quiesced; everything else runs on. Collect itself stops only where it needs the column to know which
rows to take (CURSOR, WHERE, MERGE ON); otherwise it goes on without it, and the warehouse's column holds nulls from there on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from shared_metadata.drift.collected import collecting, widens
from shared_metadata.drift.renames import Alike, probable_renames, unknown
from shared_metadata.program import Mask, Position, Program
from shared_metadata.program.lineage import ColumnRef, DatasetLineage, Lineage, Use, digest
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_widening import Widens, widened


class Change(StrEnum):
    """The kinds of change of a source's column or table."""

    COLUMN_ADDED = "column added"
    COLUMN_DROPPED = "column dropped"
    TYPE_WIDENED = "type widened"
    TYPE_NARROWED = "type narrowed"
    TYPE_CHANGED = "type changed"
    TYPE_RENAMED = "type renamed"  # the source's word for it; the warehouse's type is the same
    NULLS_ALLOWED = "nulls allowed"
    NULLS_REFUSED = "nulls refused"
    TABLE_DROPPED = "table dropped"


BREAKING = frozenset({Change.COLUMN_DROPPED, Change.TYPE_NARROWED, Change.TYPE_CHANGED, Change.TABLE_DROPPED})
# The warehouse's column cannot take the new values: it does not become so wide.
NOT_COLLECTED = frozenset({Change.COLUMN_DROPPED, Change.TYPE_CHANGED})


@dataclass(frozen=True)
class DriftUse:
    """A use of the changed column or table by the program. dataset: made by the statement.  column: as that statement names it."""

    dataset: str
    column: str
    use: Use
    position: Position


@dataclass(frozen=True)
class DriftChange:
    """One change of one table of a source.

    table: with its connection ('ops.public.planes').  column: as the source names it, '' for the whole table.
    before, after: 'int (integer)', '' where there is none.  probable_rename: the column that it probably is now, '' for none.
    evidence: why that is probable.  used_by: in the order of the program's text.
    quiesces: the datasets to stop, sorted: the users' and all that read them; ':staged' ones where collect itself stops.
    nulls: columns of collected datasets that hold nulls from here on.
    """

    kind: Change
    table: str
    column: str = ""
    before: str = ""
    after: str = ""
    probable_rename: str = ""
    evidence: str = ""
    used_by: tuple[DriftUse, ...] = ()
    quiesces: tuple[str, ...] = ()
    nulls: tuple[ColumnRef, ...] = ()

    @property
    def identity(self) -> str:
        """The identity of the change: the same however often it is seen and whichever flows use the column by then."""
        return digest([self.kind, self.table, self.column, self.before, self.after])

    def stops(self, dataset: str) -> bool:
        return dataset in self.quiesces


def classify(
    known: Schema, now: Schema | None, table: str, lineage: Lineage, program: Program, alike: Alike = unknown
) -> list[DriftChange]:
    """Lists the changes between the schema that the program was compiled against and the source's now (None: the table is gone)."""
    if now is None:
        return [impact(DriftChange(Change.TABLE_DROPPED, table), lineage, program)]
    changes = _changes(known, now, table, alike, widens(table, program))
    return [impact(change, lineage, program) for change in changes]


def impact(change: DriftChange, lineage: Lineage, program: Program) -> DriftChange:
    """Returns the change with its users in this program, and the datasets that it quiesces there."""
    if change.kind not in BREAKING:
        return replace(change, used_by=(), quiesces=(), nulls=())
    users = _Users(lineage, program)
    if change.kind == Change.TABLE_DROPPED:
        users.of_table(change.table)
    else:
        users.of_column(change.table, change.column, retyped=change.kind != Change.COLUMN_DROPPED)
    nulls = users.collected if change.kind in NOT_COLLECTED else []
    return replace(
        change,
        used_by=tuple(sorted(users.found, key=_place)),
        quiesces=tuple(sorted(readers(program, users.stopped))),
        nulls=tuple(sorted(nulls)),
    )


def is_still(change: DriftChange, lineage: Lineage) -> bool:
    """Whether a program with this lineage still expects the table as it was before the change."""
    if change.table not in lineage.sources:
        return False
    columns = {source_name(column): column for column in lineage.sources[change.table].columns}
    match change.kind:
        case Change.TABLE_DROPPED:
            return True
        case Change.COLUMN_ADDED:
            return change.column not in columns
        case Change.NULLS_ALLOWED | Change.NULLS_REFUSED:
            return change.column in columns and _nulls(columns[change.column]) == change.before
    return change.column in columns and type_words(columns[change.column]) == change.before


def readers(program: Program, datasets: Iterable[str]) -> set[str]:
    """The datasets and all that are made from them, however far away."""
    direct: dict[str, list[str]] = {}
    for flow in program.flows.values():
        for table in flow.tables:
            for name in table.inputs:
                direct.setdefault(name, []).append(table.dataset)
    found, left = set[str](), list(datasets)
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += direct.get(name, [])
    return found


def flows_of(program: Program, datasets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Flow ▸ its datasets among these, both sorted."""
    producers, found = program.producers, dict[str, list[str]]()
    for name in sorted(datasets):
        if name in producers:
            found.setdefault(producers[name].id, []).append(name)
    return {flow: tuple(names) for flow, names in sorted(found.items())}


def source_name(column: SchemaColumn) -> str:
    """A column as its source names it, without quotes."""
    return _unquoted(column.source or column.name)


def type_words(column: SchemaColumn) -> str:
    """'int (integer)'; one word where the source has no other."""
    return f"{column.type} ({column.source_type})" if column.source_type not in ("", column.type) else column.type


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def _plain(name: str) -> str:
    """A name folded: columns of a collected table never differ in case only, which is an error before anything runs."""
    return _unquoted(name).lower()


def _nulls(column: SchemaColumn) -> str:
    return "nullable" if column.nullable else "not null"


def _changes(known: Schema, now: Schema, table: str, alike: Alike, able: Widens) -> Iterator[DriftChange]:
    """Compares column by column, in the order of the known schema; new columns come last."""
    before = {source_name(column): column for column in known.columns}
    after = {source_name(column): column for column in now.columns}
    renames = probable_renames(list(before.values()), list(after.values()), source_name, alike)
    for name, column in before.items():
        if name not in after:
            renamed, evidence = renames.get(name, ("", ""))
            yield DriftChange(Change.COLUMN_DROPPED, table, name, type_words(column), "", renamed, evidence)
        else:
            yield from _column_changes(column, after[name], table, name, able)
    for name, column in after.items():
        if name not in before:
            yield DriftChange(Change.COLUMN_ADDED, table, name, "", type_words(column))


def _column_changes(before: SchemaColumn, after: SchemaColumn, table: str, name: str, able: Widens) -> Iterator[DriftChange]:
    if type_words(before) != type_words(after):
        yield DriftChange(_type_change(before.type, after.type, able), table, name, type_words(before), type_words(after))
    if before.nullable != after.nullable:
        kind = Change.NULLS_ALLOWED if after.nullable else Change.NULLS_REFUSED
        yield DriftChange(kind, table, name, _nulls(before), _nulls(after))


def _type_change(before: str, after: str, able: Widens) -> Change:
    if before == after:
        return Change.TYPE_RENAMED
    wide = widened(before, after, able)
    if wide is None:
        return Change.TYPE_CHANGED
    return Change.TYPE_WIDENED if wide == after else Change.TYPE_NARROWED


class _Users:
    """The users of a source's column or table, gathered over the collected datasets.

    stopped: the datasets at which a quiesce begins.  collected: columns of collected datasets that are made from it.
    """

    def __init__(self, lineage: Lineage, program: Program) -> None:
        self._lineage, self._program = lineage, program
        self._makers = program.producers
        self.found: list[DriftUse] = []
        self.stopped: list[str] = []
        self.collected: list[ColumnRef] = []

    def of_table(self, table: str) -> None:
        for dataset in self._collected_from(table):
            if any(use.column.dataset == table for use in dataset.uses):
                self.stopped.append(self._first(dataset.dataset))
                self.found.append(DriftUse(dataset.dataset, table, Use.VALUE, dataset.position))
                self._follow(ColumnRef(dataset.dataset, column.name) for column in dataset.columns)

    def of_column(self, table: str, name: str, *, retyped: bool) -> None:
        """Finds a column's users. retyped: the column still exists, and if it is hashed, the warehouse has a string as before."""
        for dataset in self._collected_from(table):
            used = {use.column for use in dataset.uses if use.column.dataset == table and _plain(use.column.column) == _plain(name)}
            for column in used:
                made = [c for c in dataset.columns if column in c.inputs]
                hidden = retyped and bool(made) and all(c.masked == Mask.HASH for c in made)
                outputs = [] if hidden else [ColumnRef(dataset.dataset, c.name) for c in made]
                self.collected += outputs
                needed = list(self._needed_to_collect(dataset, column, outputs))
                if needed := [use for use in needed if not hidden or use.use == Use.FILTER]:
                    self.found += needed
                    self.stopped.append(self._first(dataset.dataset))
                self._follow(outputs)

    def _needed_to_collect(self, dataset: DatasetLineage, column: ColumnRef, outputs: Sequence[ColumnRef]) -> Iterator[DriftUse]:
        """The uses without which collect can't know which rows to take, or how they reach the table."""
        for use in dataset.uses:
            if use.column == column and use.use != Use.VALUE:
                yield DriftUse(dataset.dataset, column.column, use.use, use.position)
        made = self._makers.get(dataset.dataset)
        flow = made.of(dataset.dataset) if made else None
        clauses = {*flow.key, flow.cursor, *flow.partition_by} if flow else set()
        if flow and any(output.column in clauses for output in outputs):
            yield DriftUse(dataset.dataset, column.column, Use.KEY, flow.position)

    def _follow(self, columns: Iterable[ColumnRef]) -> None:
        """Follows these columns of a collected dataset to the statements that read them."""
        wanted = set(columns)
        read = {column.dataset for column in wanted}
        names = (_known_as(t.dataset) for f in self._program.flows.values() for t in f.tables if read.intersection(t.inputs))
        for reader in self._lineage.some(names) if wanted else ():
            uses = [use for use in reader.uses if use.column.whole in wanted]
            self.found += [DriftUse(reader.dataset, str(use.column), use.use, use.position) for use in uses]
            if uses:
                self.stopped.append(self._first(reader.dataset))

    def _collected_from(self, table: str) -> Iterator[DatasetLineage]:
        """The datasets whose statements may read a source's table."""
        return self._lineage.some(_known_as(dataset) for _, dataset in collecting(table, self._program))

    def _first(self, dataset: str) -> str:
        """The first dataset of a statement: a collect's staged one, a publication's result."""
        return next((name for name in (f"{dataset}:staged", f"{dataset}:result") if name in self._makers), dataset)


def _known_as(dataset: str) -> str:
    """The dataset's name in the lineage: a collected one's as it is loaded, a result's as it is published."""
    return dataset.removesuffix(":staged").removesuffix(":result")


def _place(use: DriftUse) -> tuple[object, ...]:
    return (*dataclasses.astuple(use.position), use.dataset, use.column, use.use)
