"""Statements of a program written over to another engine: their queries, expectations and USING, as edits of the program's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from language.forms.resolved import Publish, View
from language.sql.edits import edited
from language.sql.problems import QueryProblem
from language.text.diagnostics import Diagnostic, Problem, Span
from language.translate.query import translated, translated_condition
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import SchemaColumn


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


def rewritten(statement: View | Publish, engine: str, dialect: str, lineage: Lineage) -> Rewritten:
    """The statement for an engine of its warehouse.  dialect: the engine's."""
    name, span, query = name_of(statement), statement.statement.span, statement.query
    clauses, own = statement.statement.clauses, statement.query.dialect
    tables = {input_.dataset: _columns(lineage, input_.dataset) for input_ in statement.inputs}
    edits, problems = [_engine_edit(statement, engine)], list[Diagnostic]()
    try:
        found = translated(query.span, own, dialect, tables, engine)
    except Problem as problem:
        return Rewritten(name, span, problems=tuple(problem.diagnostics))
    problems += [_at(query.span, problem) for problem in found.problems]
    edits.append((query.span, found.text))
    for predicate in (expectation.predicate for expectation in clauses.expectations):
        condition = translated_condition(predicate, own, dialect, _columns(lineage, name), engine)
        problems += [_at(predicate, problem) for problem in condition.problems]
        edits.append((predicate, condition.text))
    return Rewritten(name, span, () if problems else tuple(edits), tuple(dict.fromkeys(problems)))


def _engine_edit(statement: View | Publish, engine: str) -> tuple[Span, str]:
    clauses = statement.statement.clauses
    if clauses.engine is not None:
        return clauses.engine.span, engine
    start = clauses.spans["query"].start
    source = statement.statement.span.source
    line = source.text.rfind("\n", 0, start) + 1
    own_line = not source.text[line:start].strip() and start > line
    indent = source.text[line:start] if own_line else ""
    return Span(source, start, start), f"USING {engine}\n{indent}" if own_line or start == line else f"USING {engine} "


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
