"""Whether a source can tell which rows a collect query takes no more: those that its WHERE leaves out, if nothing else decides."""

from __future__ import annotations

from sqlglot import exp

from language.diagnostics import Problem, Span
from language.queries import ParsedQuery
from language.resolved import Settings
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode

_TELLING = frozenset({"expressions", "from_", "where"})
_REMEDY = (
    "collect the table by its columns and WHERE, and do the rest in a view; or use REPLACE, which reads the whole result every time"
)
# What gives another answer although no row has changed; of PostgreSQL's functions those that sqlglot has no class for.
_MOMENTS = (
    *(exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime, exp.Localtimestamp),
    *(exp.Rand, exp.Uuid, exp.CurrentUser, exp.SessionUser),
)
_MOMENT_NAMES = frozenset(
    {
        *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday", "random", "random_normal"),
        *("gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval", "lastval", "current_setting", "txid_current"),
        *("pg_current_xact_id", "pg_backend_pid", "pg_sleep", "inet_client_addr", "has_table_privilege", "pg_has_role"),
    }
)
_MOMENT_TEXTS = frozenset({"now", "today", "tomorrow", "yesterday"})


def condition(query: ParsedQuery, settings: Settings, collector: Slice) -> Span | None:
    """The WHERE of a query that is merged, whose rows are then told when they leave it; None where no row can leave.

    Raises Problem where rows can leave and the source cannot tell which.
    """
    if settings.mode is not Mode.MERGE or not (obstacle := _obstacle(query) or query.tree.args.get("where")):
        return None
    if isinstance(obstacle, exp.Where) and obstacle.parent is query.tree:
        _refuse_moments(query, obstacle)
        if not collector.capabilities.reports_left:
            raise Problem(query.place(obstacle), f"{collector.id} does not tell which rows this WHERE takes no more", _REMEDY)
        return query.where()
    cause = "a row that this query gives no more would stay in the table: its source cannot tell that it left"
    raise Problem(query.place(obstacle), cause, _REMEDY)


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


def _refuse_moments(query: ParsedQuery, where: exp.Where) -> None:
    for node in where.walk():
        named = isinstance(node, exp.Anonymous) and (
            node.name.lower() in _MOMENT_NAMES or (node.name.lower() == "age" and len(node.expressions) == 1)
        )
        text = isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.name.strip().lower() in _MOMENT_TEXTS
        if isinstance(node, _MOMENTS) or named or text:
            cause = "rows leave this WHERE without being changed, and no CURSOR tells which"
            raise Problem(query.place(node), cause, "filter by the moment in a view, with batch_end(); or use REPLACE")
