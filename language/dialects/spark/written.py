"""Spark's functions whose results go by what is written: by names of fields, or by a number of digits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from language.dialects.spark.types import TYPES
from shared_metadata.program.type_names import TypeName


def of_fields(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    """A struct whose fields are called as they are written: struct(a, b), named_struct('a', 1)."""
    if name == "named_struct":
        names, kinds = [part.name for part in written[::2] if part.is_string], kinds[1::2]
    else:
        names = [part.alias_or_name for part in written]
    if not names or not all(names) or len(names) != len(kinds) or len({*map(str.lower, names)}) < len(names):
        return None
    return TypeName("struct", tuple(kinds), tuple(map(str.lower, names)))


def of_remainder(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    return TYPES.arithmetic("%", kinds[0], kinds[1]) if len(kinds) == 2 else None


def of_digits(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    """A number rounded to as many digits as are written out."""
    if len(kinds) not in (1, 2) or not TYPES.is_number(kinds[0]) or kinds[1:] not in ([], [TYPES.integer]):
        return None
    if kinds[0].word != "decimal":
        return kinds[0]
    digits, sign = (written[1], 1) if len(written) == 2 else (exp.Literal.number(0), 1)
    if isinstance(digits, exp.Neg):
        digits, sign = digits.this, -1
    if not isinstance(digits, exp.Literal) or not digits.is_int:
        return None
    (precision, scale), wanted = kinds[0].sizes, sign * int(digits.name)
    whole = precision - scale + 1
    if wanted < 0:
        return TypeName("decimal", sizes=(min(TYPES.most_digits, max(whole, 1 - wanted)), 0))
    return TypeName("decimal", sizes=(min(TYPES.most_digits, whole + min(scale, wanted)), min(scale, wanted)))
