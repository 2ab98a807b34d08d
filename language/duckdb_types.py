"""How DuckDB types an expression, where sqlglot's annotator says otherwise or nothing.

Handed to `annotate_types` as its `expression_metadata`; what an expression cannot be is noted in `mismatches`. Every rule has its
case in tests/language/test_types.py, where DuckDB itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlglot import exp

from language.duckdb_arguments import CALLS, call
from language.duckdb_calls import NoOverload, called, fitting
from language.duckdb_kinds import (
    LISTS,
    MOMENTS,
    MOST_DIGITS,
    TEXTS,
    UNSETTLED,
    T,
    Type,
    array,
    cast_remedy,
    decimal,
    fits,
    grown,
    is_number,
    is_text_literal,
    kind_of,
    mixed,
    say,
    say_type,
    sizes,
    united,
)
from language.duckdb_macros import returned_by_macro
from language.places import place_of
from language.queries import BATCH_BOUNDS
from language.type_rules import Kind, TypeRules

_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.IntDiv: "//", exp.Mod: "%"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_DECIMAL_NAMES = {"add": "+", "subtract": "-", "multiply": "*", "mod": "%"}


class DuckDBTypes(TypeRules):
    """The rules of DuckDB, for one query after another."""

    def __init__(self) -> None:
        super().__init__("duckdb", united)

    def rules(self) -> dict[type[exp.Expr], Any]:
        rules: dict[type[exp.Expr], Any] = {kind: self._call for kind in CALLS}
        rules |= {kind: self._arithmetic for kind in _SIGNS}
        rules |= {kind: self._comparison for kind in _COMPARISONS}
        rules |= {kind: self._connector for kind in (exp.And, exp.Or)}
        rules |= {kind: self._extreme for kind in (exp.Max, exp.Min)}
        rules |= {kind: self._picked for kind in (exp.ArgMax, exp.ArgMin)}
        rules |= {kind: self._text_test for kind in (exp.Like, exp.ILike, exp.SimilarTo)}
        rules |= {
            exp.Literal: self._literal,
            exp.Null: lambda _: T.NULL,
            exp.Neg: self._negation,
            exp.Sum: self._sum,
            exp.Avg: self._average,
            exp.Median: self._average,
            exp.Round: self._round,
            exp.Trunc: self._round,
            exp.Ceil: self._whole,
            exp.Floor: self._whole,
            exp.Sign: lambda e: self._call(e) and T.TINYINT,
            exp.Coalesce: self._coalesce,
            exp.Greatest: lambda e: self._mixed([e.this, *e.expressions], "greatest"),
            exp.Least: lambda e: self._mixed([e.this, *e.expressions], "least"),
            exp.Case: self._case,
            exp.If: lambda e: e.args["true"].type if isinstance(e.parent, exp.Case) else self._if(e),
            exp.Nullif: self._nullif,
            exp.Array: lambda e: array(self._mixed(e.expressions, "a list") if e.expressions else T.NULL),
            exp.ArrayAgg: lambda e: array(e.this.type),
            exp.ArrayConcat: lambda e: self._mixed([e.this, *e.expressions], "list_concat"),
            exp.RegexpExtractAll: lambda _: array(T.TEXT),
            exp.GenerateSeries: self._series,
            exp.GenerateDateArray: self._series,
            exp.Explode: lambda e: self._element(e.this),
            exp.Unnest: lambda e: self._element(e.expressions[0]) if e.expressions else None,
            exp.DPipe: self._concatenation,
            exp.Concat: lambda e: self._joined(e.expressions),
            exp.DateDiff: lambda e: self._named(e, "date_diff", [exp.Literal.string(e.text("unit") or "day"), e.expression, e.this]),
            exp.Extract: lambda e: self._named(e, "year", [e.expression]) and (T.DOUBLE if e.name.upper() in _EPOCHS else T.BIGINT),
            exp.TimestampTrunc: self._truncated,
            exp.DateTrunc: self._truncated,
            exp.TimeToStr: lambda e: self._named(e, "strftime", [e.this, exp.Literal.string("%x")]),
            exp.StrToTime: lambda _: T.TIMESTAMP,
            exp.UnixToTime: self._unix_time,
            exp.PercentileCont: self._quantile,
            exp.PercentileDisc: self._quantile,
            exp.WithinGroup: self._within_group,
            exp.Grouping: lambda _: T.BIGINT,
            exp.JSONExtract: lambda _: T.JSON,
            exp.JSONExtractScalar: lambda _: T.TEXT,
            exp.StructExtract: lambda e: _field(e.this.type, e.expression),
            exp.CurrentTimestamp: lambda _: T.TIMESTAMPTZ,
            exp.Uuid: lambda _: T.UUID,
            exp.First: lambda e: e.this.type,
            exp.Last: lambda e: e.this.type,
            exp.AnyValue: lambda e: e.this.type,
            exp.Count: lambda _: T.BIGINT,
            exp.Bracket: self._bracket,
            exp.Anonymous: self._function,
            exp.AnonymousAggFunc: self._function,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Not: self._connector,
        }
        return rules

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
        left, right, sign = node.left, node.right, _SIGNS[type(node)]
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

    # -- branches and conditions

    def _case(self, node: exp.Case) -> Kind:
        for branch in node.args["ifs"] if node.this is None else ():
            self.condition(branch.this)
        return self._mixed([*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")], "CASE")

    def _if(self, node: exp.If) -> Kind:
        self.condition(node.this)
        return self._mixed([node.args.get("true"), node.args.get("false")], "IF")

    def _coalesce(self, node: exp.Coalesce) -> Kind:
        """Of what qualification makes of a USING column only an outer join reads more than one side."""
        arguments = [node.this, *node.expressions]
        if place_of(node) is None and all(isinstance(a, exp.Column) and a.name == node.this.name for a in arguments):
            select = node.find_ancestor(exp.Select)
            sides = {join.side for join in select.args.get("joins") or ()} if select is not None else set()
            if "FULL" not in sides:
                return arguments[-1 if "RIGHT" in sides else 0].type  # type: ignore[no-any-return]
        return self._mixed(arguments, "COALESCE")

    def _mixed(self, branches: Iterable[exp.Expr | None], what: str) -> Type:
        """The type that all branches fit; a text literal takes any."""
        known = [branch for branch in branches if branch is not None]
        if any(kind_of(branch) == T.UNKNOWN for branch in known):
            return None
        found: Type = None
        for branch in sorted(known, key=lambda branch: isinstance(branch, exp.Literal)):
            if is_text_literal(branch) or (found is not None and fits(branch, found.this)):
                continue
            found, former = mixed(found, branch.type), found
            if found is None:
                self.note(branch, f"{what} cannot hold both {say_type(former)} and {say(branch)}", "CAST one to the other's type")
                return None
        texts = any(map(is_text_literal, known))
        return exp.DataType.build(T.TEXT) if texts and (found is None or found.this == T.NULL) else found

    def _comparison(self, node: exp.Binary) -> Kind:
        self._comparable(node, node.left, node.right)
        return T.BOOLEAN

    def _nullif(self, node: exp.Nullif) -> Kind:
        self._comparable(node, node.this, node.expression)
        left: exp.Expr = node.this
        return left.type

    def _in(self, node: exp.In) -> Kind:
        query = node.args.get("query")
        for item in [*node.expressions, *([query] if query is not None else [])]:
            if not isinstance(node.this, exp.Tuple):
                self._comparable(node, node.this, item)
        return T.BOOLEAN

    def _between(self, node: exp.Between) -> Kind:
        self._mixed([node.this, node.args["low"], node.args["high"]], "BETWEEN")
        return T.BOOLEAN

    def _comparable(self, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
        if T.UNKNOWN in (kind_of(left), kind_of(right)) or is_text_literal(left) or is_text_literal(right):
            return
        strict = isinstance(node, _ORDERED) or isinstance(right, exp.Query)  # than for =, in DuckDB
        holds = mixed if strict else united
        if holds(left.type, right.type) is None:
            remedy = cast_remedy(left, right) if kind_of(left) == T.TEXT else cast_remedy(right, left)
            self.note(node, f"{say(left)} cannot be compared with {say(right)}", remedy)

    def _connector(self, node: exp.Expr) -> Kind:
        for side in (node.this, node.args.get("expression")):
            if side is not None:
                self.condition(side)
        return T.BOOLEAN

    def _text_test(self, node: exp.Binary) -> Kind:
        for side in (node.left, node.right):
            if kind_of(side) not in (T.TEXT, T.JSON, *UNSETTLED):
                self.note(node, f"LIKE takes text, not {say(side)}", f"write CAST({side.name or '…'} AS VARCHAR)")
        return T.BOOLEAN

    # -- the rest

    def _series(self, node: exp.Expr) -> Kind:
        kind = kind_of(node.args.get("start") or node.this)
        return array(kind if kind in (T.TIMESTAMP, T.TIMESTAMPTZ) else T.TIMESTAMP if kind == T.DATE else T.BIGINT)

    def _truncated(self, node: exp.Expr) -> Kind:
        return self._named(node, "date_trunc", [exp.Literal.string("day"), node.this])

    def _unix_time(self, node: exp.UnixToTime) -> Kind:
        if kind_of(node.this) in MOMENTS:
            return T.BIGINT  # epoch_ms(timestamp), which sqlglot takes for its inverse
        return T.TIMESTAMPTZ if node.args.get("scale") is None else T.TIMESTAMP

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

    def _joined(self, arguments: Sequence[exp.Expr]) -> Kind:
        return self._mixed(arguments, "concat") if any(kind_of(a) in LISTS for a in arguments) else T.TEXT

    def _element(self, node: exp.Expr) -> Type:
        kind = node.type
        if kind is not None and kind.this in LISTS:
            return kind.expressions[0] if kind.expressions else None
        if kind is not None and kind.this not in UNSETTLED:
            self.note(node, f"unnest takes a list, not {say(node)}", "make it a list, or leave unnest out")
        return None

    def _bracket(self, node: exp.Bracket) -> Kind:
        kind: Type = node.this.type
        index = node.expressions[0]
        if isinstance(index, exp.Slice):
            return kind
        if kind and kind.this in LISTS and kind.expressions:
            return kind.expressions[0]  # type: ignore[no-any-return]
        if kind and kind.this == T.MAP and len(kind.expressions) == 2:
            return kind.expressions[1]  # type: ignore[no-any-return]
        if kind and kind.this == T.STRUCT and isinstance(index, exp.Literal) and index.is_string:
            return _field(kind, index)
        return T.TEXT if kind and kind.this in TEXTS else None


_EPOCHS = frozenset(("EPOCH", "JULIAN"))


def _quantile_of(value: exp.Expr, continuous: bool) -> Kind:
    kind = kind_of(value)
    if not continuous or kind in (T.DECIMAL, T.FLOAT, T.UNKNOWN, T.TIME, T.INTERVAL):
        return value.type
    if kind in MOMENTS:
        return T.TIMESTAMPTZ if kind == T.TIMESTAMPTZ else T.TIMESTAMP
    return T.DOUBLE


def _field(kind: Type, name: exp.Expr) -> Type:
    fields = kind.expressions if kind is not None and kind.this == T.STRUCT else ()
    return next((field.args.get("kind") for field in fields if field.name == name.name), None)
