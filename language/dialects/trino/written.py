"""Trino's functions whose results go by what is written."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from language.dialects.trino.types import TYPES
from shared_metadata.program.type_names import TypeName


def of_row(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    """ROW(1, 'a'): its fields have no names until a CAST gives them some."""
    return TypeName("row", tuple(kinds), ("",) * len(kinds)) if kinds else None


def of_remainder(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    return TYPES.arithmetic("%", kinds[0], kinds[1]) if len(kinds) == 2 and all(map(TYPES.is_number, kinds)) else None
