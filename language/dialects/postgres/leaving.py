"""What a row can leave a query's result by: its WHERE, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from language.dialects.postgres.catalogue import functions, operators, similar_functions, types
from language.dialects.postgres.moments import holds_time, is_moment
from language.dialects.postgres.parser import Node
from language.dialects.postgres.projection import where_text
from language.dialects.postgres.query import PostgresQuery, inner_nodes, is_aggregate
from language.dialects.postgres.type_words import names_of
from language.sql.leaving import Leaving
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import Span, did_you_mean

_TELLING = frozenset({"targetList", "fromClause", "whereClause", "limitOption", "op"})
# What gives another answer although no row has changed, besides what the catalogue knows to be volatile.
_MOMENTS = frozenset(
    {
        *("now", "statement_timestamp", "transaction_timestamp", "currval", "lastval", "current_setting", "txid_current"),
        *("pg_current_xact_id", "pg_backend_pid", "inet_client_addr", "has_table_privilege", "pg_has_role"),
    }
)
# What makes a time of a text although the text's own cast does not.
_READING = frozenset({"TypeCast", "FuncCall", "JsonFuncExpr"})
# Of which parts a value may be one.
_BRANCHES = {
    **{"CoalesceExpr": ("args",), "MinMaxExpr": ("args",), "RowExpr": ("args",), "CaseExpr": ("args", "defresult")},
    **{"CaseWhen": ("result",), "A_ArrayExpr": ("elements",), "A_Indirection": ("arg",), "CollateClause": ("arg",)},
}


def leaving(query: PostgresQuery) -> Leaving:
    where = query.statement.get("whereClause")
    place = query.at(query.places.of(where)) if where is not None else None
    moment, own = (min(nodes, key=query.places.of, default=None) for nodes in (_moments(where), _own_functions(where)))
    return Leaving(_obstacle(query), place, where_text(query), _span(query, moment), _span(query, own), _meant(own))


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


def _moments(where: Node | None) -> Iterator[Node]:
    for node in inner_nodes({"in": where}, "SQLValueFunction"):
        yield {"SQLValueFunction": node}
    for node in inner_nodes({"in": where}, "FuncCall"):
        name = node["funcname"][-1]["String"]["sval"]
        volatile = any(function.volatility == "v" for function in functions(name))
        if not _is_own(node["funcname"]) and (volatile or name in _MOMENTS or (name == "age" and len(node.get("args", ())) == 1)):
            yield {"FuncCall": node}
    yield from _moving_texts(where, False)


def _moving_texts(node: Any, read_on: bool) -> Iterator[Node]:
    """Casts of texts that mean another time tomorrow: to what may hold a time, or within what reads them on."""
    if isinstance(node, list):
        for each in node:
            yield from _moving_texts(each, read_on)
    elif isinstance(node, dict):
        for tag, inner in node.items():
            if tag == "TypeCast" and (read_on or _may_hold_time(inner["typeName"])) and any(map(is_moment, _texts(inner["arg"]))):
                yield {"TypeCast": inner}
            yield from _moving_texts(inner, read_on or tag in _READING)


def _texts(node: Node) -> Iterator[str]:
    """Those of which a value may be made, where no operator and no call makes another one of them."""
    for tag, inner in node.items():
        if tag == "A_Const":
            yield str(inner.get("sval", {}).get("sval", ""))
        for field in _BRANCHES.get(tag, ()):
            branches = inner.get(field, [])
            for branch in branches if isinstance(branches, list) else [branches]:
                yield from _texts(branch)


def _may_hold_time(type_name: Node) -> bool:
    """Also of a type of which PostgreSQL's catalogue tells nothing, such as a domain."""
    *schema, name = names_of(type_name)
    known = types().get(name) if schema in ([], ["pg_catalog"]) else None
    return known is None or known.kind == "p" or holds_time(name)


def _own_functions(where: Node | None) -> Iterator[Node]:
    """Calls of functions, and uses of operators, that are the database's own: named with its schema, or not in the catalogue."""
    for node in inner_nodes({"in": where}, "FuncCall"):
        name = node["funcname"][-1]["String"]["sval"]
        known = bool(functions(name)) or (name in types() and len(node.get("args", ())) == 1) or name in BATCH_BOUNDS
        if _is_own(node["funcname"]) or not known:
            yield {"FuncCall": node}
    for node in inner_nodes({"in": where}, "A_Expr"):
        known = bool(operators(node["name"][-1]["String"]["sval"])) or "BETWEEN" in node["kind"]
        if _is_own(node["name"]) or not known:
            yield {"A_Expr": node}


def _is_own(names: Sequence[Node]) -> bool:
    return len(names) > 1 and names[0]["String"]["sval"] != "pg_catalog"
