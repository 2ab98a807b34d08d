"""What gives something else though no row has changed: the moment, chance, the session, and texts that are another time tomorrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from language.dialects.postgres.catalogue import functions, types
from language.dialects.postgres.moments import holds_time, is_moment
from language.dialects.postgres.parser import Node
from language.dialects.postgres.places import Place
from language.dialects.postgres.query import PostgresQuery, inner_nodes
from language.dialects.postgres.type_words import names_of
from language.sql.problems import QueryProblem

# Besides what the catalogue knows to be volatile.
_MOMENTS = frozenset(
    {
        *("now", "statement_timestamp", "transaction_timestamp", "currval", "lastval", "current_setting", "txid_current"),
        *("pg_current_xact_id", "pg_backend_pid", "inet_client_addr", "has_table_privilege", "pg_has_role"),
    }
)
_DATABASE = "SVFOP_CURRENT_CATALOG"  # the database's name is the connection's
# What makes a time of a text although the text's own cast does not.
_READING = frozenset({"TypeCast", "FuncCall", "JsonFuncExpr"})
# Of which parts a value may be one.
_BRANCHES = {
    **{"CoalesceExpr": ("args",), "MinMaxExpr": ("args",), "RowExpr": ("args",), "CaseExpr": ("args", "defresult")},
    **{"CaseWhen": ("result",), "A_ArrayExpr": ("elements",), "A_Indirection": ("arg",), "CollateClause": ("arg",)},
}
_FILTERS = ("whereClause", "quals")  # of a row, which a REPLACE may choose by the moment
_REMEDY = "leave it out: `_batch` is the batch's time; compute by the moment in a view, with batch_end()"


def impure_columns(query: PostgresQuery, texts: Iterable[Place] = ()) -> Iterator[QueryProblem]:
    """A problem for each thing outside of a WHERE and an ON.  texts: places of those of which only types tell that they move."""
    filters: list[Node] = []
    columns = _without_filters(query.statement, filters)
    within = [query.places.of(node) for node in filters]
    found = {query.places.of(node) for node in impure(columns)}
    found |= {place for place in texts if not any(start <= place[0] < end for start, end in within)}
    for place in sorted(found):
        said = query.span.text[slice(*place)]
        yield QueryProblem(*place, f"`{said}` gives something else each time, so the result is no function of the inputs", _REMEDY)


def impure(node: Any) -> Iterator[Node]:
    """The parts of a tree that are so, each as it stands in a tree."""
    for value in inner_nodes({"in": node}, "SQLValueFunction"):
        if value.get("op") != _DATABASE:
            yield {"SQLValueFunction": value}
    for call in inner_nodes({"in": node}, "FuncCall"):
        name = call["funcname"][-1]["String"]["sval"]
        volatile = any(function.volatility == "v" for function in functions(name))
        if not is_own(call["funcname"]) and (volatile or name in _MOMENTS or (name == "age" and len(call.get("args", ())) == 1)):
            yield {"FuncCall": call}
    yield from _moving_texts(node, False)


def is_own(names: Sequence[Node]) -> bool:
    """Whether a name with a schema is the database's own."""
    return len(names) > 1 and names[0]["String"]["sval"] != "pg_catalog"


def _without_filters(node: Any, filters: list[Node]) -> Any:
    """The tree without its filters, which are added to `filters`."""
    if isinstance(node, list):
        return [_without_filters(each, filters) for each in node]
    if not isinstance(node, dict):
        return node
    filters += [node[tag] for tag in _FILTERS if isinstance(node.get(tag), dict)]
    return {tag: _without_filters(inner, filters) for tag, inner in node.items() if tag not in _FILTERS}


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
