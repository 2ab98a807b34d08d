"""Statements of a program written over to another engine or warehouse: queries, expectations and USING, as edits of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from language.forms.resolved import Collect, Publish, View
from language.forms.syntax import Clauses, CreateWarehouse
from language.sql.edits import edited
from language.sql.problems import QueryProblem
from language.text.diagnostics import Diagnostic, Problem, Span
from language.translate.query import translated, translated_condition
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import SchemaColumn

Edits = list[tuple[Span, str]]


@dataclass(frozen=True)
class Goal:
    """engine: as the command names it.  dialect: its.  moves: whether it keeps a warehouse of its own, to which all statements go."""

    engine: str
    dialect: str
    moves: bool = False


@dataclass(frozen=True)
class Rewritten:
    """A statement for another engine.  edits: of its file's text; none where there are problems."""

    name: str
    span: Span
    edits: tuple[tuple[Span, str], ...] = ()
    problems: tuple[Diagnostic, ...] = field(default=())

    @property
    def text(self) -> str:
        """The statement as it then is."""
        return edited(self.span, self.edits)


def name_of(statement: View | Publish) -> str:
    """The dataset or published table, as `atoll` calls it."""
    return statement.dataset if isinstance(statement, View) else statement.target


def rewritten(statement: View | Publish, goal: Goal, lineage: Lineage) -> Rewritten:
    """The statement for an engine of its warehouse, or for another warehouse in the place of its own."""
    name, span, query = name_of(statement), statement.statement.span, statement.query
    clauses, own = statement.statement.clauses, statement.query.dialect
    if statement.calls:
        function = statement.calls[0].function
        cause = f"this calls `{function.name.text}`, which is written in {function.language.text} and runs where it is"
        remedy = "let another view read what this one makes, and have that one computed elsewhere"
        return Rewritten(name, span, problems=(statement.calls[0].span.diagnostic(cause, remedy),))
    tables = {input_.dataset: _columns(lineage, input_.dataset) for input_ in statement.inputs}
    edits, problems = _engine_edits(clauses, span, goal), list[Diagnostic]()
    try:
        found = translated(query.span, own, goal.dialect, tables, goal.engine)
    except Problem as problem:
        return Rewritten(name, span, problems=tuple(problem.diagnostics))
    problems += [_at(query.span, problem) for problem in found.problems]
    assert clauses.query is not None  # of a view or a publication
    edits.append((clauses.query, found.text))  # where the query calls functions, they are written out
    _conditions(clauses, (own, goal), _columns(lineage, name), edits, problems)
    return Rewritten(name, span, () if problems else tuple(edits), tuple(dict.fromkeys(problems)))


def rewritten_collect(statement: Collect, goal: Goal, lineage: Lineage) -> Rewritten:
    """What is collected into a warehouse that another takes the place of: its expectations are in that one's SQL."""
    span, own = statement.statement.span, statement.organizer.capabilities.dialect
    edits, problems = Edits(), list[Diagnostic]()
    for table in statement.tables[:1]:
        _conditions(statement.statement.clauses, (own, goal), _columns(lineage, table.dataset), edits, problems)
    return Rewritten(statement.id, span, () if problems else tuple(edits), tuple(dict.fromkeys(problems)))


def rewritten_warehouse(statement: CreateWarehouse, system: str, options: str) -> Rewritten:
    """CREATE WAREHOUSE for another system.  options: what stands in its WITH."""
    written = f"{system} WITH ({options})" if options else system
    return Rewritten(statement.name.folded, statement.span, ((statement.system.span.to(statement.span), written),))


def _conditions(
    clauses: Clauses, between: tuple[str, Goal], columns: tuple[SchemaColumn, ...], edits: Edits, problems: list[Diagnostic]
) -> None:
    own, goal = between
    for predicate in (expectation.predicate for expectation in clauses.expectations):
        condition = translated_condition(predicate, own, goal.dialect, columns, goal.engine)
        problems += [_at(predicate, problem) for problem in condition.problems]
        edits.append((predicate, condition.text))


def _engine_edits(clauses: Clauses, span: Span, goal: Goal) -> Edits:
    """Has USING name the engine; a warehouse of its own has but one."""
    source, start = span.source, clauses.spans["query"].start
    if goal.moves:
        if clauses.engine is None:
            return []
        begin, end = clauses.spans["engine"].start, clauses.spans["engine"].end
        return [(Span(source, begin, end + len(source.text[end:]) - len(source.text[end:].lstrip())), "")]
    if clauses.engine is not None:
        return [(clauses.engine.span, goal.engine)]
    line = source.text.rfind("\n", 0, start) + 1
    own_line = not source.text[line:start].strip() and start > line
    indent = source.text[line:start] if own_line else ""
    written = f"USING {goal.engine}\n{indent}" if own_line or start == line else f"USING {goal.engine} "
    return [(Span(source, start, start), written)]


def _columns(lineage: Lineage, dataset: str) -> tuple[SchemaColumn, ...]:
    found = lineage.datasets.get(dataset)
    return tuple(SchemaColumn(column.name, column.type, column.nullable) for column in found.columns) if found is not None else ()


def _at(base: Span, problem: QueryProblem) -> Diagnostic:
    end = base.start + max(problem.end, problem.start + 1)
    return Span(base.source, base.start + problem.start, end).diagnostic(problem.cause, problem.remedy)


def with_statements(sources: Mapping[str, str], found: tuple[Rewritten, ...]) -> dict[str, str]:
    """The files of a program with these statements in them."""
    changed = dict(sources)
    by_file: dict[str, list[Rewritten]] = {}
    for one in found:
        by_file.setdefault(one.span.source.file, []).append(one)
    for file, ones in by_file.items():
        text, bom = changed[file], len(changed[file]) - len(changed[file].removeprefix("\ufeff"))
        pieces, done = list[str](), 0
        for span, written in sorted((edit for one in ones for edit in one.edits), key=lambda edit: (edit[0].start, edit[0].end)):
            pieces += text[done : span.start + bom], written
            done = span.end + bom
        changed[file] = "".join((*pieces, text[done:]))
    return changed
