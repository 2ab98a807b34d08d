"""One query, written over: its text in the other dialect, which that has read, or what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.dialect import Tables, as_warehouse, sqlglot_dialect
from language.sql.findings import Findings
from language.sql.meanings.forms import Written, forms_of, read
from language.sql.problems import QueryProblem
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, SourceText, Span
from language.translate.asked import TABLE
from language.translate.expressions import Between
from language.translate.queries import Queries, quoted
from language.translate.texts import kept
from shared_metadata.program.schema import SchemaColumn

_BEFORE_TEXTS = frozenset(("DATE", "TIMESTAMP", "TIMESTAMP_NTZ"))
_BEFORE, _BEHIND = "SELECT ", f"\nAS x FROM {TABLE}"  # a condition may end in a comment
_BEHIND_WRITTEN = re.compile(rf"\s+AS x FROM {re.escape(TABLE)}\Z")
REMEDY = "write it by what both engines have (docs/warehouses.md), or name the engine that it is written for"


@dataclass(frozen=True)
class Translated:
    """text: '' where there are problems.  columns: as the other dialect has them."""

    text: str
    problems: tuple[QueryProblem, ...] = ()


def translated(span: Span, source: str, target: str, tables: Tables, title: str = "") -> Translated:
    """The query at `span`.  source, target: dialects.  tables: what it reads, by the names that FROM has. Raises Problem.

    title: what people call the engine of the second.
    """
    here, there = forms_of(source), forms_of(target)
    query, tree = read(source, here.declared, span)
    title = title or target
    queries = Queries(Between(here, there, title), tables, Findings(query).place)
    made, _ = queries.written(tree)
    if queries.problems:
        return Translated("", tuple(dict.fromkeys(queries.problems)))
    after = _text(quoted(made, target), there)
    text = next(
        (one for one in (kept(span.text, _text(tree, here), after), kept(span.text, span.text, after)) if _is(one, after, there)),
        after,
    )
    return Translated(text, tuple(_differences(query, text, (source, target), tables, title)))


def translated_condition(span: Span, source: str, target: str, columns: Sequence[SchemaColumn], title: str = "") -> Translated:
    """The condition at `span`, of one row with these columns: that of a query that selects it. Places are those of its text."""
    text = f"{_BEFORE}{span.text}{_BEHIND}"
    found = translated(Span(SourceText(span.source.file, text), 0, len(text)), source, target, {TABLE: tuple(columns)}, title)
    length, before = span.end - span.start, len(_BEFORE)
    problems = tuple(
        QueryProblem(max(0, one.start - before), min(one.end - before, length), one.cause, one.remedy) for one in found.problems
    )
    return Translated(_BEHIND_WRITTEN.sub("", found.text.removeprefix(_BEFORE)), problems)


def _differences(query: CalledQuery, text: str, dialects: tuple[str, str], tables: Tables, title: str) -> list[QueryProblem]:
    """Where the other dialect has other columns, or none, of the text."""
    before = _typed(query.span, dialects[0], tables)
    span = Span(SourceText(query.span.source.file, text), 0, len(text))
    place = Findings(query).place(query.tree)
    try:
        after = _typed(span, dialects[1], tables)
    except Problem as problem:
        return [QueryProblem(*place, f"{title} does not read it: {problem.diagnostic.cause}", REMEDY)]
    if after.problems:
        first = after.problems[0]
        return [QueryProblem(*place, f"in {title}, of `{text[first.start : first.end]}`: {first.cause}", first.remedy)]
    found = []
    if [column.name for column in before.columns] != [column.name for column in after.columns]:
        return [QueryProblem(*place, f"its columns have other names in {title}", "name each column with AS")]
    for one, other in zip(before.columns, after.columns, strict=True):
        if one.type != other.type:
            cause = f"`{one.name}` is {one.type} here, and {other.type} in {title}"
            found.append(QueryProblem(one.start, one.end, cause, f"CAST it to {one.type}"))
    return found


def _typed(span: Span, name: str, tables: Tables) -> TypedQuery:
    engine = as_warehouse(name)
    found: TypedQuery = engine.type(engine.read(span), tables)
    return found


def _is(text: str, after: str, written: Written) -> bool:
    """Whether the dialect reads a text, as what sqlglot writes as `after`."""
    span = Span(SourceText("", text), 0, len(text))
    try:
        as_warehouse(written.name).read(span)
        return _text(read(written.name, written.declared, span)[1], written) == after
    except Problem:
        return False


def _text(tree: exp.Expr, written: Written) -> str:
    """A tree as sqlglot writes it in its dialect, each call as it is."""
    tree = tree.copy()
    for node in [node for node in tree.find_all(exp.Cast) if isinstance(node.this, exp.Literal) and node.this.is_string]:
        word = node.to.sql(sqlglot_dialect(written.name)).partition("(")[0]
        if word in _BEFORE_TEXTS:  # DATE '2024-01-01', as which it is written most often
            node.replace(exp.Var(this=f"{word} '{node.this.name}'"))
    return written.declared.spelled(tree.sql(sqlglot_dialect(written.name), normalize_functions=False, comments=False))
