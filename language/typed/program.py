"""Types a resolved program: every column of every dataset, the columns that it comes from, and what is wrong with either.

Inputs come before their readers; of a reader of something broken nothing is said that may be its input's fault.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec

from language.cache.lineage import Columns
from language.cache.statements import Memo, Outline, digest_of
from language.cache.workers import ALONE, Crew
from language.dialects.duckdb.binding import bind_query, plan_ahead
from language.dialects.duckdb.predicate import parse_predicate
from language.dialects.postgres.query import PostgresQuery
from language.forms.resolved import Collect, CollectTable, Publish, Resolved, ResolvedProgram, Settings, View
from language.resolve.collect_query import table_at_source
from language.resolve.graph import levels, makes
from language.resolve.left_rows import leaves_by_itself
from language.resolve.names import Undeclared
from language.resolve.outputs import check_named, check_output_name, check_twins
from language.sql.parsed import OWN_COLUMNS, ParsedQuery
from language.sql.problems import QueryProblem
from language.sql.typing import TypedQuery
from language.text.diagnostics import Diagnostic, Problem, Span
from language.text.nesting import too_deep
from language.typed.collected import own_columns, pinned_columns, projection, source_name, whole_table
from language.typed.masked_columns import Drops, check_masked, explain_dropped, masked_columns, places_of_drops
from language.typed.places import first_uses, with_edits, within
from language.typed.published import check_target
from language.typed.snapshots import Snapshots
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, DatasetLineage, Lineage, Use
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import SourceSchemas

_NESTED = ("list<", "map<", "struct<")
P = ParamSpec("P")
Used = tuple[ColumnRef, Use, Span]


@dataclass(frozen=True)
class _Made:
    """What is being typed: a dataset or published table, its flow, its place, and what stands before the names of its inputs."""

    dataset: str
    flow: str
    span: Span
    prefix: str = ""


class TypedProgram:
    """The typed form: the program with every `*` of a query spelled out, and what is known of its columns.

    outlines: of every dataset and published table that could be typed.  sources: the tables at the connections, as they were read.
    """

    def __init__(self, program: ResolvedProgram, typing: _Typing) -> None:
        self.program, self._typing = program, typing
        self.outlines: Mapping[str, Outline] = typing.outlines
        self.sources: Mapping[str, Schema] = typing.sources

    def lineage(self) -> Lineage:
        """All of it; what the memo knew is read from it now."""
        return Lineage({name: self._typing.lineage(name) for name in self.outlines}, self.sources)


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
    return TypedProgram(dataclasses.replace(program, statements=statements), typing)


class _Typing:
    """columns: of each dataset of which they are known, in order; a type is '' where it could not be told.

    dropped: of each collected dataset the columns that MASK drops, with their places.
    """

    def __init__(self, schemas: SourceSchemas, problems: list[Diagnostic], memo: Memo | None, dropped: Drops) -> None:
        self.outlines: dict[str, Outline] = {}
        self.sources: dict[str, Schema] = {}
        self._datasets: dict[str, DatasetLineage] = {}
        self._columns: dict[str, Columns] = {}
        self._snapshots, self._problems = Snapshots(schemas), problems
        self._memo, self._dropped = memo, dropped
        self._bases: dict[int, str] = {}  # by a statement's id
        self._remembered: dict[str, Resolved] = {}  # of each dataset that the memo knew, the statement
        self._read: dict[str, Schema] = {}  # the sources' tables that the statement at hand reads
        self._untold = False  # whether it was left untyped for what is told elsewhere

    def read_ahead(self, statements: Iterable[Resolved]) -> None:
        """Has the engine plan by one call what it would be asked for statement by statement."""
        queries = []
        for statement in statements:
            if isinstance(statement, Collect):
                continue
            inputs = [input_.dataset for input_ in statement.inputs]
            told = all(dataset in self.outlines for dataset in inputs)
            if told and (self._memo is None or not self._memo.knows_typed(statement, self._basis(statement))):
                queries.append((statement.query, {dataset: self._columns_of(dataset) for dataset in inputs}))
        plan_ahead(queries)

    def statement(self, statement: Resolved) -> Resolved:
        """The statement with its stars spelled out; typed only where the memo does not know it."""
        basis = self._basis(statement) if self._memo is not None else ""
        if self._memo is None or not basis:
            return self._type(statement)
        known = self._memo.outlined(statement, basis)
        if known is not None:
            spelled, outlines = known
            for outline in outlines:
                self._remember(outline, statement)
            if isinstance(statement, Collect):
                self.sources.update(self._memo.sources(statement))
            return spelled
        before, self._untold, self._read = len(self._problems), False, {}
        spelled = self._type(statement)
        if len(self._problems) == before and not self._untold:
            made = [statement.target] if isinstance(statement, Publish) else makes(statement)
            datasets = [(self.outlines[dataset], self._datasets[dataset]) for dataset in made]
            self._memo.keep_typed(statement, basis, spelled, datasets, self._read)
        return spelled

    def lineage(self, dataset: str) -> DatasetLineage:
        """Of a dataset that has an outline."""
        if dataset not in self._datasets and self._memo is not None:
            self._datasets.update(self._memo.lineage(self._remembered[dataset]))
        return self._datasets[dataset]

    def _basis(self, statement: Resolved) -> str:
        """A digest of what decides over a statement's types besides itself; '' where that is not known."""
        if id(statement) in self._bases:
            return self._bases[id(statement)]
        known: list[object] = []
        if not isinstance(statement, View):
            known.append(self._snapshots.digest(statement.connection.name.folded))
        for input_ in () if isinstance(statement, Collect) else statement.inputs:
            outline = self.outlines.get(input_.dataset)
            if outline is None:
                return ""
            known.append((input_.dataset, outline.columns))
        return self._bases.setdefault(id(statement), digest_of(*known))

    def _remember(self, outline: Outline, statement: Resolved) -> None:
        self.outlines[outline.dataset], self._remembered[outline.dataset] = outline, statement
        self._datasets.pop(outline.dataset, None)
        self._columns.pop(outline.dataset, None)

    def _type(self, statement: Resolved) -> Resolved:
        try:
            if not isinstance(statement, Collect):
                return self._warehouse_query(statement)
            if statement.query is not None:
                return self._collect_query(statement, statement.query)
        except (Problem, RecursionError) as error:
            problem = error if isinstance(error, Problem) else too_deep(statement.statement.span)
            self._problems += problem.diagnostics
            return self._by_text(statement)
        except Undeclared:
            self._untold = True
            return self._by_text(statement)
        for table in statement.tables:
            self._collect_table(statement, table)
        return statement

    def _by_text(self, statement: Resolved) -> Resolved:
        """Of one that cannot be typed, what its text tells all the same."""
        if statement.query is not None:
            self._gather(check_twins, statement.query)
        return statement

    # -- collect

    def _collect_table(self, statement: Collect, table: CollectTable) -> None:
        try:
            name, schema = self._source(statement, table.source, table.span)
            self._collected(statement, table, whole_table(name, schema, table.span), table.span, {name: schema})
        except Problem as problem:
            self._problems += problem.diagnostics
        except Undeclared:
            self._untold = True

    def _collect_query(self, statement: Collect, query: ParsedQuery) -> Collect:
        tables: dict[str, Schema] = {}
        names: dict[tuple[str, ...], str] = {}
        for reference in query.tables:
            name, schema = self._source(statement, table_at_source(query, reference), reference.span)
            tables[name], names[reference.parts] = schema, name
        (table,) = statement.tables
        if isinstance(query, PostgresQuery):
            named = {n: tuple(dataclasses.replace(c, source=source_name(c)) for c in s.columns) for n, s in tables.items()}
            typed = query.typed(names, named)
            self._check_moments(statement, query.span, typed)
        else:
            ((name, schema),) = tables.items()
            typed = projection(query, name, schema)
        self._collected(statement, table, typed, query.span, tables)
        columns = statement.columns
        if table.source:
            columns = columns or pinned_columns(next(iter(tables.values())), query.dialect)
        return dataclasses.replace(statement, edits=with_edits(query.span, statement.edits, typed.edits), columns=columns)

    def _check_moments(self, statement: Collect, base: Span, typed: TypedQuery) -> None:
        """What only types tell: that a text in the WHERE is read as a time, and is another one tomorrow."""
        if statement.settings.mode is Mode.MERGE and statement.condition is not None:
            places = (within(base, *place) for place in typed.moments)
            moving = [place for place in places if place.start >= statement.condition.start]
            self._problems += [leaves_by_itself(place).diagnostic for place in moving[:1]]

    def _source(self, statement: Collect, table: str, span: Span) -> tuple[str, Schema]:
        connection = statement.connection.name.folded
        name, schema = self._snapshots.source(connection, table, span)
        self.sources[f"{connection}.{name}"] = self._read[f"{connection}.{name}"] = schema
        return name, schema

    def _collected(
        self, statement: Collect, table: CollectTable, typed: TypedQuery, base: Span, tables: Mapping[str, Schema]
    ) -> None:
        clauses, settings = statement.statement.clauses, statement.settings
        made = _Made(table.dataset, f"{statement.id}:load", table.span, f"{statement.connection.name.folded}.")
        outputs, uses = self._outputs(made, typed, base, statement.organizer, OWN_COLUMNS)
        self._gather(check_masked, table, [column.name for column in outputs])
        outputs, uses = masked_columns(table, outputs, uses)
        cursor = _cursor(settings.cursor, outputs, made, tables) if settings.cursor else ()
        uses += [(ref, Use.FILTER, clauses.cursor.span if clauses.cursor else table.span) for ref in cursor]
        if cursor or clauses.cursor is None:  # a slice's default is for tables that have it
            settings = dataclasses.replace(settings, cursor="")
        self._finish(statement, settings, made, outputs, uses, own_columns(statement.collector, reports_left=statement.reports_left))

    # -- queries in a warehouse

    def _warehouse_query(self, statement: View | Publish) -> View | Publish:
        query, target = statement.query, statement.statement.target.span
        inputs = {input_.dataset: self._columns_of(input_.dataset) for input_ in statement.inputs}
        typed = explain_dropped(bind_query(query, inputs), inputs, self._dropped)
        name = statement.dataset if isinstance(statement, View) else statement.target
        made = _Made(name, name, target)
        into = statement.harness if isinstance(statement, Publish) else statement.organizer
        outputs, uses = self._outputs(made, typed, query.span, into)
        self._finish(statement, statement.settings, made, outputs, uses, ())
        if isinstance(statement, Publish):
            self._check_target(statement, typed)
        seen = {ref.dataset for ref, _, place in uses if ref.column == "_deleted" and "_deleted" in place.text.lower()}
        edits = with_edits(query.span, statement.edits, typed.edits)
        return dataclasses.replace(statement, edits=edits, sees_deleted=tuple(sorted(seen)))

    def _check_target(self, statement: Publish, typed: TypedQuery) -> None:
        connection = statement.connection.name.folded
        table = statement.target.removeprefix(f"{connection}.")
        schema = self._snapshots.target(connection, table, statement.statement.target.span)
        if schema is not None:
            self._say(check_target(typed.columns, statement.target, schema), statement.query.span)

    # -- both

    def _columns_of(self, dataset: str) -> Columns:
        if dataset not in self._columns:
            if self._memo is None or dataset not in self._remembered:
                raise Undeclared
            self._columns.update(self._memo.columns(self._remembered[dataset]))
        return self._columns[dataset]

    def _outputs(
        self, made: _Made, typed: TypedQuery, base: Span, into: Slice, own: frozenset[str] = frozenset()
    ) -> tuple[list[ColumnLineage], list[Used]]:
        self._say(typed.problems, base)
        outputs: dict[str, ColumnLineage] = {}
        for column in typed.columns:
            span = within(base, column.start, column.end)
            self._gather(check_output_name, column.name, outputs, into, own, span)
            inputs = tuple(ColumnRef(made.prefix + table, name, tuple(fields)) for table, name, *fields in column.inputs)
            outputs[column.name] = ColumnLineage(column.name, column.type, column.nullable, inputs, span.position)
        uses = [(ColumnRef(made.prefix + u.table, u.column, u.fields), u.use, within(base, u.start, u.end)) for u in typed.uses]
        return [*outputs.values()], uses

    def _finish(
        self, statement: Resolved, settings: Settings, made: _Made, outputs: list[ColumnLineage], uses: list[Used], own: Columns
    ) -> None:
        """Checks the clauses against the columns, and keeps both."""
        clauses, columns = statement.statement.clauses, (*map(_schema_column, outputs), *own)
        if not outputs:
            raise Undeclared  # the query's problems are told
        self._columns[made.dataset] = columns
        where = "the query's columns" if clauses.query is not None else f"the columns of `{made.dataset}`"
        inputs = {column.name: column.inputs for column in outputs}
        types = {column.name: column.type for column in columns}
        for part in clauses.partition_by:
            if types.get(part.folded, "").startswith(_NESTED):
                cause = f"a table cannot be partitioned by `{part.folded}`, which is a {types[part.folded]}"
                self._problems.append(part.span.diagnostic(cause, "partition by a column of its own, such as one of its fields"))
        self._gather(check_named, clauses, settings, {column.name for column in columns}, where)
        key_span = clauses.mode.span if clauses.mode else clauses.spans["every"]
        uses += [(ref, Use.KEY, key_span) for name in settings.key for ref in inputs.get(name, ())]
        uses += [(ref, Use.KEY, part.span) for part in clauses.partition_by for ref in inputs.get(part.folded, ())]
        for expectation in clauses.expectations:
            used = self._predicate(expectation.predicate, made.dataset, columns)
            uses += [(ref, Use.EXPECT, expectation.predicate) for name in used for ref in inputs.get(name, ())]
        own_lineage = [ColumnLineage(c.name, c.type, c.nullable, (), made.span.position) for c in own]
        lineage = DatasetLineage(made.dataset, made.flow, (*outputs, *own_lineage), first_uses(uses), made.span.position)
        digest = digest_of(*((column.name, column.type, column.nullable) for column in columns))
        self._datasets[made.dataset] = lineage
        self._remembered.pop(made.dataset, None)
        self.outlines[made.dataset] = Outline(made.dataset, digest, lineage.signature, len(columns))

    def _gather(self, check: Callable[P, object], *values: P.args, **named: P.kwargs) -> None:
        """A mistake that it raises stands beside the others."""
        try:
            check(*values, **named)
        except Problem as problem:
            self._problems += problem.diagnostics

    def _predicate(self, span: Span, dataset: str, columns: Columns) -> list[str]:
        """The columns that an expectation uses."""
        typed = explain_dropped(parse_predicate(span).typed(columns), [dataset], self._dropped)
        self._say(typed.problems, span)
        return [use.column for use in typed.uses]

    def _say(self, problems: Iterable[QueryProblem], base: Span) -> None:
        for problem in problems:
            span = within(base, problem.start, problem.end)
            self._problems.append(span.diagnostic(problem.cause, problem.remedy))


def _cursor(name: str, outputs: Sequence[ColumnLineage], made: _Made, tables: Mapping[str, Schema]) -> tuple[ColumnRef, ...]:
    """The source's column that a cursor means: of the query's columns, or else of the one table that it reads."""
    for column in outputs:
        if column.name == name:
            return column.inputs
    if len(tables) != 1:
        return ()
    ((table, schema),) = tables.items()
    return tuple(ColumnRef(made.prefix + table, source_name(c)) for c in schema.columns if c.name == name)


def _schema_column(column: ColumnLineage) -> SchemaColumn:
    return SchemaColumn(column.name, column.type, column.nullable)
