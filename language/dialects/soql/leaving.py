"""What a row can leave a query's result by: its WHERE, and what else there is."""

from __future__ import annotations

from sqlglot import exp

from language.dialects.soql.query import SoqlQuery
from language.sql.leaving import Leaving

_TELLING = frozenset({"expressions", "from_", "where"})


def leaving(query: SoqlQuery) -> Leaving:
    obstacle, where = _obstacle(query), query.tree.args.get("where")
    place = query.place(obstacle) if obstacle is not None else None
    return Leaving(place, query.place(where) if where is not None else None, query.where())


def _obstacle(query: SoqlQuery) -> exp.Expr | None:
    """The first thing besides WHERE by which a row can leave the result, or the table beyond whose rows it is made."""
    tree: exp.Expr = query.tree
    if not isinstance(tree, exp.Select):
        return tree
    where = tree.args.get("where")
    joins = tree.args.get("joins") or []
    if joins and where is None and all(join.side == "LEFT" and not join.args.get("method") for join in joins):
        joins = []  # each row of the first table stays
    extra = next((value for name, value in tree.args.items() if name not in _TELLING | {"joins"} and value), None)
    node = next(iter(joins), None) or (extra[0] if isinstance(extra, list) else extra)
    if node is not None:
        return node if isinstance(node, exp.Expr) else tree
    source: exp.Expr = tree.args["from_"].this
    if not isinstance(source, exp.Table):
        return source
    return next(iter(n for n in tree.find_all(exp.Query, exp.AggFunc, exp.Window) if n is not tree), None)
