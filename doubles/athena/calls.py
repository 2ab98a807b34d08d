"""Calls of functions, aggregates and windows in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from doubles.athena import windows, zones
from doubles.athena.aggregates import AGGREGATES, WINDOWS, average
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import INTEGER, said, zone_of
from doubles.athena.nested import LAMBDAS
from doubles.athena.scalars import SAME_AS, SCALARS
from doubles.athena.scope import Value
from doubles.athena.signatures import Signature
from doubles.athena.special import SPECIAL

if TYPE_CHECKING:
    from doubles.athena.expressions import Expressions

# What sqlglot reads by a grammar of its own, as the function that it was written as, and where its arguments stand.
_BY_GRAMMAR: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.ArgMin: ("min_by", ("this", "expression")),
    exp.ArgMax: ("max_by", ("this", "expression")),
    exp.Ceil: ("ceil", ("this", "decimals")),
    exp.Floor: ("floor", ("this", "decimals")),
    exp.Trim: ("trim", ("this", "expression", "position")),
    exp.Substring: ("substr", ("this", "start", "length")),
    exp.StrPosition: ("strpos", ("this", "substr")),
    exp.Chr: ("chr", ("expressions",)),
    exp.GroupConcat: ("listagg", ("this", "separator")),
}


@dataclass(frozen=True)
class _Around:
    """What stands around a call: FILTER and OVER; whether it passes over NULLs; whether it is one of a window."""

    suffix: str = ""
    ignores: str = ""
    window: bool = False


class Calls:
    """Calls in expressions of one SELECT."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions, self._of, self._condition = expressions, expressions.of, expressions.condition

    def of(self, node: exp.Expr, around: _Around = _Around()) -> Value:
        if isinstance(node, exp.Window):
            return self.of(node.this, _Around(windows.suffix(node, self._expressions.windows, self._of), window=True))
        if isinstance(node, exp.Filter):
            kept = f" FILTER (WHERE {self._condition(node.expression.this)})"
            return self.of(node.this, replace(around, suffix=kept + around.suffix))
        if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
            return self.of(node.this, replace(around, ignores=" IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""))
        if isinstance(node, exp.Extract):
            name = SAME_AS.get(node.this.name.lower(), node.this.name.lower())
            return self._scalar(name, zones.given(name, [self._of(node.expression)], []))
        name, nodes = self._parts(node)
        if name == "count" and len(nodes) == 1 and isinstance(nodes[0], exp.Star):
            nodes = []
        if name in AGGREGATES or name in WINDOWS:
            return self._aggregate(name, nodes, around)
        if name == "grouping" and around == _Around():
            return Value(f"CAST(GROUPING({', '.join(self._of(part).sql for part in nodes)}) AS INTEGER)", INTEGER)
        if around != _Around():
            raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: Function '{name}' is no aggregate or window function")
        return self.special(name, nodes)

    def special(self, name: str, nodes: Sequence[exp.Expr]) -> Value:
        if (name, len(nodes)) in LAMBDAS:
            return LAMBDAS[name, len(nodes)](self._expressions, nodes)
        values = [self._of(node) for node in nodes]
        given = zones.given(name, values, nodes)
        back = name in zones.BROUGHT_BACK and zone_of(values[-1].kind)
        found = self._special(name, given, nodes)
        return zones.brought_back(found, values[-1].kind) if back else found

    def _special(self, name: str, given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
        several = len(given) >= (1 if name == "coalesce" else 2)
        found = SPECIAL.get((name, len(given))) or (SPECIAL.get((name, None)) if several else None)
        return found(given, nodes) if found is not None else self._scalar(name, given)

    def _parts(self, node: exp.Expr) -> tuple[str, Sequence[exp.Expr]]:
        if isinstance(node, exp.Anonymous):
            name, nodes = node.name.lower(), node.expressions
        elif type(node) in _BY_GRAMMAR:
            name, places = _BY_GRAMMAR[type(node)]
            if any(part and place not in places for place, part in node.args.items()):
                raise unknown(f"`{node.sql('trino')}`")
            nodes = [node.args[place] for place in places if place not in ("position", "expressions") and node.args.get(place)]
            nodes += node.expressions if "expressions" in places else []
            name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", name)
        else:
            raise unknown(f"`{node.sql('trino')}`")
        return SAME_AS.get(name, name), nodes

    def _scalar(self, name: str, given: Sequence[Value]) -> Value:
        name = SAME_AS.get(name, name)
        return _first(name, SCALARS.get(name, ()), given, {})

    def _aggregate(self, name: str, nodes: Sequence[exp.Expr], around: _Around) -> Value:
        parts, distinct, order = [*nodes], "", ""
        while modified := next((part for part in parts if isinstance(part, (exp.Order, exp.Distinct))), None):
            at = parts.index(modified)
            if isinstance(modified, exp.Order):
                order, parts[at] = windows.ordered(modified.expressions, self._of), modified.this
            else:
                distinct, parts[at : at + 1] = "DISTINCT ", modified.expressions
        known = (WINDOWS if name in WINDOWS else AGGREGATES)[name]
        if order and not any("{o}" in one.sql for one in known):
            raise unknown(f"ORDER BY within {name}")
        if (distinct or order or " FILTER " in around.suffix) and around.window:
            raise QueryFailed("NOT_SUPPORTED", "line 1:1: DISTINCT, ORDER BY and FILTER are not yet supported for window functions")
        given = zones.given(name, [self._of(part) for part in parts], parts)
        if name == "avg" and given[0].kind.word == "decimal":
            return average(given[0], distinct, around.suffix)
        if (name in WINDOWS and not around.window) or (distinct and not any("{d}" in one.sql for one in known)):
            raise unknown(f"{name} of this kind")
        return _first(name, known, given, {"d": distinct, "o": order, "f": around.suffix, "i": around.ignores})


def _first(name: str, known: Sequence[Signature], given: Sequence[Value], more: dict[str, str]) -> Value:
    for signature in known:
        value = signature.value(given, **more)
        if value is not None:
            return value
    raise unknown(f"{name}({', '.join(said(value.kind) for value in given)})")
