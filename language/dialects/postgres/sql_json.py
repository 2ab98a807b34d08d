"""SQL's own constructors and functions of JSON and XML, which are no functions of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import BOOL, TEXT, Kind
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Scope, Untold
from language.dialects.postgres.type_words import named_kind

Handler = Callable[[Context, Scope, Node, Node], Expr]
_PARTS = (
    "exprs",
    "expr",
    "args",
    "named_args",
    "arg",
    "context_item",
    "pathspec",
    "passing",
    "raw_expr",
    "key",
    "value",
    "val",
    "func",
)
_WRAPPED = ("JsonKeyValue", "JsonValueExpr", "JsonArgument", "ResTarget")


def values(context: Context, scope: Scope, inner: Any) -> list[Expr]:
    """The expressions among the parts of such a node."""
    found: list[Expr] = []
    for name in _PARTS:
        part = inner.get(name)
        for each in part if isinstance(part, list) else [part] if isinstance(part, dict) else []:
            found += _value(context, scope, each)
    return found


def _value(context: Context, scope: Scope, node: Node) -> list[Expr]:
    tag, inner = next(iter(node.items()))
    if len(node) == 1 and tag in _WRAPPED:
        return values(context, scope, inner)
    if len(node) == 1 and tag[0].isupper():
        return [context.expression(scope, node)]
    return values(context, scope, node)


def returning(context: Context, inner: Node, default: Kind) -> Kind | Untold | None:
    node = inner.get("output", {}).get("typeName") or inner.get("typeName")
    return named_kind(context, node) if node is not None else default


def _of(default: Kind) -> Handler:
    def handle(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
        return _typed(context, node, returning(context, inner, default), values(context, scope, inner))

    return handle


def _typed(context: Context, node: Node, kind: Kind | Untold | None, parts: list[Expr]) -> Expr:
    found = context.made(node, kind if isinstance(kind, Kind) else None, ("constructor", *node), parts)
    found.untold = kind if isinstance(kind, Untold) else None
    return found


def _array_query(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    outputs, child = context.query(inner["query"]["SelectStmt"], scope)
    rows = Expr(None, context.places.of(node), ("query", id(node)), refs=frozenset().union(*(o.expr.refs for o in outputs)))
    found = _typed(context, node, returning(context, inner, Kind("json")), [rows])
    found.reads = tuple(child.outer)
    return found


def _aggregate(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    from language.dialects.postgres.call_places import mark_aggregate

    constructor = inner.get("constructor", {})
    with scope.reading("aggregate" if "over" not in constructor else scope.clause):
        parts = values(context, scope, {"arg": inner["arg"]})
    found = _typed(context, node, returning(context, constructor, Kind("json")), parts)
    mark_aggregate(context, scope, node, constructor, found)
    return found


def _json_function(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    default = {"JSON_EXISTS_OP": BOOL, "JSON_VALUE_OP": TEXT}.get(inner.get("op", ""), Kind("jsonb"))
    parts = values(context, scope, inner)
    return _typed(context, node, returning(context, inner, default), parts)


def _xml(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    kind = BOOL if inner.get("op") == "IS_DOCUMENT" else Kind("xml")
    return _typed(context, node, kind, values(context, scope, inner))


HANDLERS: dict[str, Handler] = {
    "JsonObjectConstructor": _of(Kind("json")),
    "JsonArrayConstructor": _of(Kind("json")),
    "JsonArrayQueryConstructor": _array_query,
    "JsonObjectAgg": _aggregate,
    "JsonArrayAgg": _aggregate,
    "JsonParseExpr": _of(Kind("json")),
    "JsonScalarExpr": _of(Kind("json")),
    "JsonSerializeExpr": _of(TEXT),
    "JsonIsPredicate": _of(BOOL),
    "JsonFuncExpr": _json_function,
    "XmlExpr": _xml,
    "XmlSerialize": _of(TEXT),
}
