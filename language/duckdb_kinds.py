"""DuckDB's types among each other: which one holds two others, and how wide decimals grow.

https://duckdb.org/docs/stable/sql/data_types/numeric and …/typecasting. Where DuckDB would try a cast for every row that cannot
succeed (a date to a number), there is no common type here.
"""

from __future__ import annotations

from functools import cache

from sqlglot import exp

T = exp.DType
Type = exp.DataType | None

SIGNED = (T.TINYINT, T.SMALLINT, T.INT, T.BIGINT, T.INT128)
UNSIGNED = (T.UTINYINT, T.USMALLINT, T.UINT, T.UBIGINT, T.UINT128)
INTEGERS = frozenset((*SIGNED, *UNSIGNED))
REALS = (T.FLOAT, T.DOUBLE)
NUMBERS = INTEGERS | {*REALS, T.DECIMAL}
TEXTS = frozenset((T.TEXT, T.VARCHAR, T.CHAR, T.NAME, T.ENUM))
LISTS = frozenset((T.ARRAY, T.LIST))
_MOMENTS = (T.DATE, T.TIMESTAMP_S, T.TIMESTAMP_MS, T.TIMESTAMP, T.TIMESTAMPNTZ, T.DATETIME)  # TIMESTAMP holds all of them
MOMENTS = frozenset((*_MOMENTS, T.TIMESTAMP_NS, T.TIMESTAMPTZ))
UNSETTLED = frozenset((T.UNKNOWN, T.NULL))
MOST_DIGITS = 38
_NARROW_DIGITS = 18  # of a decimal in 8 bytes: results of narrow ones stay narrow
_DIGITS = {
    T.TINYINT: 3,
    T.SMALLINT: 5,
    T.INT: 10,
    T.BIGINT: 19,
    T.INT128: 38,
    T.UTINYINT: 3,
    T.USMALLINT: 5,
    T.UINT: 10,
    T.UBIGINT: 20,
    T.UINT128: 38,
}
_SIGNED_OF = {T.UTINYINT: T.SMALLINT, T.USMALLINT: T.INT, T.UINT: T.BIGINT, T.UBIGINT: T.INT128, T.UINT128: T.INT128}
_OVER_TEXT = frozenset((T.UUID, T.VARBINARY, T.BINARY, T.JSON)) | LISTS  # a set operation reads text as these


def mixed(left: Type, right: Type) -> Type:
    """The type that holds both in COALESCE, CASE, a list; None where DuckDB wants an explicit CAST."""
    if left is None or left.this == T.NULL:
        return right
    if right is None or right.this == T.NULL:
        return left
    one, other = left.this, right.this
    if one == other and one not in (T.DECIMAL, *LISTS, T.STRUCT):
        return left
    if T.JSON in (one, other):
        return build(T.JSON)
    if one in TEXTS and other in TEXTS:
        return build(T.TEXT)
    if one in NUMBERS and other in NUMBERS:
        return widest(left, right)
    if T.BOOLEAN in (one, other) and (one in INTEGERS or other in INTEGERS):
        return right if one == T.BOOLEAN else left
    if one in MOMENTS and other in MOMENTS:
        return _latest(one, other)
    if one in LISTS and other in LISTS and left.expressions and right.expressions:
        element = mixed(left.expressions[0], right.expressions[0])
        return array(element) if element is not None else None
    return left if left == right else None


def united(left: Type, right: Type) -> Type:
    """The type of a column of a set operation's two sides; also what a comparison compares."""
    found = mixed(left, right)
    if found is not None or left is None or right is None:
        return found
    one, other = left.this, right.this
    if T.BOOLEAN in (one, other) and (one in NUMBERS or other in NUMBERS):
        return right if one == T.BOOLEAN else left
    if one in LISTS and other in LISTS and left.expressions and right.expressions:
        element = united(left.expressions[0], right.expressions[0])
        return array(element) if element is not None else None
    if one in TEXTS or other in TEXTS:
        beside = right if one in TEXTS else left
        return beside if beside.this in _OVER_TEXT else build(T.TEXT) if beside.this != T.STRUCT else None
    return None


def widest(left: exp.DataType, right: exp.DataType) -> exp.DataType:
    """Of two numbers."""
    one, other = left.this, right.this
    for real in (T.DOUBLE, T.FLOAT):
        if real in (one, other):
            return build(real)
    if T.DECIMAL in (one, other):
        (p, s), (q, r) = sizes(left), sizes(right)
        whole, scale = max(p - s, q - r), max(s, r)
        if one == other:
            scale = min(scale, MOST_DIGITS - whole)
        return decimal(whole + scale, scale)
    if one in UNSIGNED and other in UNSIGNED:
        return build(max(one, other, key=UNSIGNED.index))
    return build(max(_SIGNED_OF.get(one, one), _SIGNED_OF.get(other, other), key=SIGNED.index))


def _latest(one: exp.DType, other: exp.DType) -> exp.DataType | None:
    kinds = {one, other}
    if T.TIMESTAMPTZ in kinds:
        return build(T.TIMESTAMPTZ) if T.TIMESTAMP_NS not in kinds else None
    if T.TIMESTAMP_NS in kinds:
        return build(T.TIMESTAMP_NS)
    return build(T.TIMESTAMP if kinds != {T.DATE} else T.DATE)


def sizes(kind: Type) -> tuple[int, int]:
    """Precision and scale of a decimal, or of the decimal that an integer becomes."""
    if kind is not None and kind.this == T.DECIMAL:
        found = [int(e.name) for e in kind.expressions]
        return (found[0], found[1] if len(found) > 1 else 0) if found else (18, 3)
    return _DIGITS.get(kind.this, 10) if kind is not None else 10, 0


@cache
def decimal(precision: int, scale: int) -> exp.DataType:
    """Shared, as what `build` returns: never change it."""
    return exp.DataType.build(f"DECIMAL({min(max(precision, 1), MOST_DIGITS)}, {scale})")


def grown(precision: int, *arguments: int) -> int:
    """The precision of a result that needs this much: what fits into 8 bytes before is not made wider than 8 bytes."""
    return _NARROW_DIGITS if precision > _NARROW_DIGITS and max(arguments) <= _NARROW_DIGITS else precision


def array(element: exp.DataType | exp.DType | None) -> Type:
    if element is None:
        return None
    inner = element if isinstance(element, exp.DataType) else build(element)
    return exp.DataType(this=T.ARRAY, expressions=[inner.copy()], nested=True)


@cache
def build(kind: exp.DType) -> exp.DataType:
    return exp.DataType.build(kind)


def kind_of(node: exp.Expr | None) -> exp.DType:
    return plain(node.type) if node is not None else T.UNKNOWN


def plain(kind: Type) -> exp.DType:
    """The type without its parameters, of several words for one the usual one."""
    found = kind.this if kind is not None else T.UNKNOWN
    return T.TEXT if found in TEXTS else T.TIMESTAMP if found in (T.TIMESTAMPNTZ, T.DATETIME) else found


def is_number(node: exp.Expr) -> bool:
    return kind_of(node) in NUMBERS


def is_text_literal(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def fits(literal: exp.Expr, beside: exp.DType) -> bool:
    """Whether it is a whole number written out that the integer beside it can hold: it then takes that integer's type."""
    if not isinstance(literal, exp.Literal) or not literal.is_int or beside not in INTEGERS:
        return False
    return bool(int(literal.this).bit_length() <= bits_of(beside))


def bits_of(integer: exp.DType) -> int:
    """That an integer has for its value."""
    width = 8 * 2 ** (UNSIGNED if integer in UNSIGNED else SIGNED).index(integer)
    return int(width - (integer in SIGNED))


def say(node: exp.Expr) -> str:
    inner = node.unnest() if isinstance(node, exp.Paren) else node
    return f"`{inner.name}` ({say_type(node.type)})" if isinstance(inner, exp.Column) else say_type(node.type)


def say_type(kind: Type) -> str:
    return kind.sql("duckdb").replace("TEXT", "VARCHAR") if kind is not None else "an unknown type"


def cast_remedy(side: exp.Expr, other: exp.Expr | None = None) -> str:
    """What to do with a side that does not go with the other; with text a CAST may help, a date is no number."""
    if kind_of(side) not in (T.TEXT, T.BOOLEAN) or (other is not None and not is_number(other)):
        return "bring both to types that go together"
    target = say_type(other.type) if other is not None else "DOUBLE"
    return f"write CAST({side.name if isinstance(side, exp.Column) else '…'} AS {target})"
