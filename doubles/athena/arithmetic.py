"""Operators as Trino has them: whole numbers are divided as whole, decimals exactly, and NaN is equal to nothing.

https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from doubles.athena.casts import coerced, error, once
from doubles.athena.errors import unknown
from doubles.athena.kinds import (
    BOOLEAN,
    DATE,
    DAYS,
    INEXACT,
    MOMENTS,
    MONTHS,
    UNKNOWN,
    WHOLE,
    as_decimal,
    common,
    decimal,
    duck,
    literal,
    mismatch,
    plain,
    said,
    zone_of,
)
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

_BY_ZERO = error("DIVISION_BY_ZERO", literal("Division by zero"))
_ORDERED = ("boolean", "varchar", "varbinary", "time", "uuid", "decimal", *MOMENTS, *WHOLE, *INEXACT, "unknown")


def computed(sign: str, one: Value, other: Value) -> Value:
    if {one.kind, other.kind} & {DAYS, MONTHS}:
        return _moved(sign, one, other)
    wide = common(one.kind, other.kind)
    if wide is None or wide.word not in (*WHOLE, "decimal", *INEXACT):
        raise mismatch(f"line 1:1: Cannot apply operator: {said(one.kind)} {sign} {said(other.kind)}")
    if wide.word == "decimal":
        return _of_decimals(sign, one, other)
    left, right = coerced(one, wide), coerced(other, wide)
    if sign in "/%" and wide.word in WHOLE:
        word = "//" if sign == "/" else "%"
        return Value(_not_by_zero(left, right, lambda one, other: f"{one} {word} {other}"), wide)
    return Value(f"({left} {sign} {right})", wide)


def _not_by_zero(left: str, right: str, quotient: Callable[[str, str], str]) -> str:
    def guarded(one: str, other: str) -> str:
        return f"(CASE WHEN {other} = 0 AND {one} IS NOT NULL THEN {_BY_ZERO} ELSE {quotient(one, other)} END)"

    return once(guarded, left, right)


def _of_decimals(sign: str, one: Value, other: Value) -> Value:
    (p1, s1), (p2, s2) = as_decimal(one.kind), as_decimal(other.kind)
    left, right = coerced(one, decimal(p1, s1)), coerced(other, decimal(p2, s2))
    kind = {
        "+": decimal(max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2)),
        "*": decimal(p1 + p2, s1 + s2),
        "/": decimal(p1 + s2 + max(s2 - s1, 0), max(s1, s2)),
        "%": decimal(min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)),
    }["+" if sign == "-" else sign]
    if kind.sizes[1] > kind.sizes[0]:
        raise mismatch(f"line 1:1: the scale of {said(one.kind)} {sign} {said(other.kind)} is more than 38")
    if sign in "+-*":
        wide = duck(kind)
        if sign != "*":  # DuckDB would add what has 38 digits without room for another
            left, right = f"CAST({left} AS {wide})", f"CAST({right} AS {wide})"
        return Value(f"CAST({left} {sign} {right} AS {wide})", kind)
    scale = kind.sizes[1]

    def quotient(one: str, other: str) -> str:
        if sign == "%":
            return scaled(f"({unscaled(one)} * {10 ** (scale - s1)} % ({unscaled(other)} * {10 ** (scale - s2)}))", kind)
        return scaled(once(divided, f"({unscaled(one)} * {_power(scale - s1 + s2)})", unscaled(other)), kind)

    return Value(_not_by_zero(left, right, quotient), kind)


def _power(digits: int) -> str:
    return f"CAST({10**digits} AS HUGEINT)"


def unscaled(sql: str) -> str:
    """A decimal's digits as a whole number."""
    return f"CAST(replace(CAST({sql} AS VARCHAR), '.', '') AS HUGEINT)"


def scaled(whole: str, kind: Kind) -> str:
    """The decimal that has these digits: a point is put among them."""
    scale = kind.sizes[1]
    if not scale:
        return f"CAST({whole} AS {duck(kind)})"
    padded = f"regexp_replace(CAST({whole} AS VARCHAR), '^(-?)', '\\1{'0' * scale}')"
    return f"CAST(regexp_replace({padded}, '([0-9]{{{scale}}})$', '.\\1') AS {duck(kind)})"


def divided(whole: str, by: str) -> str:
    """A quotient of whole numbers, rounded; a half away from zero."""
    sign = f"(CASE WHEN ({whole} < 0) = ({by} < 0) THEN 1 ELSE -1 END)"
    return f"({sign} * ((2 * abs({whole}) + abs({by})) // (2 * abs({by}))))"


def _moved(sign: str, one: Value, other: Value) -> Value:
    """A moment and an interval."""
    if sign == "+" and one.kind in (DAYS, MONTHS):
        one, other = other, one
    if sign not in "+-" or other.kind not in (DAYS, MONTHS) or plain(one.kind).word not in MOMENTS:
        raise unknown(f"{said(one.kind)} {sign} {said(other.kind)}")
    zone = literal(zone_of(one.kind))
    if other.kind == MONTHS and zone_of(one.kind):  # by what clocks show there
        return Value(f"timezone({zone}, timezone({zone}, {one.sql}) {sign} {other.sql})", one.kind)
    return Value(f"CAST({one.sql} {sign} {other.sql} AS {duck(one.kind)})", one.kind)


def negated(value: Value) -> Value:
    if value.kind.word not in (*WHOLE, "decimal", *INEXACT):
        raise mismatch(f"line 1:1: Cannot negate {said(value.kind)}")
    return Value(f"(-{value.sql})", value.kind)


def compared(sign: str, one: Value, other: Value) -> Value:
    kind = common(plain(one.kind), plain(other.kind))
    if kind is None:
        raise mismatch(f"line 1:1: Cannot apply operator: {said(one.kind)} {sign} {said(other.kind)}")
    if kind.word not in _ORDERED:
        raise unknown(f"a comparison of {said(kind)}")
    left, right = coerced(one, kind), coerced(other, kind)
    if kind.word in INEXACT and kind != UNKNOWN:  # DuckDB has NaN equal to itself, and above all else
        return Value(once(partial(_of_inexact, sign), left, right), BOOLEAN)
    return Value(f"({left} {sign} {right})", BOOLEAN)


def _of_inexact(sign: str, one: str, other: str) -> str:
    none = "TRUE" if sign == "<>" else "FALSE"
    none = f"CASE WHEN {one} IS NULL OR {other} IS NULL THEN NULL ELSE {none} END"
    return f"(CASE WHEN isnan({one}) OR isnan({other}) THEN {none} ELSE {one} {sign} {other} END)"


def same(one: Value, other: Value, *, negated: bool) -> Value:
    """IS [NOT] DISTINCT FROM, to which NaN is NaN."""
    kind = common(plain(one.kind), plain(other.kind))
    if kind is None:
        raise mismatch(f"line 1:1: Cannot compare {said(one.kind)} with {said(other.kind)}")
    word = "IS DISTINCT FROM" if negated else "IS NOT DISTINCT FROM"
    return Value(f"({coerced(one, kind)} {word} {coerced(other, kind)})", BOOLEAN)


def in_time(kind: Kind, days: bool) -> None:
    """Refuses hours of a date, as Trino does."""
    if kind == DATE and not days:
        raise mismatch("line 1:1: Cannot add hour, minutes or seconds to a date")
