"""Functions whose SQL needs more than their arguments' types: how many there are, or what they are written as."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from doubles.athena import arithmetic
from doubles.athena.casts import FAILS, FAILS_TRIED, cast, coerced, not_known, once
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import (
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
from doubles.athena.lists import joined
from doubles.athena.moments import MOMENT_FUNCTIONS
from doubles.athena.nested import row
from doubles.athena.scope import Value
from doubles.athena.texts import TEXTS
from shared_metadata.program.type_names import TypeName as Kind

Special = Callable[[Sequence[Value], Sequence[exp.Expr]], Value]


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
    if [value.kind for value in given[1:]] == [Kind("array", (VARCHAR,))]:
        return Value(once(joined, given[1].sql, given[0].sql), VARCHAR)
    if not all(becomes(value.kind, VARCHAR) for value in given):
        raise QueryFailed("FUNCTION_NOT_FOUND", "line 1:1: Unexpected parameters for function concat_ws")
    return Value(f"concat_ws({', '.join(coerced(value, VARCHAR) for value in given)})", VARCHAR)


def _mod(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return arithmetic.computed("%", given[0], given[1])


def _round_to(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    value, digits = given[0], nodes[1].this if isinstance(nodes[1], exp.Neg) else nodes[1]
    if not (isinstance(digits, exp.Literal) and digits.is_int):
        raise unknown("round(…) to digits that are no number")
    number = -int(digits.name) if isinstance(nodes[1], exp.Neg) else int(digits.name)
    if value.kind.word in WHOLE:
        return value if number >= 0 else Value(f"CAST(round({value.sql}, {number}) AS {duck(value.kind)})", value.kind)
    if value.kind.word == "decimal":
        precision, scale = as_decimal(value.kind)
        kind = decimal(precision + 1, scale)
        return Value(f"CAST(round(CAST({value.sql} AS {duck(kind)}), {min(number, scale)}) AS {duck(kind)})", kind)
    if value.kind.word in INEXACT:
        return Value(f"CAST(round({value.sql}, {number}) AS {duck(value.kind)})", value.kind)
    raise mismatch(f"line 1:1: Unexpected parameters for function round: {said(value.kind)}")


def _truncate(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    if given[0].kind.word in WHOLE:
        return given[0]
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


def _replace(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    text, found, put = (coerced(value, VARCHAR) for value in given)
    if isinstance(nodes[1], exp.Literal) and nodes[1].name:
        return Value(f"replace({text}, {found}, {put})", VARCHAR)
    unsure = not_known("replace(…) of an empty text")

    def sql(one: str, old: str, new: str) -> str:
        return f"(CASE WHEN {old} = '' THEN {unsure} ELSE replace({one}, {old}, {new}) END)"

    return Value(once(sql, text, found, put), VARCHAR)


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
    ("replace", 3): _replace,
    ("codepoint", 1): _codepoint,
    ("row", None): row,
    ("row", 1): row,
    **TEXTS,
    **{(name, number): function for name, (number, function) in MOMENT_FUNCTIONS.items()},
}
