"""Types a resolved program: every column of every dataset, the columns that it comes from, and what is wrong with either.

Inputs come before their readers; of a reader of something broken nothing is said that may be its input's fault.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from language.cache.statements import Memo, Outline
from language.cache.workers import ALONE, Crew
from language.forms.resolved import Collect, CollectTable, Publish, Resolved, ResolvedProgram, View
from language.resolve.graph import levels, makes
from language.resolve.left_rows import meets_windows, moves_by_itself
from language.resolve.names import Undeclared
from language.resolve.outputs import check_twins, check_written
from language.sql.dialect import Tables, as_source, as_warehouse, dialect
from language.sql.query import OWN_COLUMNS, SourceQuery, WarehouseQuery
from language.sql.typing import TypedQuery
from language.text.diagnostics import Diagnostic, Problem, Span
from language.text.nesting import too_deep
from language.typed.bodies import check_bodies
from language.typed.called import typed_calls
from language.typed.collected import own_columns, pinned_columns, whole_table
from language.typed.cursors import check_cursor
from language.typed.known import Known
from language.typed.made import Made, cursor_inputs, finished, outputs_of
from language.typed.masked_columns import Drops, check_masked, explain_dropped, masked_columns, places_of_drops
from language.typed.mistakes import Mistakes
from language.typed.places import with_edits, within
from language.typed.published import check_target
from language.typed.snapshots import Snapshots
from shared_metadata.program.lineage import Lineage, Use
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import SourceSchemas


class TypedProgram:
    """The typed form: the program with every `*` of a query spelled out, and what is known of its columns.

    outlines: of every dataset and published table that could be typed.  sources: the tables at the connections, as they were read.
    """

    def __init__(self, program: ResolvedProgram, known: Known) -> None:
        self.program, self._known = program, known
        self.outlines: Mapping[str, Outline] = known.outlines
        self.sources: Mapping[str, Schema] = known.sources

    def lineage(self) -> Lineage:
        """All of it; what the memo knew is read from it now."""
        return Lineage({name: self._known.lineage(name) for name in self.outlines}, self.sources)


def type_program(
    program: ResolvedProgram,
    schemas: SourceSchemas,
    problems: list[Diagnostic],
    memo: Memo | None = None,
    crew: Crew = ALONE,
) -> TypedProgram:
    """The typed form; mistakes are added to `problems`."""
    typing = _Typing(schemas, problems, memo, places_of_drops(program))
    typed: dict[int, Resolved] = {}
    for level in levels(program.statements):
        typing.read_ahead([program.statements[number] for number in crew.share(level)])
        typed |= zip(level, crew.each(level, lambda number: typing.statement(program.statements[number])), strict=True)
    statements = tuple(typed.get(number, statement) for number, statement in enumerate(program.statements))
    return TypedProgram(dataclasses.replace(program, statements=statements), typing.known)


class _Typing:
    """dropped: of each collected dataset the columns that MASK drops, with their places."""

    def __init__(self, schemas: SourceSchemas, problems: list[Diagnostic], memo: Memo | None, dropped: Drops) -> None:
        self._snapshots, self._mistakes = Snapshots(schemas), Mistakes(problems)
        self.known = Known(memo, self._snapshots)
        self._memo, self._dropped = memo, dropped
        self._read: dict[str, Schema] = {}  # the sources' tables that the statement at hand reads
        self._untold = False  # whether it was left untyped for what is told elsewhere

    def read_ahead(self, statements: Iterable[Resolved]) -> None:
        """Has each engine plan by one call what it would be asked for statement by statement."""
        queries: dict[str, list[tuple[WarehouseQuery, Tables]]] = {}
        for statement in statements:
            if isinstance(statement, Collect):
                continue
            inputs = [input_.dataset for input_ in statement.inputs]
            told = all(dataset in self.known.outlines for dataset in inputs) and not statement.calls
            if told and (self._memo is None or not self._memo.knows_typed(statement, self.known.basis(statement))):
                tables = {dataset: self.known.columns_of(dataset) for dataset in inputs}
                queries.setdefault(statement.query.dialect, []).append((statement.query, tables))
        for name, found in queries.items():
            as_warehouse(name).plan_ahead(found)

    def statement(self, statement: Resolved) -> Resolved:
        """The statement with its stars spelled out; typed only where the memo does not know it."""
        basis = self.known.basis(statement) if self._memo is not None else ""
        if self._memo is None or not basis:
            return self._type(statement)
        known = self._memo.outlined(statement, basis)
        if known is not None:
            spelled, outlines = known
            for outline in outlines:
                self.known.remember(outline, statement)
            if isinstance(statement, Collect):
                self.known.sources.update(self._memo.sources(statement))
            return spelled
        before, self._untold, self._read = len(self._mistakes), False, {}
        spelled = self._type(statement)
        if len(self._mistakes) == before and not self._untold:
            made = [statement.target] if isinstance(statement, Publish) else makes(statement)
            datasets = [(self.known.outlines[dataset], self.known.lineage(dataset)) for dataset in made]
            self._memo.keep_typed(statement, basis, spelled, datasets, self._read)
        return spelled

    def _type(self, statement: Resolved) -> Resolved:
        try:
            if not isinstance(statement, Collect):
                return self._warehouse_query(statement)
            if statement.query is not None:
                return self._collect_query(statement, statement.query)
        except (Problem, RecursionError) as error:
            self._mistakes.add(error if isinstance(error, Problem) else too_deep(statement.statement.span))
            return self._by_text(statement)
        except Undeclared:
            self._untold = True
            return self._by_text(statement)
        for table in statement.tables:
            self._collect_table(statement, table)
        return statement

    def _by_text(self, statement: Resolved) -> Resolved:
        """What the text of a statement that cannot be typed tells all the same."""
        if statement.query is not None:
            self._mistakes.gather(check_twins, statement.query)
        return statement

    # -- collect

    def _collect_table(self, statement: Collect, table: CollectTable) -> None:
        try:
            name, schema = self._source(statement, table.source, table.span)
            self._collected(statement, table, whole_table(name, schema, table.span), table.span, {name: schema})
        except Problem as problem:
            self._mistakes.add(problem)
        except Undeclared:
            self._untold = True

    def _collect_query(self, statement: Collect, query: SourceQuery) -> Collect:
        tables: dict[str, Schema] = {}
        names: dict[tuple[str, ...], str] = {}
        for reference in query.tables:
            name, schema = self._source(statement, query.name_at_source(reference), reference.span)
            tables[name], names[reference.parts] = schema, name
        (table,) = statement.tables
        reading = as_source(query.dialect)
        typed = reading.type(query, names, {name: schema.columns for name, schema in tables.items()})
        typed = dataclasses.replace(typed, problems=(*typed.problems, *reading.impure(query, typed)))
        self._check_moments(statement, query.span, typed)
        self._collected(statement, table, typed, query.span, tables)
        columns = statement.columns
        if table.source:
            columns = columns or pinned_columns(next(iter(tables.values())), dialect(query.dialect).spelled)
        return dataclasses.replace(statement, edits=with_edits(query.span, statement.edits, typed.edits), columns=columns)

    def _check_moments(self, statement: Collect, base: Span, typed: TypedQuery) -> None:
        """What only types tell: that a text in a WHERE is read as a time, and is another one tomorrow."""
        told = {(problem.start, problem.end) for problem in typed.problems}
        moving = [within(base, *place) for place in typed.moments if place not in told]
        if moving and meets_windows(statement.settings):
            self._mistakes.add(moves_by_itself(moving[0], statement.settings.mode))

    def _source(self, statement: Collect, table: str, span: Span) -> tuple[str, Schema]:
        connection = statement.connection.name.folded
        name, schema = self._snapshots.source(connection, table, span)
        self.known.sources[f"{connection}.{name}"] = self._read[f"{connection}.{name}"] = schema
        return name, schema

    def _collected(
        self, statement: Collect, table: CollectTable, typed: TypedQuery, base: Span, tables: Mapping[str, Schema]
    ) -> None:
        clauses, settings = statement.statement.clauses, statement.settings_of(table)
        made = Made(table.dataset, f"{statement.id}:load", table.span, f"{statement.connection.name.folded}.")
        outputs, uses = outputs_of(made, typed, base, statement.organizer, self._mistakes, OWN_COLUMNS)
        self._mistakes.gather(check_masked, table, [column.name for column in outputs])
        outputs, uses = masked_columns(table, outputs, uses)
        for column in outputs:
            self._mistakes.gather(check_written, column.name, column.type, statement.organizer, table.span)
        if settings.cursor and not typed.problems:
            place = clauses.cursor.span if clauses.cursor else table.span
            self._mistakes.gather(check_cursor, settings, typed.columns, place, statement.collector)
        cursor = cursor_inputs(settings.cursor, outputs, made, tables) if settings.cursor else ()
        uses += [(ref, Use.FILTER, clauses.cursor.span if clauses.cursor else table.span) for ref in cursor]
        if cursor or clauses.cursor is None:  # a slice's default is for tables that have it
            settings = dataclasses.replace(settings, cursor="")
        deletes = self._snapshots.reports_deletes(statement.connection.name.folded, table.source)
        own = own_columns(statement.collector, reports_left=statement.reports_left or deletes)
        self.known.keep(*finished(statement, settings, made, outputs, uses, own, self._mistakes, self._dropped))

    # -- queries in a warehouse

    def _warehouse_query(self, statement: View | Publish) -> View | Publish:
        query, target = statement.query, statement.statement.target.span
        inputs = {input_.dataset: self.known.columns_of(input_.dataset) for input_ in statement.inputs}
        given = typed_calls(statement, inputs, self._dropped, self._mistakes)
        tables = {**inputs, **given.tables}
        typed = explain_dropped(as_warehouse(query.dialect).type(query, tables), inputs, self._dropped)
        name = statement.dataset if isinstance(statement, View) else statement.target
        made = Made(name, name, target)
        into = statement.harness if isinstance(statement, Publish) else statement.organizer
        outputs, uses = given.through(*outputs_of(made, typed, query.span, into, self._mistakes))
        check_bodies(query, tables, typed, self._mistakes)
        for column in typed.columns:
            place = within(query.span, column.start, column.end)
            self._mistakes.gather(check_written, column.name, column.type, statement.organizer, place)
        self.known.keep(*finished(statement, statement.settings, made, outputs, uses, (), self._mistakes, self._dropped))
        if isinstance(statement, Publish):
            self._check_target(statement, typed)
        seen = {ref.dataset for ref, _, place in uses if ref.column == "_deleted" and "_deleted" in place.text.lower()}
        edits, larger = with_edits(query.span, statement.edits, typed.edits), None
        if statement.larger is not None and not typed.problems:
            from language.typed.beyond import beyond  # writing over into another dialect is a module that few programs need

            larger = beyond(statement, statement.larger, typed, self.known.columns_of(name), inputs, self._mistakes)
        return dataclasses.replace(statement, edits=edits, sees_deleted=tuple(sorted(seen)), beyond=larger, calls=given.calls)

    def _check_target(self, statement: Publish, typed: TypedQuery) -> None:
        if not statement.harness.discovers:  # what it publishes to has no columns of its own
            return
        connection = statement.connection.name.folded
        table = statement.target.removeprefix(f"{connection}.")
        schema = self._snapshots.target(connection, table, statement.statement.target.span)
        if schema is not None:
            self._mistakes.say(check_target(typed.columns, statement.target, schema, statement.harness), statement.query.span)
