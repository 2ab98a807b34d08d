"""Windows of functions: OVER (…), also by a name of the clause WINDOW, and frames.

https://trino.io/docs/current/functions/window.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from doubles.athena.casts import coerced
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import DAYS, MOMENTS, MONTHS, NUMBERS, becomes, mismatch, plain, said
from doubles.athena.scope import Value

Of = Callable[[exp.Expr], Value]


def suffix(node: exp.Window, named: Mapping[str, exp.Expr], of: Of) -> str:
    """' OVER (…)' in DuckDB's SQL.  named: the windows of the clause WINDOW."""
    return f" OVER ({' '.join(_parts(node, named, of))})"


def _parts(node: exp.Expr, named: Mapping[str, exp.Expr], of: Of) -> list[str]:
    partition, order, spec = (node.args.get(part) for part in ("partition_by", "order", "spec"))
    base = node.args.get("alias")
    if base is not None:
        found = named.get(base.name.lower())
        if found is None:
            raise QueryFailed("INVALID_WINDOW_REFERENCE", f"line 1:1: Cannot resolve WINDOW name {base.name}")
        if not (partition or order or spec):
            return _parts(found, named, of)
        if partition or (order and found.args.get("order")) or found.args.get("spec"):
            raise QueryFailed("INVALID_WINDOW_REFERENCE", "line 1:1: a WINDOW that is referred to has this part itself")
        partition, order = found.args.get("partition_by"), order or found.args.get("order")
    parts = []
    if partition:
        parts.append("PARTITION BY " + ", ".join(of(part).sql for part in partition))
    if order is not None:
        parts.append(ordered(order.expressions, of).strip())
    if spec is not None:
        parts.append(_frame(spec, order.expressions if order is not None else (), of))
    return parts


def ordered(parts: Sequence[exp.Expr], of: Of) -> str:
    """ORDER BY …; NULLs come last, whatever the direction, unless it says otherwise."""
    return " ORDER BY " + ", ".join(f"{of(part.this).sql} {direction(part)}" for part in parts)


def direction(part: exp.Expr) -> str:
    nulls = "FIRST" if part.args.get("nulls_first") else "LAST"
    return f"{'DESC' if part.args.get('desc') else 'ASC'} NULLS {nulls}"


def _frame(spec: exp.Expr, order: Sequence[exp.Expr], of: Of) -> str:
    kind = spec.args["kind"]

    def side(name: str) -> str:
        found, where = spec.args.get(name), spec.args.get(f"{name}_side") or ""
        if isinstance(found, str) and found in ("CURRENT ROW", "UNBOUNDED"):
            return f"{found} {where}".strip()
        if kind != "RANGE" and isinstance(found, exp.Literal) and found.is_int:
            return f"{found.name} {where}"
        if kind == "RANGE" and isinstance(found, exp.Expr):
            return f"{_distance(of(found), order, of)} {where}"
        raise unknown("a frame with such a bound")

    if spec.args.get("exclude"):
        raise unknown("a frame that leaves out rows")
    start = side("start")
    end = side("end") if spec.args.get("end") else "CURRENT ROW"
    return f"{kind} BETWEEN {start} AND {end}"


def _distance(step: Value, order: Sequence[exp.Expr], of: Of) -> str:
    if len(order) != 1:
        raise QueryFailed("INVALID_ORDER_BY", "line 1:1: Window frame of type RANGE PRECEDING or FOLLOWING requires one sort item")
    key = of(order[0].this)
    if step.kind in (DAYS, MONTHS) and plain(key.kind).word in MOMENTS:
        return step.sql
    if key.kind.word in NUMBERS and becomes(step.kind, key.kind):
        return coerced(step, key.kind)
    raise mismatch(f"line 1:1: Window frame of type RANGE has a sort key of {said(key.kind)} and an offset of {said(step.kind)}")
