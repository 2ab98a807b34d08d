"""Whether a window's ORDER BY tells rows of one partition apart, by its text: what is the same in all of them orders nothing."""

from __future__ import annotations

from collections.abc import Iterator
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
