"""How PostgreSQL types an expression, where sqlglot's annotator says otherwise or nothing, and as what a result is loaded.

A numeric loses its precision in all arithmetic and most functions; without one it is loaded as text, which is exact.
https://www.postgresql.org/docs/current/typeconv.html and …/functions.html; tests/language/test_postgres_types.py asks a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from language.duckdb_kinds import (
    LISTS,
    NUMBERS,
    TEXTS,
    T,
    Type,
    array,
    build,
    cast_remedy,
    is_number,
    is_text_literal,
    kind_of,
    plain,
    say,
    say_type,
)
from language.iceberg_types import iceberg_name
from language.type_rules import Kind, Rule, TypeRules

_INTEGERS = (T.SMALLINT, T.INT, T.BIGINT)
_NUMBERS = (*_INTEGERS, T.DECIMAL, T.FLOAT, T.DOUBLE)  # each goes into those after it
_MOMENTS = (T.DATE, T.TIMESTAMP, T.TIMESTAMPTZ)
_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_LIKE_NUMERIC = (exp.Round, exp.Ceil, exp.Floor, exp.Trunc, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Sign)
_SPREADS = (exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop)
_UNSIZED = (exp.Min, exp.Max, exp.Abs, exp.Neg, exp.Lag, exp.Lead, exp.FirstValue)
_ELEMENTS = frozenset(["boolean", "int", "long", "float", "double", "string", "uuid"])
_RETURNS: dict[exp.DType, tuple[type[exp.Expr], ...]] = {
    T.BIGINT: (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank),
    T.INT: (exp.Length, exp.StrPosition, exp.Unicode, exp.ArraySize, exp.Ntile),
    T.DOUBLE: (exp.CumeDist, exp.PercentRank, exp.Corr, exp.Rand, exp.Pi),
    T.TIMESTAMPTZ: (exp.CurrentTimestamp, exp.UnixToTime, exp.StrToTime),
    T.TIMESTAMP: (exp.Localtimestamp,),
    T.DATE: (exp.StrToDate, exp.CurrentDate, exp.DateFromParts),
    T.UUID: (exp.Uuid,),
    T.TEXT: (exp.JSONExtractScalar, exp.JSONBExtractScalar, exp.TimeToStr, exp.ToChar, exp.Initcap, exp.Chr),
    T.JSON: (exp.JSONExtract, exp.JSONBExtract, exp.JSONObject, exp.ParseJSON),
}
_NAMED: dict[str, Kind] = {
    **dict.fromkeys(("octet_length", "cardinality", "json_array_length", "jsonb_array_length", "array_position"), T.INT),
    **dict.fromkeys(("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"), T.TIMESTAMPTZ),
    **dict.fromkeys(("to_json", "to_jsonb", "row_to_json", "json_build_object", "jsonb_build_object", "json_build_array"), T.JSON),
    **dict.fromkeys(("date_part", "pi", "random"), T.DOUBLE),
    **dict.fromkeys(("make_date", "to_date"), T.DATE),
    **dict.fromkeys(("to_char", "quote_ident", "quote_literal", "btrim", "format"), T.TEXT),
    **{"age": T.INTERVAL, "gen_random_uuid": T.UUID, "make_timestamp": T.TIMESTAMP, "make_interval": T.INTERVAL},
}


def loaded_name(kind: Type) -> str | None:
    """As what a collect loads it, as in a schema; None for a type that is not known."""
    found = plain(kind)
    if kind is None or found in (T.UNKNOWN, T.NULL):
        return None
    if found == T.DECIMAL and not kind.expressions:
        return "string"
    if found in LISTS:
        element = iceberg_name(kind.expressions[0]) if kind.expressions else None
        return f"list<{element}>" if element in _ELEMENTS else "string"
    return iceberg_name(kind) or "string"


def mixed(left: Type, right: Type) -> Type:
    """The type that holds both in CASE, COALESCE, a set operation; None where PostgreSQL wants an explicit CAST."""
    if left is None or left.this == T.NULL:
        return right
    if right is None or right.this == T.NULL:
        return left
    one, other = plain(left), plain(right)
    if one == other and one != T.DECIMAL:
        return left
    if one == other:
        return left if left == right else build(T.DECIMAL)
    if one in _NUMBERS and other in _NUMBERS:
        return build(max(one, other, key=_NUMBERS.index))
    if one in _MOMENTS and other in _MOMENTS:
        return build(max(one, other, key=_MOMENTS.index))
    return build(T.TEXT) if one in TEXTS and other in TEXTS else None


class PostgresTypes(TypeRules):
    """The rules of PostgreSQL, for one query after another."""

    def __init__(self) -> None:
        super().__init__("postgres", mixed)

    def rules(self) -> dict[type[exp.Expr], Rule]:
        found: dict[type[exp.Expr], Rule] = {}
        for returned, kinds in _RETURNS.items():
            found |= {kind: _always(returned) for kind in kinds}
        found |= {kind: self._arithmetic for kind in _SIGNS}
        found |= {
            kind: self._comparison for kind in (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
        }
        found |= {kind: self._connector for kind in (exp.And, exp.Or, exp.Not)}
        found |= {
            kind: _like_numeric for kind in (exp.Round, exp.Ceil, exp.Floor, exp.Trunc, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Sign)
        }
        spread = (exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop)
        found |= {kind: lambda e: _spread(kind_of(e.this)) for kind in spread}
        found |= {
            kind: lambda e: _unsized(e.this.type) for kind in (exp.Min, exp.Max, exp.Abs, exp.Neg, exp.Lag, exp.Lead, exp.FirstValue)
        }
        return found | {
            exp.Literal: _literal,
            exp.Null: _always(T.NULL),
            exp.Extract: lambda _: None,  # a numeric, but date_part, which sqlglot takes for the same, is a double
            exp.Pow: lambda e: T.DECIMAL if T.DECIMAL in (kind_of(e.this), kind_of(e.expression)) else T.DOUBLE,
            exp.Sum: self._sum,
            exp.Avg: lambda e: self._averaged(e),
            exp.Coalesce: lambda e: self._mixed([e.this, *e.expressions], "COALESCE"),
            exp.Greatest: lambda e: self._mixed([e.this, *e.expressions], "GREATEST"),
            exp.Least: lambda e: self._mixed([e.this, *e.expressions], "LEAST"),
            exp.Case: self._case,
            exp.If: lambda e: e.args["true"].type,
            exp.Nullif: lambda e: _unsized(e.this.type) if is_number(e.this) and not isinstance(e.this, exp.Column) else e.this.type,
            exp.Array: lambda e: array(self._mixed(e.expressions, "an array")),
            exp.ArrayAgg: lambda e: array(e.this.type),
            exp.Split: _always_array,
            exp.StringToArray: _always_array,
            exp.Explode: lambda e: _element(e.this.type),
            exp.Bracket: lambda e: e.this.type if isinstance(e.expressions[0], exp.Slice) else _element(e.this.type),
            exp.GenerateSeries: lambda e: array(_series(e.args.get("start"))),
            exp.ExplodingGenerateSeries: lambda e: _series(e.args.get("start")),
            exp.WithinGroup: _within_group,
            exp.TimestampTrunc: lambda e: T.TIMESTAMPTZ if kind_of(e.this) == T.DATE else e.this.type,
            exp.DateTrunc: lambda e: T.TIMESTAMPTZ if kind_of(e.this) == T.DATE else e.this.type,
            exp.AtTimeZone: lambda e: T.TIMESTAMP if kind_of(e.this) == T.TIMESTAMPTZ else T.TIMESTAMPTZ,
            exp.Anonymous: lambda e: _NAMED.get(e.name.lower()),
        }

    def _arithmetic(self, node: exp.Binary) -> Kind:
        left, right, sign = node.left, node.right, _SIGNS[type(node)]
        one, other = kind_of(left), kind_of(right)
        if T.UNKNOWN in (one, other):
            return None
        if one in NUMBERS and other in NUMBERS:
            return _result(one, other)
        if is_text_literal(right) or is_text_literal(left) or T.NULL in (one, other):
            return left.type if is_text_literal(right) or other == T.NULL else right.type
        if (found := _moved(sign, one, other)) is not None:
            return found
        wrong, beside = (left, right) if one in TEXTS else (right, left)
        self.note(node, f"`{sign}` does not take {say(left)} and {say(right)}", cast_remedy(wrong, beside))
        return None

    def _sum(self, node: exp.Sum) -> Kind:
        kind = kind_of(node.this)
        if kind in (T.SMALLINT, T.INT):
            return T.BIGINT
        if kind in (T.BIGINT, T.DECIMAL):
            return T.DECIMAL
        return kind if kind in (T.FLOAT, T.DOUBLE, T.INTERVAL, T.UNKNOWN) else self._refuse(node, "sum")

    def _averaged(self, node: exp.Avg) -> Kind:
        kind = kind_of(node.this)
        return _spread(kind) or (kind if kind in (T.INTERVAL, T.UNKNOWN) else self._refuse(node, "avg"))

    def _refuse(self, node: exp.Expr, name: str) -> Kind:
        self.note(node, f"`{name}` takes a number, not {say(node.this)}", cast_remedy(node.this))
        return None

    def _case(self, node: exp.Case) -> Kind:
        return self._mixed([*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")], "CASE")

    def _mixed(self, branches: Iterable[exp.Expr | None], what: str) -> Type:
        """The type that all branches fit; a text literal takes any."""
        known = [branch for branch in branches if branch is not None]
        if any(kind_of(branch) == T.UNKNOWN for branch in known):
            return None
        found: Type = None
        for branch in known:
            if is_text_literal(branch):
                continue
            found, former = mixed(found, branch.type), found
            if found is None:
                self.note(branch, f"{what} cannot hold both {say_type(former)} and {say(branch)}", "CAST one to the other's type")
                return None
        texts = any(map(is_text_literal, known))
        return build(T.TEXT) if texts and (found is None or found.this == T.NULL) else found

    def _comparison(self, node: exp.Binary) -> Kind:
        left, right = node.left, node.right
        known = T.UNKNOWN not in (kind_of(left), kind_of(right)) and not isinstance(right, (exp.Any, exp.All))
        if known and not is_text_literal(left) and not is_text_literal(right) and mixed(left.type, right.type) is None:
            wrong, beside = (left, right) if kind_of(left) in TEXTS else (right, left)
            self.note(node, f"{say(left)} cannot be compared with {say(right)}", cast_remedy(wrong, beside))
        return T.BOOLEAN

    def _connector(self, node: exp.Expr) -> Kind:
        for side in (node.this, node.args.get("expression")):
            if side is not None:
                self.condition(side)
        return T.BOOLEAN


def _always(kind: exp.DType) -> Callable[[exp.Expr], Kind]:
    return lambda _: kind


def _always_array(_: exp.Expr) -> Kind:
    return array(T.TEXT)


def _literal(node: exp.Literal) -> Kind:
    if node.is_string:
        return T.TEXT
    if not node.is_int:
        return T.DECIMAL
    size = abs(int(node.this))
    return T.INT if size < 2**31 else T.BIGINT if size < 2**63 else T.DECIMAL


def _result(one: exp.DType, other: exp.DType) -> Kind:
    """Of two numbers; a real beside anything but a real is a double."""
    if T.FLOAT in (one, other) and one != other:
        return T.DOUBLE
    return max(one, other, key=_NUMBERS.index) if one in _NUMBERS and other in _NUMBERS else None


def _moved(sign: str, one: exp.DType, other: exp.DType) -> Kind:
    """Of dates, times and intervals."""
    if sign == "+" and one in (T.INTERVAL, *_INTEGERS) and other in (*_MOMENTS, T.TIME):
        one, other = other, one
    if other == T.INTERVAL and one in (*_MOMENTS, T.TIME, T.INTERVAL) and sign in "+-":
        return T.TIMESTAMP if one == T.DATE else one
    if one == T.DATE and other in (T.SMALLINT, T.INT) and sign in "+-":
        return T.DATE
    if sign == "-" and one in _MOMENTS and other in _MOMENTS:
        return T.INT if one == other == T.DATE else T.INTERVAL
    if T.INTERVAL in (one, other) and sign in "*/" and (one in NUMBERS or other in NUMBERS):
        return T.INTERVAL
    return T.TIMESTAMP if {one, other} == {T.DATE, T.TIME} and sign == "+" else None


def _unsized(kind: Type) -> Kind:
    return T.DECIMAL if plain(kind) == T.DECIMAL else kind


def _like_numeric(node: exp.Expr) -> Kind:
    """Of a numeric a numeric, of all other numbers a double; rounded to places it is a numeric."""
    return T.DECIMAL if kind_of(node.this) == T.DECIMAL or node.args.get("decimals") is not None else T.DOUBLE


def _spread(kind: exp.DType) -> Kind:
    if kind in (*_INTEGERS, T.DECIMAL):
        return T.DECIMAL
    return T.DOUBLE if kind in (T.FLOAT, T.DOUBLE) else None


def _element(kind: Type) -> Type:
    return kind.expressions[0] if kind is not None and kind.this in LISTS and kind.expressions else None


def _series(start: exp.Expr | None) -> Kind:
    kind = kind_of(start)
    return T.TIMESTAMPTZ if kind == T.DATE else kind


def _within_group(node: exp.WithinGroup) -> Kind:
    ordered = node.expression.expressions[0].this
    return T.DOUBLE if isinstance(node.this, exp.PercentileCont) else _unsized(ordered.type)
