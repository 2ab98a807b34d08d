"""What a statement makes: its output columns and uses out of the query that was typed, its clauses held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from language.cache.lineage import Columns
from language.forms.resolved import Resolved, Settings
from language.resolve.names import Undeclared
from language.resolve.outputs import check_named, check_output_name, refuse_twins_of_a_star, twins_of_a_star
from language.sql.dialect import as_warehouse
from language.sql.source_names import source_name
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, Span
from language.typed.masked_columns import Drops, explain_dropped
from language.typed.mistakes import Mistakes
from language.typed.places import first_uses, within
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, DatasetLineage, Use
from shared_metadata.program.schema import Schema, SchemaColumn

_NESTED = ("list<", "map<", "struct<")
Used = tuple[ColumnRef, Use, Span]


@dataclass(frozen=True)
class Made:
    """A dataset or published table, its flow, its place, and what stands before the names of its inputs."""

    dataset: str
    flow: str
    span: Span
    prefix: str = ""


def outputs_of(
    made: Made, typed: TypedQuery, base: Span, into: Slice, mistakes: Mistakes, own: frozenset[str] = frozenset()
) -> tuple[list[ColumnLineage], list[Used]]:
    mistakes.say(typed.problems, base)
    outputs: dict[str, ColumnLineage] = {}
    met = twins_of_a_star(typed.columns)
    for (start, end), names in met.items():
        mistakes.gather(refuse_twins_of_a_star, names, within(base, start, end))
    for column in typed.columns:
        span = within(base, column.start, column.end)
        if column.name not in met.get((column.start, column.end), ()):
            mistakes.gather(check_output_name, column.name, outputs, into, own, span)
        inputs = tuple(ColumnRef(made.prefix + table, name, tuple(fields)) for table, name, *fields in column.inputs)
        outputs[column.name] = ColumnLineage(column.name, column.type, column.nullable, inputs, span.position)
    uses = [(ColumnRef(made.prefix + u.table, u.column, u.fields), u.use, within(base, u.start, u.end)) for u in typed.uses]
    return [*outputs.values()], uses


def finished(
    statement: Resolved,
    settings: Settings,
    made: Made,
    outputs: list[ColumnLineage],
    uses: list[Used],
    own: Columns,
    mistakes: Mistakes,
    dropped: Drops,
) -> tuple[Columns, DatasetLineage]:
    """What is made, with what the clauses use of it.  dropped: of each collected dataset the columns that MASK drops."""
    clauses, columns = statement.statement.clauses, (*map(_schema_column, outputs), *own)
    if not outputs:
        raise Undeclared  # the query's problems are told
    where = "the query's columns" if clauses.query is not None else f"the columns of `{made.dataset}`"
    inputs = {column.name: column.inputs for column in outputs}
    types = {column.name: column.type for column in columns}
    for part in clauses.partition_by:
        if types.get(part.folded, "").startswith(_NESTED):
            cause = f"a table cannot be partitioned by `{part.folded}`, which is a {types[part.folded]}"
            mistakes.add(Problem(part.span, cause, "partition by a column of its own, such as one of its fields"))
    for part in clauses.mode.key if clauses.mode and statement.organizer.capabilities.plain_keys else ():
        if types.get(part.folded, "").startswith(_NESTED):
            cause = f"rows of {statement.organizer.system} are not merged by `{part.folded}`, which is a {types[part.folded]}"
            mistakes.add(Problem(part.span, cause, "merge on columns that have one value, such as one of its fields"))
    mistakes.gather(check_named, clauses, settings, {column.name for column in columns}, where)
    key_span = clauses.mode.span if clauses.mode else clauses.spans["every"]
    uses += [(ref, Use.KEY, key_span) for name in settings.key for ref in inputs.get(name, ())]
    uses += [(ref, Use.KEY, part.span) for part in clauses.partition_by for ref in inputs.get(part.folded, ())]
    for predicate, column in _expected(statement, made.dataset, columns, mistakes, dropped):
        uses += [(ref, Use.EXPECT, predicate) for ref in inputs.get(column, ())]
    own_lineage = [ColumnLineage(c.name, c.type, c.nullable, (), made.span.position) for c in own]
    return columns, DatasetLineage(made.dataset, made.flow, (*outputs, *own_lineage), first_uses(uses), made.span.position)


def _expected(statement: Resolved, dataset: str, columns: Columns, mistakes: Mistakes, dropped: Drops) -> list[tuple[Span, str]]:
    """Each expectation's condition with each column that it uses."""
    engine, found = as_warehouse(statement.organizer.capabilities.dialect), []
    for predicate in (expectation.predicate for expectation in statement.statement.clauses.expectations):
        typed = explain_dropped(engine.type_predicate(engine.predicate(predicate), columns), [dataset], dropped)
        mistakes.say(typed.problems, predicate)
        found += [(predicate, use.column) for use in typed.uses]
    return found


def cursor_inputs(name: str, outputs: Sequence[ColumnLineage], made: Made, tables: Mapping[str, Schema]) -> tuple[ColumnRef, ...]:
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
