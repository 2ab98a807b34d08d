"""A query as columns and WHERE of one object; or else what makes it more than that."""

from __future__ import annotations

from sqlglot import exp

from language.dialects.soql.query import SoqlQuery
from language.sql.edits import edited
from language.sql.projection import CollectedQuery, Projection
from language.sql.query import TableReference
from language.text.diagnostics import Problem, Span
from shared_metadata.program import Column

_SIMPLE = frozenset({"expressions", "from_", "where"})


def collected(query: SoqlQuery) -> CollectedQuery:
    """What of the query the slice runs; nothing in it casts."""
    return CollectedQuery(_projection(query))


def _projection(query: SoqlQuery) -> Projection | Problem:
    obstacle = _obstacle(query)
    if obstacle is not None:
        return obstacle
    (reference,) = query.tables
    edits = _owner_edits(query, reference)
    columns = _columns(query, edits)
    if isinstance(columns, Problem):
        return columns
    where = query.where()
    return Projection(query.name_at_source(reference), columns, edited(where, edits) if where else "")


def _obstacle(query: SoqlQuery) -> Problem | None:
    """The first thing in the query that is not columns, one table and WHERE."""
    tree, remedy = query.tree, "this source takes columns of one table, renamed by AS if wanted, and WHERE; do the rest in a view"
    if not isinstance(tree, exp.Select):
        return Problem(query.place(tree), "this query is more than a projection", remedy)
    extra = next((value for name, value in tree.args.items() if name not in _SIMPLE and value), None)
    if extra is not None:
        node = extra[0] if isinstance(extra, list) else extra
        place = query.place(node) if isinstance(node, exp.Expr) else query.place(tree)
        return Problem(place, "this query is more than a projection", remedy)
    inner = next(iter(n for n in tree.find_all(exp.Query, exp.AggFunc, exp.Window) if n is not tree), None)
    if inner is not None:
        return Problem(query.place(inner), "this query is more than a projection", remedy)
    single = len(query.tables) == 1 and isinstance(tree.args["from_"].this, exp.Table)
    if not single or any("." in part for part in query.tables[0].parts):
        return Problem(query.place(tree), "this query does not read one table", remedy)
    return None


def _owner_edits(query: SoqlQuery, reference: TableReference) -> list[tuple[Span, str]]:
    """The edits that take the table's own name or alias away before its columns."""
    alias = (reference.node.alias or reference.parts[-1]).lower()
    owners = {(alias,), *(reference.folded[start:] for start in range(len(reference.parts)))}
    edits = []
    for column in query.tree.find_all(exp.Column):
        parts = column.parts
        if tuple(part.name.lower() for part in parts[:-1]) in owners:
            first, last = query.place(parts[0]), query.place(parts[-1])
            edits.append((Span(first.source, first.start, last.start), ""))
    return edits


def _columns(query: SoqlQuery, edits: list[tuple[Span, str]]) -> tuple[Column, ...] | Problem:
    columns: dict[str, Column] = {}
    expressions = query.tree.expressions
    if len(expressions) == 1 and expressions[0].is_star:
        return ()
    for expression in expressions:
        source = expression.this if isinstance(expression, exp.Alias) else expression
        if not isinstance(source, exp.Column) or source.is_star:
            remedy = "take plain columns, renamed by AS if wanted, and compute in a view"
            return Problem(query.place(expression), "this is not a plain column", remedy)
        name = expression.alias_or_name.lower()
        columns[name] = Column(name, edited(query.place(source), edits))
    return tuple(columns.values())
