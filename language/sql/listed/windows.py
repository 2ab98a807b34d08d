"""Functions over a window: what they are read of, and what an engine refuses of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.listed.calls import Around, call, name_of
from language.sql.listed.clauses import OVER
from language.sql.scope import NOTHING, Ref, Typed
from shared_metadata.program.lineage import Use

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions

_BOUNDS = ("UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING")  # in their order


@dataclass(frozen=True)
class Named:
    """A window of the clause WINDOW.  refs: the columns that it is made by.  orders: how many parts its ORDER BY has.

    framed: whether it has a frame.
    """

    refs: frozenset[Ref] = frozenset()
    orders: int = 0
    framed: bool = False


def named(expressions: Expressions, node: exp.Select) -> Mapping[str, Named]:
    """The windows of the clause WINDOW, each of which may build on those before it."""
    for window in node.args.get("windows") or ():
        expressions.windows = {**expressions.windows, window.name.lower(): _window(expressions, window)}
    return expressions.windows


def parts(node: exp.Select) -> Iterator[exp.Expr]:
    """What the windows of the clause WINDOW are made by."""
    for window in node.args.get("windows") or ():
        yield from window.args.get("partition_by") or ()
        yield from (part.this for part in (window.args["order"].expressions if window.args.get("order") is not None else ()))


def over(expressions: Expressions, node: exp.Window) -> Typed:
    """A call over a window."""
    told, findings = expressions.clause.windows, expressions.findings
    if told is not None:
        findings.problem(node, *told)
        return NOTHING
    inner = node.this
    if isinstance(inner, exp.Filter):
        findings.problem(node, "FILTER does not stand before OVER", "aggregate a CASE, as sum(CASE WHEN … THEN … END) OVER (…)")
        return NOTHING
    ignores = isinstance(inner, exp.IgnoreNulls)
    inner = inner.this if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)) else inner
    with expressions.within(replace(expressions.clause, windows=OVER.windows)):
        found = call(expressions, inner, Around(over=True, ignores=ignores))
        window = _window(expressions, node)
    name = name_of(expressions.rules, findings, inner)
    if name in expressions.rules.ordered_windows:
        if not window.orders:
            findings.problem(node, f"`{name}` is read by an order", f"write {name}(…) OVER (… ORDER BY …)")
        if node.args.get("spec") is not None:
            findings.problem(node, f"`{name}` has no frame", "leave out ROWS or RANGE")
    return Typed(found.kind, found.refs | window.refs, found.nullable)


def _window(expressions: Expressions, node: exp.Window) -> Named:
    """What stands within OVER (…), or behind a window's name."""
    base = node.args.get("alias")
    known, order, spec = Named(), node.args.get("order"), node.args.get("spec")
    if base is not None:
        known = expressions.windows.get(base.name.lower()) or known
        own = node.args.get("partition_by") or order or spec
        if base.name.lower() not in expressions.windows:
            expressions.findings.problem(node, f"no window is called `{base.name}`", "define it: WINDOW … AS (…)")
        elif node.args.get("partition_by") or (order and known.orders) or (own and known.framed):
            cause = f"what the window `{base.name}` says is not said again here, and nothing follows a frame"
            expressions.findings.problem(node, cause, f"write OVER {base.name}, or all of it")
    by = [part.this for part in order.expressions] if order is not None else []
    parts = [expressions.under(Use.ORDER, part) for part in (*(node.args.get("partition_by") or ()), *by)]
    keys = parts[len(parts) - len(by) :]
    for part, key in zip(by, keys, strict=True):
        expressions.ordered(part, key)
    if spec is not None:
        _frame(expressions, node, spec, keys)
    return Named(known.refs.union(*(part.refs for part in parts)), known.orders or len(by), known.framed or spec is not None)


def _frame(expressions: Expressions, node: exp.Window, spec: exp.Expr, keys: list[Typed]) -> None:
    kind, bounds = spec.args.get("kind"), []
    for side in ("start", "end"):
        found, where = spec.args.get(side), spec.args.get(f"{side}_side") or ""
        if side == "end" and found is None:
            found = "CURRENT ROW"
        bounds.append(_BOUNDS.index(f"{found} {where}".strip()) if isinstance(found, str) else _BOUNDS.index(where))
        if isinstance(found, exp.Expr):
            _distance(expressions, node, found, str(kind), keys)
    if bounds[0] > bounds[1] or bounds[0] == len(_BOUNDS) - 1 or bounds[1] == 0:
        expressions.findings.problem(node, "this frame ends before it begins", "write BETWEEN the earlier AND the later row")


def _distance(expressions: Expressions, node: exp.Window, found: exp.Expr, kind: str, keys: list[Typed]) -> None:
    """A number of rows, or, by RANGE, what is added to the one key that rows are ordered by."""
    if kind != "RANGE":
        if not (isinstance(found, exp.Literal) and found.is_int):
            expressions.findings.problem(node, "a frame's number of rows is written out", f"write {kind} BETWEEN 1 PRECEDING AND …")
        return
    step, types = expressions.typed(found).kind, expressions.types
    key = keys[0].kind if len(keys) == 1 else None
    if step is None or (len(keys) == 1 and key is None):
        return
    if key is None or types.arithmetic("+", key, step) is None:
        cause = "RANGE with a distance goes by one key, to which it can be added"
        expressions.findings.problem(node, cause, "order by one number or moment, or write ROWS")
