"""Collect queries of dialects that take columns of one table and a WHERE: what is read of them, and what makes one more than that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp

from language.sql.dialect import sqlglot_dialect
from language.sql.edits import edited
from language.sql.leaving import Leaving
from language.sql.parsed import ParsedQuery
from language.sql.projection import Projection
from language.sql.query import TableReference
from language.text.diagnostics import Problem, Span
from shared_metadata.program import Column

_TAKES = "this source takes columns of one table, renamed by AS if wanted, and WHERE; do the rest in a view"
_SIMPLE = frozenset({"expressions", "from_", "where"})


@dataclass(frozen=True, eq=False)
class OneTableQuery(ParsedQuery):
    """A query of such a dialect, for its own to inherit from."""

    @property
    def takes(self) -> str:
        return _TAKES

    def column_names(self) -> Iterator[tuple[tuple[str, ...], tuple[Span, ...]]]:
        """The parts of each column's name, with their places."""
        for column in self.tree.find_all(exp.Column):
            parts = [part for part in column.parts if isinstance(part, exp.Identifier)]
            yield tuple(part.name for part in parts), tuple(map(self.place, parts))

    def name_at_source(self, reference: TableReference) -> str:
        """A table's name as its source means it, without the connection."""
        return ".".join(reference.parts[1:])

    def where(self) -> Span | None:
        """The text after the first WHERE that stands in no parentheses, to the query's end."""
        depth = 0
        for token in sqlglot.tokenize(self.span.text, read=sqlglot_dialect(self.dialect)):
            depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
            if depth == 0 and token.token_type is TokenType.WHERE:
                text = self.span.text[token.end + 1 :]
                return Span(self.span.source, self.span.end - len(text.lstrip()), self.span.end)
        return None


def projection(query: OneTableQuery) -> Projection | Problem:
    """The query's columns and WHERE; or else what makes it more than that."""
    obstacle = _more_than_a_projection(query)
    if obstacle is not None:
        return obstacle
    (reference,) = query.tables
    edits = _owner_edits(query, reference)
    columns = _columns(query, edits)
    if isinstance(columns, Problem):
        return columns
    where = query.where()
    return Projection(query.name_at_source(reference), columns, edited(where, edits) if where else "")


def leaving(query: OneTableQuery) -> Leaving:
    """What a row can leave the query's result by: its WHERE, and what else there is."""
    obstacle, where = _other_than_where(query), query.tree.args.get("where")
    place = query.place(obstacle) if obstacle is not None else None
    return Leaving(place, query.place(where) if where is not None else None, query.where())


def _more_than_a_projection(query: OneTableQuery) -> Problem | None:
    """The first thing in the query that is not columns, one table and WHERE."""
    tree, remedy = query.tree, _TAKES
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


def _owner_edits(query: OneTableQuery, reference: TableReference) -> list[tuple[Span, str]]:
    """The edits that take the table's own name or alias away before its columns."""
    edits = []
    for column in query.tree.find_all(exp.Column):
        parts = column.parts
        if len(parts) > 1 and is_of(column, reference):
            first, last = query.place(parts[0]), query.place(parts[-1])
            edits.append((Span(first.source, first.start, last.start), ""))
    return edits


def is_of(column: exp.Column, reference: TableReference) -> bool:
    """Whether a column is named without a table, or through the one that is read."""
    alias = (reference.node.alias or reference.parts[-1]).lower()
    owners = {(), (alias,), *(reference.folded[start:] for start in range(len(reference.parts)))}
    return tuple(part.name.lower() for part in column.parts[:-1]) in owners


def _columns(query: OneTableQuery, edits: list[tuple[Span, str]]) -> tuple[Column, ...] | Problem:
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


def _other_than_where(query: OneTableQuery) -> exp.Expr | None:
    """The first thing besides WHERE by which a row can leave the result, or the table beyond whose rows it is made."""
    tree: exp.Expr = query.tree
    if not isinstance(tree, exp.Select):
        return tree
    where = tree.args.get("where")
    joins = tree.args.get("joins") or []
    if joins and where is None and all(join.side == "LEFT" and not join.args.get("method") for join in joins):
        joins = []  # each row of the first table stays
    extra = next((value for name, value in tree.args.items() if name not in _SIMPLE | {"joins"} and value), None)
    node = next(iter(joins), None) or (extra[0] if isinstance(extra, list) else extra)
    if node is not None:
        return node if isinstance(node, exp.Expr) else tree
    source: exp.Expr = tree.args["from_"].this
    if not isinstance(source, exp.Table):
        return source
    return next(iter(n for n in tree.find_all(exp.Query, exp.AggFunc, exp.Window) if n is not tree), None)
