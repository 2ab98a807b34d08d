"""Columns that a grouped query can say nothing of: neither grouped nor within an aggregate."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

Keys = dict[type[exp.Expr], set[exp.Expr]]  # by kind: to look a node up hashes all that is in it
_WHOLE = (exp.Query, exp.AggFunc, exp.AnonymousAggFunc, exp.WithinGroup, exp.Filter)
_CONTAINERS = (exp.Group, exp.GroupingSets, exp.Cube, exp.Rollup, exp.Tuple, exp.Paren)


def ungrouped_columns(scope: Scope) -> Iterator[exp.Column]:
    """Of a qualified SELECT with GROUP BY or aggregates."""
    select = scope.expression
    group = select.args.get("group")
    if group is not None and (group.args.get("all") or group.args.get("totals")):
        return
    items = [item.unalias() for item in select.expressions]
    items += [select.args[name].this for name in ("having", "qualify") if select.args.get(name) is not None]
    if group is None and not any(map(aggregates, items)):
        return
    keys: Keys = {}
    for key in _keys(group, items) if group is not None else ():
        keys.setdefault(type(key), set()).add(key)
    for item in items:
        yield from _bare(item, keys, set(scope.sources))


def aggregates(item: exp.Expr) -> bool:
    """Whether there is an aggregate that is no window function, outside of subqueries."""
    stack = [item]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Query):
            continue
        if isinstance(node, exp.Window):
            stack += _within_window(node)
            continue
        if isinstance(node, (exp.AggFunc, exp.AnonymousAggFunc)):
            return True
        stack += node.iter_expressions()
    return False


def _keys(group: exp.Expr, items: list[exp.Expr]) -> Iterator[exp.Expr]:
    """What is grouped by, also within ROLLUP, CUBE and GROUPING SETS, where a number means an item of the SELECT."""
    stack = list(group.expressions)
    while stack:
        node = stack.pop()
        if isinstance(node, _CONTAINERS):
            stack += node.iter_expressions()
        elif isinstance(node, exp.Literal) and node.is_int and 1 <= int(node.this) <= len(items):
            yield items[int(node.this) - 1].unnest()
        else:
            yield node


def _bare(item: exp.Expr, keys: Keys, names: set[str]) -> Iterator[exp.Column]:
    if item in keys.get(type(item), ()) or isinstance(item, _WHOLE):
        return
    if isinstance(item, exp.Column):
        if item.table in names:
            yield item
        return
    for child in _within_window(item) if isinstance(item, exp.Window) else item.iter_expressions():
        yield from _bare(child, keys, names)


def _within_window(window: exp.Window) -> Iterator[exp.Expr]:
    """The function's arguments, which are evaluated after grouping, and what partitions and orders."""
    for child in window.iter_expressions():
        if child.arg_key == "this":
            yield from child.iter_expressions()
        else:
            yield child
