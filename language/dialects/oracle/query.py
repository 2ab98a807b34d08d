"""A collect query in Oracle's SQL: columns of one table, and a WHERE of comparisons that mean the same in every session."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from language.sql.one_table import OneTableQuery, projection
from language.sql.projection import CollectedQuery
from language.sql.query import TableReference
from language.text.diagnostics import Problem, Span

# What may stand in a WHERE; all else is refused until it is known here.
_KNOWN = (
    *(exp.Where, exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Paren, exp.Tuple, exp.Neg),
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In),
    *(exp.Between, exp.Like, exp.Add, exp.Sub, exp.Mul),
)
# What is no column though it looks like one: https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Pseudocolumns.html
_PSEUDO = frozenset(
    {"ROWNUM", "ROWID", "LEVEL", "ORA_ROWSCN", "USER", "UID", "SYSDATE", "SYSTIMESTAMP", "CURRENT_DATE", "LOCALTIMESTAMP"}
    | {"CURRENT_TIMESTAMP", "SESSIONTIMEZONE", "DBTIMEZONE", "OBJECT_ID", "OBJECT_VALUE", "VERSIONS_STARTSCN", "CONNECT_BY_ISLEAF"}
)
_DAYS = (exp.Cast, exp.DateStrToDate, exp.StrToTime)
_BEFORE_A_DAY = re.compile(r"\b(DATE|TIMESTAMP)\s*$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class OracleQuery(OneTableQuery):
    dialect: str = "oracle"

    def name_at_source(self, reference: TableReference) -> str:
        identifiers = [part for part in reference.node.parts if isinstance(part, exp.Identifier)]
        return ".".join(folded(part.name, bool(part.quoted)) for part in identifiers[1:])


def folded(text: str, quoted: bool) -> str:
    return text if quoted else text.upper()


def read(span: Span) -> OracleQuery:
    """The query at `span`. Raises Problem where it is not one query that only reads."""
    query = OracleQuery(span)
    query.check_reads()
    query.check_commas()
    return query


def collected(query: OracleQuery) -> CollectedQuery:
    """What of the query the slice runs; nothing in it casts."""
    found = projection(query)
    return CollectedQuery(found if isinstance(found, Problem) else _unknown(query) or found)


def _unknown(query: OracleQuery) -> Problem | None:
    """The first thing in the query of which it is not known here what it means."""
    where = query.tree.args.get("where")
    remedy = "compare columns with values, and do the rest in a view"
    days = [node for node in where.find_all(*_DAYS) if _is_day(query, node)] if where is not None else []
    within = {id(part) for day in days for part in day.walk()}
    for node in query.tree.walk():
        if isinstance(node, exp.Literal) and node.is_string and not node.this:
            return Problem(query.place(node), "'' is NULL in Oracle, and equal to nothing", "write IS NULL, or IS NOT NULL")
        if isinstance(node, exp.Column) and node.name.upper() in _PSEUDO and not node.this.quoted:
            return Problem(
                query.place(node), f"{node.name.upper()} is no column: it goes by the moment, or by where a row is", remedy
            )
    for node in where.walk() if where is not None else ():
        if not isinstance(node, _KNOWN) and id(node) not in within:
            return Problem(query.place(node), f"what `{query.place(node).text}` gives there is not known here", remedy)
    if "(+)" in query.span.text.replace(" ", ""):
        return Problem(query.first_word, "an outer join by (+) is more than a projection", "do it in a view")
    return None


def _is_day(query: OracleQuery, node: exp.Expr) -> bool:
    """Whether it is DATE '2026-01-01' or TIMESTAMP '…', and casts nothing."""
    if not isinstance(node.this, exp.Literal):
        return False
    start = query.place(node.this).start - query.span.start
    return _BEFORE_A_DAY.search(query.span.text[:start]) is not None
