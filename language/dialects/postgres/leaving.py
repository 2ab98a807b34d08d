"""What a row can leave a query's result by, or come into it late: its WHERE, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.postgres.catalogue import functions, operators, similar_functions, types
from language.dialects.postgres.impure import impure, is_own
from language.dialects.postgres.parser import Node
from language.dialects.postgres.projection import where_text
from language.dialects.postgres.query import PostgresQuery, inner_nodes, is_aggregate
from language.sql.leaving import Leaving
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import Span, did_you_mean

_TELLING = frozenset({"targetList", "fromClause", "whereClause", "limitOption", "op"})
# Functions of text search ▸ with how many arguments they go by the session's configuration.
_CONFIGURED = {
    **dict.fromkeys(("to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"), 1),
    **{"json_to_tsvector": 2, "jsonb_to_tsvector": 2, "ts_headline": 2, "get_current_ts_config": 0},
}


def leaving(query: PostgresQuery) -> Leaving:
    where, sources = query.statement.get("whereClause"), query.statement.get("fromClause", [])
    place = query.at(query.places.of(where)) if where is not None else None
    moments = [*impure([where, list(inner_nodes(sources, "JoinExpr"))]), *_by_configuration(where)]
    moment, own = (min(nodes, key=query.places.of, default=None) for nodes in (moments, _own_functions(where)))
    several = min(_sets(query.statement), key=query.places.of, default=None)
    return Leaving(
        _obstacle(query), place, where_text(query), _span(query, moment), _span(query, own), _meant(own), _span(query, several)
    )


def _span(query: PostgresQuery, node: Node | None) -> Span | None:
    return query.at(query.places.of(node)) if node is not None else None


def _meant(own: Node | None) -> str:
    """Which function of PostgreSQL's a name without a schema may be a misspelling of."""
    names = own.get("FuncCall", {}).get("funcname", []) if own is not None else []
    return did_you_mean(name := names[0]["String"]["sval"], similar_functions(name)) if len(names) == 1 else ""


def _obstacle(query: PostgresQuery) -> Span | None:
    statement = query.statement
    extra = next((value for name, value in statement.items() if name not in _TELLING and value), None)
    sources = statement.get("fromClause", [])
    if extra is None and len(sources) == 1:
        table = sources[0] if "whereClause" in statement else _leftmost(sources[0])
        inner = _within(statement)
        extra = inner if inner is not None or "RangeVar" in table else table
    elif extra is None:
        extra = sources
    if extra is None:
        return None
    place = query.places.of(extra)
    return query.at(place if place[1] else query.places.query(statement))


def _leftmost(source: Node) -> Node:
    """The table each of whose rows stays, of LEFT JOINs alone."""
    while "JoinExpr" in source and source["JoinExpr"]["jointype"] == "JOIN_LEFT" and not source["JoinExpr"].get("isNatural"):
        source = source["JoinExpr"]["larg"]
    return source


def _within(statement: Node) -> Node | None:
    """The first subquery, aggregate or window."""
    queries = [{"SubLink": node} for node in inner_nodes(statement, "SubLink")]
    calls = [{"FuncCall": node} for node in inner_nodes(statement, "FuncCall") if "over" in node or is_aggregate(node)]
    return next(iter([*queries, *calls]), None)


def _by_configuration(where: Node | None) -> Iterator[Node]:
    """Calls that read a text in the language that the database's user is set to at the time."""
    for node in inner_nodes({"in": where}, "FuncCall"):
        most = _CONFIGURED.get(node["funcname"][-1]["String"]["sval"], -1)
        if len(node.get("args", ())) <= most and not is_own(node["funcname"]):
            yield {"FuncCall": node}


def _sets(statement: Node) -> Iterator[Node]:
    """Calls of functions that make several rows, or none, of one."""
    for node in inner_nodes(statement.get("targetList", []), "FuncCall"):
        known = functions(node["funcname"][-1]["String"]["sval"])
        if not is_own(node["funcname"]) and any(function.returns_set for function in known):
            yield {"FuncCall": node}


def _own_functions(where: Node | None) -> Iterator[Node]:
    """Calls of functions, and uses of operators, that are the database's own: named with its schema, or not in the catalogue."""
    for node in inner_nodes({"in": where}, "FuncCall"):
        name = node["funcname"][-1]["String"]["sval"]
        known = bool(functions(name)) or (name in types() and len(node.get("args", ())) == 1) or name in BATCH_BOUNDS
        if is_own(node["funcname"]) or not known:
            yield {"FuncCall": node}
    for node in inner_nodes({"in": where}, "A_Expr"):
        known = bool(operators(node["name"][-1]["String"]["sval"])) or "BETWEEN" in node["kind"]
        if is_own(node["name"]) or not known:
            yield {"A_Expr": node}
