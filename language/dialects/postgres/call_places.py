"""Where calls may stand: aggregates, windows and functions that give rows each have clauses that do not take them."""

from __future__ import annotations

from language.dialects.postgres.catalogue import Function
from language.dialects.postgres.context import Context
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Scope

# https://www.postgresql.org/docs/current/sql-expressions.html#SYNTAX-AGGREGATES
_NO_AGGREGATES = {
    "where": ("WHERE", "write it in HAVING, or aggregate in a subquery and filter around it"),
    "join": ("a join's condition", "aggregate in a subquery, and join that"),
    "group": ("GROUP BY", "aggregate in a subquery, and group around it"),
    "limit": ("LIMIT and OFFSET", "write a number"),
    "filter": ("FILTER", "aggregate in a subquery first"),
    "from": ("FROM", "aggregate in a subquery first"),
    "values": ("VALUES", "aggregate in a subquery first"),
    "aggregate": ("another aggregate", "aggregate in a subquery first, and again around it"),
}
_NO_WINDOWS = {
    **{name: place for name, (place, _) in _NO_AGGREGATES.items()},
    **{"having": "HAVING", "window": "another window", "windowed": "another window", "aggregate": "an aggregate"},
}
_SETS_REFUSED = ("where", "join", "having", "limit", "filter", "group")


def misused(inner: Node, function: Function) -> tuple[str, str] | None:
    name, over = function.name, "over" in inner
    if function.kind == "f":
        if over:
            return f"`{name}` is no window function", "remove OVER"
        if any(inner.get(each) for each in ("agg_distinct", "agg_order", "agg_filter", "agg_star", "agg_within_group")):
            return f"`{name}` is no aggregate", "remove DISTINCT, ORDER BY, FILTER or WITHIN GROUP"
    if function.kind == "a" and not function.arguments and not inner.get("agg_star"):
        return f"`{name}` needs an argument", f"write {name}(*) to count rows"
    if function.kind == "w" and not over:
        return f"`{name}` needs a window", "write OVER (PARTITION BY … ORDER BY …) after it"
    if function.kind == "w" and inner.get("agg_filter"):
        return f"`{name}` takes no FILTER", "filter in a subquery, or write an aggregate"
    if over and inner.get("agg_distinct"):
        return "a window takes no DISTINCT", "remove the rows that are the same in a subquery first"
    if function.aggregate in ("o", "h") and not inner.get("agg_within_group"):
        return f"`{name}` needs WITHIN GROUP", "write WITHIN GROUP (ORDER BY …) after it"
    if function.aggregate == "n" and inner.get("agg_within_group"):
        return f"`{name}` takes no WITHIN GROUP", "write ORDER BY within its parentheses"
    return None


def mark_placed(context: Context, scope: Scope, node: Node, inner: Node, function: Function, made: Expr) -> None:
    """Marks aggregates and windows, and reports those that may not stand where they do."""
    if "over" in inner:
        made.tag = "window"
        if scope.clause in _NO_WINDOWS:
            remedy = "take the window's value in a subquery, and use it around that"
            context.problem(context.places.of(node), f"a window cannot stand in {_NO_WINDOWS[scope.clause]}", remedy)
    elif function.kind == "a":
        mark_aggregate(context, scope, node, inner, made)
    elif function.returns_set and scope.clause in _SETS_REFUSED:
        remedy = "call it in FROM, and filter or group what it gives"
        context.problem(context.places.of(node), f"`{function.name}` gives rows, which cannot stand here", remedy)


def mark_aggregate(context: Context, scope: Scope, node: Node, inner: Node, made: Expr) -> None:
    if "over" in inner:
        made.tag = "window"
        return
    made.tag, made.scope = "aggregate", _scope_of(scope, made)
    taken = list(made.walk())
    for around in scope.around():
        if around is made.scope:
            break
        around.outer[:] = [read for read in around.outer if read not in taken]
    if made.scope.clause not in _NO_AGGREGATES:
        made.scope.aggregates.append(made)
    else:
        where, remedy = _NO_AGGREGATES[made.scope.clause]
        context.problem(context.places.of(node), f"an aggregate cannot stand in {where}", remedy)


def _scope_of(scope: Scope, aggregate: Expr) -> Scope:
    """Whose rows it takes: those of the query around, where it names only columns from there."""
    scopes = {part.scope for part in aggregate.walk() if part.tag == "column" and part.scope is not None}
    scopes |= {read.scope for part in aggregate.walk() for read in part.reads if read.scope is not None}
    return next((around for around in scope.around() if around in scopes), scope)
