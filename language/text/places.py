"""Where the nodes of a query stand in its text, also after qualification has moved and copied them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from sqlglot import exp

Place = tuple[int, int]
Node = TypeVar("Node", bound=exp.Expr)


def place_of(node: exp.Expr) -> Place | None:
    """[start, end) of a node, as near as sqlglot tells; None for one that qualification has made."""
    if isinstance(node, exp.Column):
        return _own(node)
    found = [place for n in node.walk(prune=_is_column) if (place := _own(n)) is not None]
    return (min(start for start, _ in found), max(end for _, end in found)) if found else None


def of_kind(nodes: Iterable[exp.Expr], *kinds: type[Node]) -> list[Node]:
    """Those of a tree's nodes that `find_all` would find: a tree is walked once, and asked for many kinds."""
    return [node for node in nodes if isinstance(node, kinds)]


def _is_column(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column)


def _own(node: exp.Expr) -> Place | None:
    """Of a column only its name, and the table before it where that is written there: else it is the FROM clause's, copied."""
    name = node.this if isinstance(node, exp.Column) else node
    if "start" not in name.meta or "end" not in name.meta:
        return None
    start, end = name.meta["start"], name.meta["end"] + 1
    table = node.args.get("table") if isinstance(node, exp.Column) else None
    if table is not None and table.meta.get("end") == start - 2:  # the dot stands between them
        start = table.meta["start"]
    return start, end
