"""Columns that a grouped query can say nothing of: neither grouped nor within an aggregate."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope


def ungrouped_columns(scope: Scope) -> Iterator[exp.Column]:
    """Of a qualified SELECT with GROUP BY or aggregates."""
    select = scope.expression
    group = select.args.get("group")
    if group is not None and (group.args.get("all") or group.args.get("totals")):
        return
    items = [*select.expressions, *_parts(select)]
    if group is None and not any(_aggregates(item) for item in items):
        return
    keys = set(_keys(group)) if group is not None else set()
    inside = set(map(id, scope.sources))
    names = set(scope.sources)
    del inside
    aliases = {item.alias for item in select.expressions if isinstance(item, exp.Alias)}
    for item in items:
        yield from _bare(item.unalias() if isinstance(item, exp.Alias) else item, keys, names, aliases)


def _parts(select: exp.Expr) -> Iterator[exp.Expr]:
    for name in ("having", "qualify"):
        if select.args.get(name) is not None:
            yield select.args[name].this


def _keys(group: exp.Expr) -> Iterator[exp.Expr]:
    for item in group.expressions:
        yield item
    for name in ("cube", "rollup", "grouping_sets"):
        for part in group.args.get(name) or ():
            yield from part.find_all(exp.Column)
            yield from part.expressions


def _aggregates(item: exp.Expr) -> bool:
    """Whether there is an aggregate that is no window function, outside of subqueries."""
    stack = [item]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Query):
            continue
        if isinstance(node, exp.Window):
            stack += [child for child in node.this.iter_expressions()]
            stack += [child for key, child in _children(node) if key != "this"]
            continue
        if isinstance(node, (exp.AggFunc, exp.AnonymousAggFunc)):
            return True
        stack += list(node.iter_expressions())
    return False


def _bare(item: exp.Expr, keys: set[exp.Expr], names: set[str], aliases: set[str]) -> Iterator[exp.Column]:
    if item in keys or isinstance(item, exp.Query):
        return
    if isinstance(item, exp.Column):
        if item.table in names:
            yield item
        return
    if isinstance(item, exp.Window):
        for child in (c for part in (item.this,) for c in part.iter_expressions()):
            yield from _bare(child, keys, names, aliases)
        for key, child in _children(item):
            if key != "this":
                yield from _bare(child, keys, names, aliases)
        return
    if isinstance(item, (exp.AggFunc, exp.AnonymousAggFunc, exp.WithinGroup, exp.Filter)):
        return
    for child in item.iter_expressions():
        yield from _bare(child, keys, names, aliases)


def _children(node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    for child in node.iter_expressions():
        yield str(child.arg_key), child
