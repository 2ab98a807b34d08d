"""Whether a window's ORDER BY tells rows of one partition apart: what is the same in all of them orders nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Tree = dict[str, Any]
Names = tuple[str, ...]  # of a column, its dotted parts, folded
_PLACES = ("query_location", "alias")  # what is no part of an expression's meaning


def orders(window: Tree) -> bool:
    """False where no expression names a column of the query's rows but the partition's own, or is one that partitions."""
    partitions = [_meaning(each) for each in window.get("partitions", ())]
    apart = [tuple(map(str.lower, each["column_names"])) for each in window.get("partitions", ()) if each["class"] == "COLUMN_REF"]
    by = [each["expression"] for each in (*window.get("orders", ()), *window.get("arg_orders", ()))]
    return any(_meaning(each) not in partitions and not all(_same(apart, column) for column in _columns(each, None)) for each in by)


def orders_by_names(window: Tree, given: Mapping[str, Tree]) -> bool:
    """What `orders` says where a column's name means an item of the SELECT.  given: the items by the names that AS gives, folded.

    A table's own column comes before such a name: only `unordered` knows of those.
    """
    return orders({**window, **{key: _meant(window.get(key, ()), given) for key in ("partitions", "orders", "arg_orders")}})


def unordered(plan: Any) -> bool:
    """Whether a plan has a window that orders by nothing, or by nothing but what its partitions are made of."""
    for window in (node for node in _nodes(plan) if node.get("expression_class") == "BOUND_WINDOW"):
        by = [each["expression"] for each in (*window.get("orders", ()), *window.get("arg_orders", ()))]
        if by and _inputs(by) <= _inputs(window.get("partitions", ())):
            return True
    return False


def _nodes(plan: Any) -> Iterator[Tree]:
    stack = [plan]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            yield found
            stack += found.values()
        elif isinstance(found, (list, tuple)):
            stack += found


def _inputs(expressions: Any) -> set[int]:
    """The columns, by their numbers in the window's input, that bound expressions name."""
    return {node.get("index", 0) for node in _nodes(expressions) if node.get("expression_class") == "BOUND_REF"}


def _meant(value: Any, given: Mapping[str, Tree]) -> Any:
    """An expression with the item itself in the place of each name that AS gives."""
    if isinstance(value, (list, tuple)):
        return [_meant(each, given) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") == "COLUMN_REF" and len(value["column_names"]) == 1:
        return given.get(value["column_names"][0].lower(), value)
    return {key: _meant(each, given) for key, each in value.items()}


def _same(partitions: list[Names], column: Names) -> bool:
    """Whether a column is one of the partition's, with or without its table's name."""
    return any(each[-len(column) :] == column or column[-len(each) :] == each for each in partitions)


def _columns(value: Any, inner: frozenset[str] | None) -> Iterator[Names]:
    """Columns of the rows that the window orders: within a subquery those whose table its own FROM does not name.

    inner: the names of the subqueries' tables, None outside of any. A column without a table's name is the subquery's own.
    """
    if isinstance(value, list):
        for each in value:
            yield from _columns(each, inner)
    elif isinstance(value, dict):
        if value.get("type") == "SELECT_NODE" and value.get("from_table", {}).get("type", "EMPTY") != "EMPTY":
            inner = (inner or frozenset()) | frozenset(_called(value["from_table"]))
        if value.get("class") == "COLUMN_REF":
            names = tuple(map(str.lower, value["column_names"]))
            if inner is None or (len(names) > 1 and inner.isdisjoint(names[:-1])):
                yield names
        for child in value.values():
            yield from _columns(child, inner)


def _called(from_table: Any) -> Iterator[str]:
    """What the tables of a FROM are called."""
    if isinstance(from_table, list):
        for each in from_table:
            yield from _called(each)
    elif isinstance(from_table, dict):
        name = from_table.get("alias") or from_table.get("table_name")
        if isinstance(name, str):
            yield name.lower()
        for child in from_table.values():
            yield from _called(child)


def _meaning(value: Any) -> Any:
    """An expression without the places where it is written."""
    if isinstance(value, list):
        return [_meaning(each) for each in value]
    if isinstance(value, dict):
        return {key: _meaning(each) for key, each in value.items() if key not in _PLACES}
    return value
