"""Calls of functions, aggregates and windows in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from doubles.athena.aggregates import AGGREGATES, WINDOWS, average
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import said
from doubles.athena.scalars import SAME_AS, SCALARS
from doubles.athena.scope import Value
from doubles.athena.signatures import Signature
from doubles.athena.special import SPECIAL

# What sqlglot reads by a grammar of its own, as the function that it was written as, and where its arguments stand.
_BY_GRAMMAR: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.ArgMin: ("min_by", ("this", "expression")),
    exp.ArgMax: ("max_by", ("this", "expression")),
    exp.Ceil: ("ceil", ("this", "decimals")),
    exp.Floor: ("floor", ("this", "decimals")),
    exp.Trim: ("trim", ("this", "expression", "position")),
    exp.Substring: ("substr", ("this", "start", "length")),
    exp.StrPosition: ("strpos", ("this", "substr")),
}
_SIDES = {"CURRENT ROW": "CURRENT ROW", "UNBOUNDED": "UNBOUNDED"}


@dataclass(frozen=True)
class _Around:
    """What stands around a call: FILTER and OVER; whether it passes over NULLs; whether it is one of a window."""

    suffix: str = ""
    ignores: str = ""
    window: bool = False


class Calls:
    """of, condition: how the parts of a call are brought into DuckDB's SQL."""

    def __init__(self, of: Callable[[exp.Expr], Value], condition: Callable[[exp.Expr], str]) -> None:
        self._of, self._condition = of, condition

    def of(self, node: exp.Expr, around: _Around = _Around()) -> Value:
        if isinstance(node, exp.Window):
            return self._window(node)
        if isinstance(node, exp.Filter):
            kept = f" FILTER (WHERE {self._condition(node.expression.this)})"
            return self.of(node.this, replace(around, suffix=kept + around.suffix))
        if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
            return self.of(node.this, replace(around, ignores=" IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""))
        if isinstance(node, exp.Extract):
            return self._scalar(node.this.name.lower(), [self._of(node.expression)])
        name, nodes = self._parts(node)
        if name == "count" and len(nodes) == 1 and isinstance(nodes[0], exp.Star):
            nodes = []
        if name in AGGREGATES or name in WINDOWS:
            return self._aggregate(name, nodes, around)
        if around != _Around():
            raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: Function '{name}' is no aggregate or window function")
        return self.special(name, nodes)

    def special(self, name: str, nodes: Sequence[exp.Expr]) -> Value:
        given = [self._of(node) for node in nodes]
        several = len(given) >= (1 if name == "coalesce" else 2)
        found = SPECIAL.get((name, len(given))) or (SPECIAL.get((name, None)) if several else None)
        return found(given, nodes) if found is not None else self._scalar(name, given)

    def _parts(self, node: exp.Expr) -> tuple[str, Sequence[exp.Expr]]:
        if isinstance(node, exp.Anonymous):
            name, nodes = node.name.lower(), node.expressions
        elif type(node) in _BY_GRAMMAR:
            name, places = _BY_GRAMMAR[type(node)]
            if any(part and place not in places for place, part in node.args.items()) or node.args.get("position"):
                raise unknown(f"`{node.sql('trino')}`")
            nodes = [node.args[place] for place in places if node.args.get(place)]
        else:
            raise unknown(f"`{node.sql('trino')}`")
        return SAME_AS.get(name, name), nodes

    def _scalar(self, name: str, given: Sequence[Value]) -> Value:
        name = SAME_AS.get(name, name)
        return _first(name, SCALARS.get(name, ()), given, {})

    def _aggregate(self, name: str, nodes: Sequence[exp.Expr], around: _Around) -> Value:
        distinct, order = "", ""
        parts = [*nodes]
        if len(parts) == 1 and isinstance(parts[0], exp.Distinct):
            distinct, parts = "DISTINCT ", parts[0].expressions
        if parts and isinstance(parts[-1], exp.Order):
            order, parts = self.order(parts[-1].expressions), [*parts[:-1], parts[-1].this]
        if order and name != "array_agg":
            raise unknown(f"ORDER BY within {name}")
        given = [self._of(part) for part in parts]
        if name == "avg" and given[0].kind.word == "decimal":
            return average(given[0], distinct, around.suffix)
        known = (WINDOWS if name in WINDOWS else AGGREGATES)[name]
        if (name in WINDOWS and not around.window) or (distinct and not any("{d}" in one.sql for one in known)):
            raise unknown(f"{name} of this kind")
        return _first(name, known, given, {"d": distinct, "o": order, "f": around.suffix, "i": around.ignores})

    # -- windows

    def _window(self, node: exp.Window) -> Value:
        if node.args.get("alias") or node.args.get("first") is not None:
            raise unknown("a window that is named")
        parts = []
        if partition := node.args.get("partition_by"):
            parts.append("PARTITION BY " + ", ".join(self._of(part).sql for part in partition))
        if node.args.get("order") is not None:
            parts.append(self.order(node.args["order"].expressions).strip())
        if node.args.get("spec") is not None:
            parts.append(_frame(node.args["spec"]))
        return self.of(node.this, _Around(f" OVER ({' '.join(parts)})", window=True))

    def order(self, parts: Sequence[exp.Expr]) -> str:
        """ORDER BY …; NULLs come last, whatever the direction, unless it says otherwise."""
        return " ORDER BY " + ", ".join(f"{self._of(part.this).sql} {direction(part)}" for part in parts)


def direction(part: exp.Expr) -> str:
    nulls = "FIRST" if part.args.get("nulls_first") else "LAST"
    return f"{'DESC' if part.args.get('desc') else 'ASC'} NULLS {nulls}"


def _frame(spec: exp.Expr) -> str:
    def side(name: str) -> str:
        found, where = spec.args.get(name), spec.args.get(f"{name}_side") or ""
        if isinstance(found, exp.Literal) and found.is_int and spec.args["kind"] != "RANGE":
            return f"{found.name} {where}"
        if isinstance(found, str) and found in _SIDES:
            return f"{found} {where}".strip()
        raise unknown("a frame with such a bound")

    if spec.args.get("exclude"):
        raise unknown("a frame that leaves out rows")
    start = side("start")
    end = side("end") if spec.args.get("end") else "CURRENT ROW"
    return f"{spec.args['kind']} BETWEEN {start} AND {end}"


def _first(name: str, known: Sequence[Signature], given: Sequence[Value], more: dict[str, str]) -> Value:
    for signature in known:
        value = signature.value(given, **more)
        if value is not None:
            return value
    raise unknown(f"{name}({', '.join(said(value.kind) for value in given)})")
