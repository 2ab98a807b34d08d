"""How DuckDB types arithmetic, calls of functions and aggregates."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from language.duckdb_arguments import call
from language.duckdb_calls import NoOverload, called, fitting
from language.duckdb_kinds import (
    LISTS,
    MOMENTS,
    MOST_DIGITS,
    UNSETTLED,
    T,
    Type,
    array,
    cast_remedy,
    decimal,
    grown,
    is_number,
    is_text_literal,
    kind_of,
    mixed,
    say,
    sizes,
)
from language.duckdb_macros import returned_by_macro
from language.queries import BATCH_BOUNDS
from language.type_rules import Kind, TypeRules

SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.IntDiv: "//", exp.Mod: "%"}
_DECIMAL_NAMES = {"add": "+", "subtract": "-", "multiply": "*", "mod": "%"}


class DuckDBNumbers(TypeRules):
    """The rules that call DuckDB's functions and operators; `DuckDBTypes` says which nodes they are for."""

    # -- functions

    def _named(self, node: exp.Expr, name: str, arguments: Sequence[exp.Expr]) -> Type:
        for argument in arguments:
            if argument.type is None:  # made here
                argument._type = exp.DataType.build(T.TEXT)
        try:
            return called(name, arguments)
        except NoOverload:
            given = ", ".join(map(say, arguments)) or "nothing"
            self.note(node, f"`{name}` does not take {given}", fitting(name, arguments))
            return None

    def _call(self, node: exp.Expr) -> Kind:
        found = call(node)
        if found is None:
            return None
        name, arguments = found
        if (kind := returned_by_macro(name, arguments)) is not None:
            return kind
        kind = self._named(node, name, arguments)
        if (
            name in _DECIMAL_NAMES
            and len(arguments) == 2
            and (kind is None or kind.this == T.DECIMAL)
            and T.DECIMAL in map(kind_of, arguments)
        ):
            return self._decimal(_DECIMAL_NAMES[name], *arguments)
        return kind

    def _function(self, node: exp.Expr) -> Kind:
        name = node.name.lower()
        if name in BATCH_BOUNDS:
            return T.TIMESTAMPTZ
        return self._call(node)

    # -- numbers

    def _literal(self, node: exp.Literal) -> Kind:
        if node.is_string:
            return T.TEXT
        if not node.is_int:
            digits = node.this.replace("_", "").lower()
            if "e" in digits:
                return T.DOUBLE
            whole, _, fraction = digits.partition(".")
            return decimal(len(whole.lstrip("0") or whole[:1]) + len(fraction), len(fraction))
        size = abs(int(node.this.replace("_", "")))
        return T.INT if size < 2**31 else T.BIGINT if size < 2**63 else T.INT128

    def _arithmetic(self, node: exp.Binary) -> Kind:
        left, right, sign = node.left, node.right, SIGNS[type(node)]
        for side in (left, right):
            if kind_of(side) == T.UNKNOWN:
                return None
        try:
            if sign == "+" and LISTS.intersection((kind_of(left), kind_of(right))):
                return self._concatenation(node)
            found = called(sign, [left, right]) if sign != "/" else self._quotient(left, right)
        except NoOverload:
            wrong, other = (left, right) if not is_number(left) else (right, left)
            self.note(node, f"`{sign}` does not take {say(left)} and {say(right)}", cast_remedy(wrong, other))
            return None
        decimals = T.DECIMAL in (kind_of(left), kind_of(right)) and (found is None or found.this == T.DECIMAL)
        return self._decimal(sign, left, right) if decimals else found

    def _decimal(self, sign: str, left: exp.Expr, right: exp.Expr) -> Kind:
        if T.NULL in (kind_of(left), kind_of(right)):
            return T.INT
        (p, s), (q, r) = sizes(left.type), sizes(right.type)
        if sign == "*":
            return decimal(grown(p + q, p, q), s + r) if s + r <= MOST_DIGITS else T.DOUBLE
        carry = 0 if sign == "%" else 1
        precision = max(p - s, q - r) + max(s, r) + carry
        if not carry and precision > MOST_DIGITS:
            return T.DOUBLE
        return decimal(grown(precision, p, q) if carry else precision, max(s, r))

    def _quotient(self, left: exp.Expr, right: exp.Expr) -> Type:
        kinds = (kind_of(left), kind_of(right))
        if kinds[0] == T.INTERVAL and (is_number(right) or kinds[1] == T.NULL):
            return exp.DataType.build(T.INTERVAL)
        if any(not (is_number(side) or kind_of(side) == T.NULL or is_text_literal(side)) for side in (left, right)):
            raise NoOverload("/")
        return exp.DataType.build(T.FLOAT if T.FLOAT in kinds and T.DOUBLE not in kinds else T.DOUBLE)

    def _negation(self, node: exp.Neg) -> Kind:
        if kind_of(node.this) in UNSETTLED:
            return None
        if is_number(node.this) or kind_of(node.this) == T.INTERVAL:
            return node.this.type  # type: ignore[no-any-return]
        return self._refuse(node, "-", node.this)

    def _sum(self, node: exp.Sum) -> Kind:
        kind = kind_of(node.this)
        if kind == T.DECIMAL:
            return decimal(MOST_DIGITS, sizes(node.this.type)[1])
        return self._named(node, "sum", [node.this])

    def _average(self, node: exp.Expr) -> Kind:
        kind = kind_of(node.this)
        if isinstance(node, exp.Median) and kind not in UNSETTLED:
            return node.this.type if kind in (T.DECIMAL, T.TIME) else self._averaged(node, kind)
        return self._averaged(node, kind)

    def _averaged(self, node: exp.Expr, kind: exp.DType) -> Kind:
        if kind in MOMENTS:
            return T.TIMESTAMPTZ if kind == T.TIMESTAMPTZ else T.TIMESTAMP
        if kind in (T.INTERVAL, T.TIME):
            return kind
        if is_number(node.this) or kind == T.NULL:
            return T.DOUBLE
        return self._refuse(node, type(node).__name__.lower(), node.this) if kind != T.UNKNOWN else None

    def _refuse(self, node: exp.Expr, name: str, argument: exp.Expr) -> Kind:
        self.note(node, f"`{name}` takes a number, not {say(argument)}", cast_remedy(argument))
        return None

    def _round(self, node: exp.Expr) -> Kind:
        name, places = type(node).__name__.lower(), node.args.get("decimals")
        found = self._named(node, name, [node.this, *([places] if places is not None else [])])
        if kind_of(node.this) != T.DECIMAL or found is None or found.this != T.DECIMAL:
            return found
        precision, scale = sizes(node.this.type)
        wanted = int(places.this) if isinstance(places, exp.Literal) and places.is_int else 0
        return decimal(precision, min(scale, wanted))

    def _whole(self, node: exp.Expr) -> Kind:
        found = self._named(node, type(node).__name__.lower(), [node.this])
        return decimal(sizes(node.this.type)[0], 0) if kind_of(node.this) == T.DECIMAL else found

    def _quantile(self, node: exp.Expr) -> Kind:
        return _quantile_of(node.this, isinstance(node, exp.PercentileCont)) if node.expression is not None else node.this.type

    def _within_group(self, node: exp.WithinGroup) -> Kind:
        ordered = node.expression.expressions[0].this if node.expression is not None else None
        if isinstance(node.this, (exp.PercentileCont, exp.PercentileDisc)) and ordered is not None:
            return _quantile_of(ordered, isinstance(node.this, exp.PercentileCont))
        value: exp.Expr = ordered if isinstance(node.this, exp.Mode) and ordered is not None else node.this
        return value.type

    def _extreme(self, node: exp.Expr) -> Kind:
        return array(node.this.type) if node.args.get("count") or node.expressions else node.this.type

    def _picked(self, node: exp.Expr) -> Kind:
        return array(node.this.type) if node.args.get("count") else node.this.type

    def _concatenation(self, node: exp.Binary) -> Kind:
        kinds = (kind_of(node.left), kind_of(node.right))
        if T.NULL in kinds:
            return T.NULL
        if not LISTS.intersection(kinds):
            return T.UNKNOWN if T.UNKNOWN in kinds else T.VARBINARY if set(kinds) == {T.VARBINARY} else T.TEXT
        found = mixed(node.left.type, node.right.type)
        if found is None:
            self.note(node, f"`||` does not join {say(node.left)} and {say(node.right)}", "CAST one to the other's type")
        return found


def _quantile_of(value: exp.Expr, continuous: bool) -> Kind:
    kind = kind_of(value)
    if not continuous or kind in (T.DECIMAL, T.FLOAT, T.UNKNOWN, T.TIME, T.INTERVAL):
        return value.type
    if kind in MOMENTS:
        return T.TIMESTAMPTZ if kind == T.TIMESTAMPTZ else T.TIMESTAMP
    return T.DOUBLE
