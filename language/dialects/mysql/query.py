"""A collect query in MySQL's SQL: columns of one table, and a WHERE of comparisons that mean the same in every session."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp

from language.sql.dialect import sqlglot_dialect
from language.sql.one_table import OneTableQuery, projection
from language.sql.projection import CollectedQuery
from language.text.diagnostics import Problem, Span

# What may stand in a WHERE; all else is refused until it is known here.
_KNOWN = (
    *(exp.Where, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Neg),
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Is, exp.In),
    *(exp.Between, exp.Like, exp.Add, exp.Sub, exp.Mul),
)


@dataclass(frozen=True, eq=False)
class MysqlQuery(OneTableQuery):
    dialect: str = "mysql"


def read(span: Span) -> MysqlQuery:
    """The query at `span`. Raises Problem where it is not one query that only reads."""
    query = MysqlQuery(span)
    query.check_reads()
    query.check_commas()
    return query


def collected(query: MysqlQuery) -> CollectedQuery:
    """What of the query the slice runs; nothing in it casts."""
    found = projection(query)
    return CollectedQuery(found if isinstance(found, Problem) else _unknown(query) or found)


def _unknown(query: MysqlQuery) -> Problem | None:
    """The first thing in the query of which it is not known here what it means."""
    where = query.tree.args.get("where")
    remedy = "compare columns with values, and do the rest in a view"
    for node in where.walk() if where is not None else ():
        if not isinstance(node, _KNOWN):
            return Problem(query.place(node), f"what `{query.place(node).text}` gives there is not known here", remedy)
    for token in sqlglot.tokenize(query.span.text, read=sqlglot_dialect(query.dialect)):
        place = Span(query.span.source, query.span.start + token.start, query.span.start + token.end + 1)
        if token.token_type is TokenType.STRING and "\\" in place.text:
            cause = "what a backslash in a text means depends on the server's settings"
            return Problem(place, cause, "filter by this text in a view")
    return None
