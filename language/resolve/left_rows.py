"""Whether a source can tell which rows a collect query takes no more: those that its WHERE leaves out, if nothing else decides."""

from __future__ import annotations

from sqlglot import exp

from language.dialects.postgres.query import PostgresQuery
from language.forms.resolved import Settings
from language.sql.leaving import Leaving
from language.sql.parsed import ParsedQuery
from language.text.diagnostics import Problem, Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode

_TELLING = frozenset({"expressions", "from_", "where"})
_REMEDY = (
    "collect the table by its columns and WHERE, and do the rest in a view; or use REPLACE, which reads the whole result every time"
)


def condition(query: ParsedQuery, settings: Settings, collector: Slice) -> Span | None:
    """The WHERE of a query that is merged, whose rows are then told when they leave it; None where no row can leave.

    Raises Problem where rows can leave and the source cannot tell which.
    """
    if settings.mode is not Mode.MERGE:
        return None
    found = _leaving(query)
    if found.obstacle is not None:
        cause = "a row that this query gives no more would stay in the table: its source cannot tell that it left"
        raise Problem(found.obstacle, cause, _REMEDY)
    if found.where is None:
        return None
    if found.moment is not None:
        raise leaves_by_itself(found.moment)
    if found.own is not None:
        cause = "rows may leave this WHERE without being changed: what this calls, only the source knows"
        raise Problem(
            found.own, cause, found.meant + "SELECT what it gives as a column, and filter by that in a view; or use REPLACE"
        )
    if not collector.capabilities.reports_left:
        raise Problem(found.where, f"{collector.id} does not tell which rows this WHERE takes no more", _REMEDY)
    return found.text


def leaves_by_itself(moment: Span) -> Problem:
    cause = "rows leave this WHERE without being changed, and no CURSOR tells which"
    return Problem(moment, cause, "filter by the moment in a view, with batch_end(); or use REPLACE")


def _leaving(query: ParsedQuery) -> Leaving:
    if isinstance(query, PostgresQuery):
        from language.dialects.postgres.leaving import leaving

        return leaving(query)
    obstacle, where = _obstacle(query), query.tree.args.get("where")
    place = query.place(obstacle) if obstacle is not None else None
    return Leaving(place, query.place(where) if where is not None else None, query.where())


def _obstacle(query: ParsedQuery) -> exp.Expr | None:
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
