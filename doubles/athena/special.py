"""Functions whose SQL needs more than their arguments' types: how many there are, or what they are written as."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from doubles.athena import arithmetic
from doubles.athena.casts import FAILS, FAILS_TRIED, cast, coerced, once
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INEXACT,
    UNKNOWN,
    VARCHAR,
    WHOLE,
    as_decimal,
    becomes,
    common,
    decimal,
    duck,
    literal,
    mismatch,
    said,
)
from doubles.athena.moments import MOMENT_FUNCTIONS
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

Special = Callable[[Sequence[Value], Sequence[exp.Expr]], Value]
# What a regular expression may consist of, so that Trino's and DuckDB's engines mean the same.
_PATTERN = re.compile(
    r"(?!.*\(\?)(?:[A-Za-z0-9 _,;:@%/=<>'\"#~!&-]|\\[.+*?()|\[\]{}^$\\/-]|\[[A-Za-z0-9 _.,-]+\]|[.^+*?|()]|\{\d+(?:,\d*)?\})*\$?"
)


def together(values: Sequence[Value], what: str) -> tuple[list[str], Kind]:
    """The values as ones of the type that all become."""
    kind = UNKNOWN
    for value in values:
        found = common(kind, value.kind)
        if found is None:
            raise mismatch(
                f"line 1:1: {what} must be the same type or coercible to a common type. Found: {said(kind)}, {said(value.kind)}"
            )
        kind = found
    return [coerced(value, kind) for value in values], kind


def _coalesce(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    sqls, kind = together(given, "All COALESCE operands")
    return Value(f"coalesce({', '.join(sqls)})", kind)


def _nullif(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    def unless_equal(one: str, other: str) -> str:
        equal = arithmetic.compared("=", Value(one, given[0].kind), Value(other, given[1].kind))
        return f"(CASE WHEN {equal.sql} THEN NULL ELSE {one} END)"

    return Value(once(unless_equal, given[0].sql, given[1].sql), given[0].kind)


def _extreme(name: str) -> Special:
    def of(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
        sqls, kind = together(given, f"All {name.upper()} operands")
        if kind.word in INEXACT:
            raise unknown(f"{name} of {said(kind)}, with its NaN,")

        def unless_null(*values: str) -> str:
            none = " OR ".join(f"{value} IS NULL" for value in values)
            return f"(CASE WHEN {none} THEN NULL ELSE {name}({', '.join(values)}) END)"

        return Value(once(unless_null, *sqls), kind)

    return of


def _try(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    if f"{FAILS}('NOT_SUPPORTED" in given[0].sql:
        raise unknown("try(…) of what may not be known")
    return Value(f"TRY({given[0].sql.replace(FAILS, FAILS_TRIED)})", given[0].kind)


def _typeof(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return Value(literal(said(given[0].kind)), VARCHAR)


def _concat(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    sqls, kind = together(given, "All CONCAT operands")
    if kind.word not in ("varchar", "array", "varbinary"):
        raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: Unexpected parameters ({said(kind)}) for function concat")
    kind = VARCHAR if kind.word == "varchar" else kind
    return Value(f"CAST({' || '.join(sqls)} AS {duck(kind)})", kind)


def _concat_ws(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    if not all(becomes(value.kind, VARCHAR) for value in given):
        raise QueryFailed("FUNCTION_NOT_FOUND", "line 1:1: Unexpected parameters for function concat_ws")
    return Value(f"concat_ws({', '.join(coerced(value, VARCHAR) for value in given)})", VARCHAR)


def _mod(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return arithmetic.computed("%", given[0], given[1])


def _round_to(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    value, digits = given[0], nodes[1]
    if not (isinstance(digits, exp.Literal) and digits.is_int):
        raise unknown("round(…) to digits that are no number")
    if value.kind.word in WHOLE:
        return value
    if value.kind.word == "decimal":
        precision, scale = as_decimal(value.kind)
        kind = decimal(precision + 1, scale)
        return Value(f"CAST(round(CAST({value.sql} AS {duck(kind)}), {min(int(digits.name), scale)}) AS {duck(kind)})", kind)
    if value.kind.word in INEXACT:
        return Value(f"CAST(round({value.sql}, {digits.name}) AS {duck(value.kind)})", value.kind)
    raise mismatch(f"line 1:1: Unexpected parameters for function round: {said(value.kind)}")


def _truncate(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    if given[0].kind.word not in INEXACT:
        raise unknown(f"truncate({said(given[0].kind)})")
    return Value(f"trunc({given[0].sql})", given[0].kind)


def _log(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    base, value = (coerced(each, DOUBLE) for each in given)
    positive = f"{base} > 0 AND {value} > 0"
    return Value(f"(CASE WHEN {positive} THEN ln({value}) / ln({base}) WHEN {base} IS NOT NULL AND {value} IS NOT NULL THEN "
                 f"CAST('NaN' AS DOUBLE) END)", DOUBLE)  # fmt: skip


def _date(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return cast(given[0], DATE)


def _regexp_like(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """An end of the text is also before its last line's end, in Java."""
    pattern = nodes[1]
    if not (isinstance(pattern, exp.Literal) and pattern.is_string and _PATTERN.fullmatch(pattern.name)):
        raise unknown("such a regular expression")
    text = pattern.name
    ended = text[:-1] + r"(?:\n?\z)" if text.endswith("$") and not text.endswith("\\$") else text
    return Value(f"regexp_matches({coerced(given[0], VARCHAR)}, {literal(ended)})", BOOLEAN)


def _replace(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    if not (isinstance(nodes[1], exp.Literal) and nodes[1].name):
        raise unknown("replace(…) of a text that may be empty")
    return Value(f"replace({', '.join(coerced(value, VARCHAR) for value in given)})", VARCHAR)


def _codepoint(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return Value(f"CAST(unicode({coerced(given[0], VARCHAR)}) AS INTEGER)", Kind("integer"))


# Each with how many arguments it takes; None for two or more, or one and more where it says so itself.
SPECIAL: dict[tuple[str, int | None], Special] = {
    ("coalesce", None): _coalesce,
    ("greatest", None): _extreme("greatest"),
    ("least", None): _extreme("least"),
    ("concat", None): _concat,
    ("concat_ws", None): _concat_ws,
    ("nullif", 2): _nullif,
    ("try", 1): _try,
    ("typeof", 1): _typeof,
    ("mod", 2): _mod,
    ("round", 2): _round_to,
    ("truncate", 1): _truncate,
    ("log", 2): _log,
    ("date", 1): _date,
    ("regexp_like", 2): _regexp_like,
    ("replace", 3): _replace,
    ("codepoint", 1): _codepoint,
    **{(name, number): function for name, (number, function) in MOMENT_FUNCTIONS.items()},
}
