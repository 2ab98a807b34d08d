"""By what a row can leave a query's result: its WHERE, and what else there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from language.diagnostics import Span
from language.dialects.postgres.catalogue import functions
from language.dialects.postgres.moments import moves
from language.dialects.postgres.parser import Node
from language.dialects.postgres.projection import where_text
from language.dialects.postgres.query import PostgresQuery, inner_nodes, is_aggregate
from language.left_rows import Leaving

_TELLING = frozenset({"targetList", "fromClause", "whereClause", "limitOption", "op"})
# What gives another answer although no row has changed, besides what the catalogue knows to be volatile.
_MOMENTS = frozenset(
    {
        *("now", "statement_timestamp", "transaction_timestamp", "currval", "lastval", "current_setting", "txid_current"),
        *("pg_current_xact_id", "pg_backend_pid", "inet_client_addr", "has_table_privilege", "pg_has_role"),
    }
)


def leaving(query: PostgresQuery) -> Leaving:
    where = query.statement.get("whereClause")
    place = query.at(query.places.of(where)) if where is not None else None
    moments, own = (_first(query, nodes) for nodes in (_moments(where), _own_functions(where)))
    return Leaving(_obstacle(query), place, where_text(query), moments, own)


def _first(query: PostgresQuery, nodes: Iterable[Node]) -> Span | None:
    places = sorted(map(query.places.of, nodes))
    return query.at(places[0]) if places else None


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
    for node in inner_nodes({"in": where}, "TypeCast"):
        text = node["arg"].get("A_Const", {}).get("sval", {}).get("sval", "")
        if moves(str(text), node["typeName"].get("names", [{}])[-1].get("String", {}).get("sval", "")):
            yield {"TypeCast": node}


def _own_functions(where: Node | None) -> Iterator[Node]:
    """Calls of functions, and uses of operators, that are named with a schema of the database's own."""
    for tag, names in (("FuncCall", "funcname"), ("A_Expr", "name")):
        yield from ({tag: node} for node in inner_nodes({"in": where}, tag) if _is_own(node[names]))


def _is_own(names: Sequence[Node]) -> bool:
    return len(names) > 1 and names[0]["String"]["sval"] != "pg_catalog"
