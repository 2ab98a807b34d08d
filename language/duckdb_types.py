"""How DuckDB types an expression, where sqlglot's annotator says otherwise or nothing.

Handed to `annotate_types` as its `expression_metadata`; what an expression cannot be is noted in `mismatches`. Every rule has its case
in tests/language/test_types.py, where DuckDB itself is asked.
https://duckdb.org/docs/stable/sql/data_types/numeric and …/typecasting
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlglot import Dialect, exp

from language.functions import returned_types

T = exp.DType
Kind = exp.DataType | exp.DType | None

_INTEGERS = (T.TINYINT, T.SMALLINT, T.INT, T.BIGINT, T.INT128)
_UNSIGNED = {T.UTINYINT: T.SMALLINT, T.USMALLINT: T.INT, T.UINT: T.BIGINT, T.UBIGINT: T.INT128, T.UINT128: T.INT128}
_DIGITS = {T.TINYINT: 3, T.SMALLINT: 5, T.INT: 10, T.BIGINT: 19, T.INT128: 38}
_REALS = (T.FLOAT, T.DOUBLE)
_TEXTS = (T.TEXT, T.VARCHAR, T.CHAR, T.NAME, T.JSON, T.ENUM)
_MOMENTS = (T.DATE, T.TIMESTAMP, T.TIMESTAMPNTZ, T.TIMESTAMP_S, T.TIMESTAMP_MS, T.TIMESTAMP_NS, T.TIMESTAMPTZ)
_NARROW_DIGITS, _MOST_DIGITS = 18, 38  # of a decimal in 8 and in 16 bytes: results of narrow ones stay narrow
_UNSETTLED = (T.UNKNOWN, T.NULL)


@dataclass(frozen=True)
class Mismatch:
    """What an expression cannot be, and what to do."""

    node: exp.Expr
    cause: str
    remedy: str


class DuckDBTypes:
    """The rules of one statement."""

    def __init__(self) -> None:
        self.mismatches: list[Mismatch] = []
        self.metadata = {**Dialect.get_or_raise("duckdb").EXPRESSION_METADATA, **self._rules()}

    def _rules(self) -> dict[type[exp.Expr], dict[str, Any]]:
        rules: dict[type[exp.Expr], Any] = {
            exp.Literal: self._literal,
            exp.Add: self._add,
            exp.Sub: self._subtract,
            exp.Mul: self._multiply,
            exp.Div: lambda e: self._arithmetic(e, "/") and T.DOUBLE,
            exp.IntDiv: lambda e: self._arithmetic(e, "//"),
            exp.Mod: lambda e: self._arithmetic(e, "%"),
            exp.Neg: lambda e: self._numeric(e, "-") if not _is(e.this, T.INTERVAL) else T.INTERVAL,
            exp.Sum: self._sum,
            exp.Avg: self._average,
            exp.Median: self._average,
            exp.Stddev: lambda e: self._numeric(e, "stddev") and T.DOUBLE,
            exp.Round: self._round,
            exp.Trunc: self._round,
            exp.Ceil: self._whole,
            exp.Floor: self._whole,
            exp.Abs: lambda e: self._numeric(e, "abs"),
            exp.Sign: lambda e: self._numeric(e, "sign") and T.TINYINT,
            exp.Coalesce: lambda e: self._common(e, [e.this, *e.expressions], "COALESCE"),
            exp.Greatest: lambda e: self._common(e, [e.this, *e.expressions], "greatest"),
            exp.Least: lambda e: self._common(e, [e.this, *e.expressions], "least"),
            exp.Case: lambda e: self._common(e, [*(i.args["true"] for i in e.args["ifs"]), e.args.get("default")], "CASE"),
            exp.If: lambda e: self._common(e, [e.args.get("true"), e.args.get("false")], "IF"),
            exp.Array: lambda e: _array(self._common(e, e.expressions, "a list")),
            exp.Split: lambda _: _array(T.TEXT),
            exp.RegexpExtractAll: lambda _: _array(T.TEXT),
            exp.RegexpSplit: lambda _: _array(T.TEXT),
            exp.GenerateSeries: self._series,
            exp.GenerateDateArray: self._series,
            exp.StrPosition: lambda _: T.BIGINT,
            exp.Grouping: lambda _: T.BIGINT,
            exp.UnixToTime: self._unix_time,
            exp.CurrentTimestamp: lambda _: T.TIMESTAMPTZ,
            exp.Uuid: lambda _: T.UUID,
            exp.ArgMax: lambda e: e.this.type,
            exp.ArgMin: lambda e: e.this.type,
            exp.Last: lambda e: e.this.type,
            exp.First: lambda e: e.this.type,
            exp.Null: lambda _: T.NULL,
            exp.Bracket: self._bracket,
            exp.Anonymous: self._function,
            exp.AnonymousAggFunc: self._function,
            exp.Count: lambda _: T.BIGINT,
        }
        text = (exp.Replace, exp.SplitPart, exp.RegexpReplace, exp.Left, exp.Right, exp.Pad, exp.Repeat, exp.Translate, exp.Overlay)
        rules |= {kind: (lambda _: T.TEXT) for kind in text}
        rules |= {
            kind: self._comparison for kind in (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
        }
        rules |= {kind: self._connector for kind in (exp.And, exp.Or)}
        rules[exp.In], rules[exp.Between] = self._in, self._between
        return {kind: {"annotator": _annotator(rule)} for kind, rule in rules.items()}

    # -- numbers

    def _literal(self, node: exp.Literal) -> Kind:
        if node.is_string:
            return T.TEXT
        if not node.is_int:
            digits = node.this.replace("_", "").lower()
            if "e" in digits:
                return T.DOUBLE
            whole, _, fraction = digits.partition(".")
            return _decimal(len(whole.lstrip("0")) + len(fraction) or 1, len(fraction))
        size = abs(int(node.this.replace("_", "")))
        return T.INT if size < 2**31 else T.BIGINT if size < 2**63 else T.INT128

    def _add(self, node: exp.Binary) -> Kind:
        left, right = _kind(node.left), _kind(node.right)
        if left == T.INTERVAL and right != T.INTERVAL:
            left, right = right, left
        if right == T.INTERVAL and left in (*_MOMENTS, T.TIME, T.INTERVAL):
            return left if left in (T.TIME, T.TIMESTAMPTZ, T.INTERVAL) else T.TIMESTAMP
        if T.DATE in (left, right) and ({left, right} & {*_INTEGERS, T.NULL}):
            return T.DATE
        if T.DATE in (left, right) and T.TIME in (left, right):
            return T.TIMESTAMP
        return self._arithmetic(node, "+", 1)

    def _subtract(self, node: exp.Binary) -> Kind:
        left, right = _kind(node.left), _kind(node.right)
        if right == T.INTERVAL and left in (*_MOMENTS, T.TIME, T.INTERVAL):
            return left if left in (T.TIME, T.TIMESTAMPTZ, T.INTERVAL) else T.TIMESTAMP
        if left in _MOMENTS and right in _MOMENTS:
            return T.BIGINT if left == right == T.DATE else T.INTERVAL
        if left == T.DATE and right in _INTEGERS:
            return T.DATE
        return self._arithmetic(node, "-", 1)

    def _multiply(self, node: exp.Binary) -> Kind:
        left, right = node.left.type, node.right.type
        kinds = {_kind(node.left), _kind(node.right)}
        if T.INTERVAL in kinds:
            return T.INTERVAL
        common = self._arithmetic(node, "*")
        if not isinstance(common, exp.DataType) or common.this != T.DECIMAL:
            return common
        (p, s), (q, r) = _sizes(left), _sizes(right)
        if s + r > _MOST_DIGITS:
            return T.DOUBLE
        return _decimal(_narrowed(p + q, (p, q)), s + r)

    def _arithmetic(self, node: exp.Binary, sign: str, carry: int = 0) -> Kind:
        """The type that both sides are brought to; None after a mismatch.  carry: digits that a decimal result grows by."""
        left, right = node.left, node.right
        for side in (left, right):
            if not _is_number(side) and _kind(side) not in _UNSETTLED:
                other = right if side is left else left
                self._note(node, f"`{sign}` does not take {_say(left)} and {_say(right)}", _cast_remedy(side, other))
                return None
        common = _common_number(left, right)
        if not carry or common is None or common.this != T.DECIMAL:
            return common
        (p, s), (q, r) = _sizes(left.type), _sizes(right.type)
        return _decimal(_narrowed(max(p - s, q - r) + max(s, r) + carry, (p, q)), max(s, r))

    def _numeric(self, node: exp.Expr, name: str) -> Kind:
        argument = node.this
        if _is_number(argument) or _kind(argument) in _UNSETTLED:
            return argument.type  # type: ignore[no-any-return]
        self._note(node, f"{name} takes a number, not {_say(argument)}", _cast_remedy(argument, None))
        return None

    def _sum(self, node: exp.Sum) -> Kind:
        argument = node.this.this if isinstance(node.this, exp.Distinct) else node.this
        if isinstance(node.this, exp.Distinct) and node.this.expressions:
            argument = node.this.expressions[0]
        kind = _kind(argument)
        if kind == T.DECIMAL:
            return _decimal(_MOST_DIGITS, _sizes(argument.type)[1])
        if kind == T.BOOLEAN or kind in _INTEGERS or kind in _UNSIGNED or kind == T.NULL:
            return T.INT128
        if kind in _REALS:
            return T.DOUBLE
        if kind == T.INTERVAL:
            return T.INTERVAL
        return self._refuse(node, "sum", argument)

    def _average(self, node: exp.Expr) -> Kind:
        argument = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
        kind = _kind(argument)
        if kind in (T.DATE, *_MOMENTS):
            return T.TIMESTAMP if kind != T.TIMESTAMPTZ else T.TIMESTAMPTZ
        if kind in (T.INTERVAL, T.TIME):
            return kind
        if kind == T.DECIMAL and isinstance(node, exp.Median):
            return argument.type  # type: ignore[no-any-return]
        return T.DOUBLE if _is_number(argument) or kind == T.NULL else self._refuse(node, "avg", argument)

    def _refuse(self, node: exp.Expr, name: str, argument: exp.Expr) -> Kind:
        if _kind(argument) != T.UNKNOWN:
            self._note(node, f"{name} takes a number, not {_say(argument)}", _cast_remedy(argument, None))
        return None

    def _round(self, node: exp.Expr) -> Kind:
        kind, places = self._numeric(node, "round"), node.args.get("decimals")
        if not isinstance(kind, exp.DataType) or kind.this != T.DECIMAL:
            return kind
        precision, scale = _sizes(kind)
        wanted = int(places.this) if isinstance(places, exp.Literal) and places.is_int else 0
        return _decimal(precision, min(scale, wanted))

    def _whole(self, node: exp.Expr) -> Kind:
        kind = self._numeric(node, type(node).__name__.lower())
        if isinstance(kind, exp.DataType) and kind.this == T.DECIMAL:
            return _decimal(_sizes(kind)[0], 0)
        return kind if kind is None or _kind(node.this) in _REALS else T.DOUBLE

    def _series(self, node: exp.Expr) -> Kind:
        first = node.args.get("start") or node.this
        kind = _kind(first)
        return _array(kind if kind in (T.TIMESTAMP, T.TIMESTAMPTZ) else T.TIMESTAMP if kind == T.DATE else T.BIGINT)

    # -- branches and conditions

    def _common(self, node: exp.Expr, branches: Iterable[exp.Expr | None], what: str) -> Kind:
        """The type that all branches fit."""
        known = [branch for branch in branches if branch is not None]
        found: exp.DataType | None = None
        for branch in known:
            if _kind(branch) == T.UNKNOWN:
                return None
            found, former = common_type(found, branch.type, literal=_is_text_literal(branch)), found
            if found is None:
                self._note(branch, f"{what} cannot hold both {_say_type(former)} and {_say(branch)}", "CAST one to the other's type")
                return None
        texts = [branch for branch in known if _is_text_literal(branch)]
        if texts and all(_is_text_literal(b) or _kind(b) == T.NULL for b in known):
            return T.TEXT
        return found

    def _comparison(self, node: exp.Binary) -> Kind:
        self._comparable(node, node.left, node.right)
        return T.BOOLEAN

    def _in(self, node: exp.In) -> Kind:
        for item in node.expressions:
            self._comparable(node, node.this, item)
        return T.BOOLEAN

    def _between(self, node: exp.Between) -> Kind:
        for name in ("low", "high"):
            self._comparable(node, node.this, node.args[name])
        return T.BOOLEAN

    def _comparable(self, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
        if T.UNKNOWN in (_kind(left), _kind(right)) or _is_text_literal(left) or _is_text_literal(right):
            return
        if common_type(left.type, right.type) is None:
            self._note(node, f"{_say(left)} cannot be compared with {_say(right)}", _cast_remedy(left, right))

    def _connector(self, node: exp.Connector) -> Kind:
        for side in (node.left, node.right):
            self.condition(side)
        return T.BOOLEAN

    def condition(self, node: exp.Expr) -> None:
        """Notes a condition that is neither true nor false."""
        if _kind(node) not in (T.BOOLEAN, *_UNSETTLED) and not _is_number(node):
            self._note(node, f"a condition is true or false, and this is {_say(node)}", "compare it with something")

    # -- the rest

    def _unix_time(self, node: exp.UnixToTime) -> Kind:
        if _kind(node.this) in _MOMENTS:
            return T.BIGINT  # epoch_ms(timestamp), which sqlglot takes for its inverse
        return T.TIMESTAMPTZ if node.args.get("scale") is None else T.TIMESTAMP

    def _bracket(self, node: exp.Bracket) -> Kind:
        kind, index = node.this.type, node.expressions[0]
        if isinstance(index, exp.Slice):
            return kind
        if kind and kind.this in (T.ARRAY, T.LIST) and kind.expressions:
            return kind.expressions[0]  # type: ignore[no-any-return]
        if kind and kind.this == T.MAP and len(kind.expressions) == 2:
            return kind.expressions[1]  # type: ignore[no-any-return]
        if kind and kind.this == T.STRUCT and isinstance(index, exp.Literal) and index.is_string:
            field = next((e for e in kind.expressions if e.name == index.name), None)
            return field.args.get("kind") if field is not None else None
        return T.TEXT if kind and kind.this in _TEXTS else None

    def _function(self, node: exp.Expr) -> Kind:
        name = node.name.lower()
        if name in ("batch_start", "batch_end"):
            return T.TIMESTAMPTZ
        if name in _SAME_AS_FIRST:
            return node.expressions[0].type if node.expressions else None
        if name in _OWN:
            return _OWN[name]
        text = returned_types("duckdb").get(name)
        return exp.DataType.build(text, dialect="duckdb") if text else None

    def _note(self, node: exp.Expr, cause: str, remedy: str) -> None:
        self.mismatches.append(Mismatch(node, cause, remedy))


_SAME_AS_FIRST = {"list_sort", "list_reverse_sort", "list_distinct", "list_filter", "array_sort", "array_distinct", "list_reverse"}
_OWN: dict[str, Kind] = {
    "date_part": T.BIGINT,
    "datepart": T.BIGINT,
    "now": T.TIMESTAMPTZ,
    "age": T.INTERVAL,
    "current_localtimestamp": T.TIMESTAMP,
}


def _annotator(rule: Callable[[Any], Kind]) -> Callable[[Any, exp.Expr], None]:
    def annotate(annotator: Any, node: exp.Expr) -> None:
        annotator._set_type(node, rule(node))

    return annotate


def common_type(left: exp.DataType | None, right: exp.DataType | None, *, literal: bool = False) -> exp.DataType | None:
    """The type that holds both; None where DuckDB wants an explicit CAST.  literal: `right` is a text literal, which takes any type."""
    if left is None or left.this == T.NULL:
        return right
    if right is None or right.this == T.NULL or literal:
        return left
    one, other = left.this, right.this
    if one == other and one != T.DECIMAL:
        return left
    if one in _TEXTS and other in _TEXTS:
        return exp.DataType.build(T.TEXT)
    if _number(one) and _number(other):
        return _widest(left, right)
    if T.BOOLEAN in (one, other) and (_number(one) or _number(other)):
        return right if one == T.BOOLEAN else left
    if one in _MOMENTS and other in _MOMENTS:
        return exp.DataType.build(T.TIMESTAMPTZ if T.TIMESTAMPTZ in (one, other) else T.TIMESTAMP)
    return None


def _common_number(left: exp.Expr, right: exp.Expr) -> exp.DataType | None:
    """Integer literals take the type of an integer beside them."""
    one, other = _kind(left), _kind(right)
    if T.UNKNOWN in (one, other):
        return None
    if T.NULL in (one, other):
        return right.type if one == T.NULL else left.type
    if _fits_literal(left, other):
        return right.type
    if _fits_literal(right, one):
        return left.type
    assert left.type is not None and right.type is not None
    return _widest(left.type, right.type)


def _fits_literal(node: exp.Expr, beside: exp.DType) -> bool:
    return isinstance(node, exp.Literal) and node.is_int and beside in _INTEGERS and int(node.this) < 10 ** (_DIGITS[beside] - 1)


def _widest(left: exp.DataType, right: exp.DataType) -> exp.DataType:
    one, other = _UNSIGNED.get(left.this, left.this), _UNSIGNED.get(right.this, right.this)
    if T.BOOLEAN in (one, other):
        return right if one == T.BOOLEAN else left
    for real in (T.DOUBLE, T.FLOAT):
        if real in (one, other):
            return exp.DataType.build(real)
    if T.DECIMAL in (one, other):
        (p, s), (q, r) = _sizes(left), _sizes(right)
        return _decimal(max(p - s, q - r) + max(s, r), max(s, r))
    if left.this == right.this:
        return left
    return exp.DataType.build(max(one, other, key=_INTEGERS.index))


def _sizes(kind: exp.DataType | None) -> tuple[int, int]:
    """Precision and scale of a decimal, or of the decimal that an integer becomes."""
    if kind is not None and kind.this == T.DECIMAL:
        sizes = [int(e.name) for e in kind.expressions]
        return (sizes[0], sizes[1] if len(sizes) > 1 else 0) if sizes else (18, 3)
    found = _UNSIGNED.get(kind.this, kind.this) if kind is not None else T.INT
    return _DIGITS.get(found, 10), 0


def _decimal(precision: int, scale: int) -> exp.DataType:
    return exp.DataType.build(f"DECIMAL({min(max(precision, 1), _MOST_DIGITS)}, {scale})")


def _narrowed(precision: int, arguments: tuple[int, int]) -> int:
    return _NARROW_DIGITS if precision > _NARROW_DIGITS and max(arguments) <= _NARROW_DIGITS else precision


def _array(element: Kind) -> Kind:
    if element is None:
        return None
    inner = element if isinstance(element, exp.DataType) else exp.DataType.build(element)
    return exp.DataType(this=T.ARRAY, expressions=[inner.copy()], nested=True)


def _kind(node: exp.Expr) -> exp.DType:
    return node.type.this if node.type is not None else T.UNKNOWN  # type: ignore[no-any-return]


def _is(node: exp.Expr, *kinds: exp.DType) -> bool:
    return _kind(node) in kinds


def _number(kind: exp.DType) -> bool:
    return kind in _INTEGERS or kind in _REALS or kind == T.DECIMAL or kind in _UNSIGNED


def _is_number(node: exp.Expr) -> bool:
    return _number(_kind(node))


def _is_text_literal(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _say(node: exp.Expr) -> str:
    inner = node.this if isinstance(node, exp.Paren) else node
    named = f"`{inner.name}` " if isinstance(inner, exp.Column) else ""
    return f"{named}({_say_type(node.type)})" if named else _say_type(node.type)


def _say_type(kind: exp.DataType | None) -> str:
    return kind.sql("duckdb").replace("TEXT", "VARCHAR") if kind is not None else "an unknown type"


def _cast_remedy(side: exp.Expr, other: exp.Expr | None) -> str:
    target = other.type.sql("duckdb") if other is not None and other.type is not None and _is_number(other) else "DOUBLE"
    name = side.name if isinstance(side, exp.Column) else "…"
    return f"write CAST({name} AS {target})"
