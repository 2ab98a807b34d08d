"""Functions that several dialects type by what is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from language.sql.findings import Told
from language.sql.listed.rules import Check, Written
from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName


def nullif(types: Types) -> Written:
    """The first value's type, where it can be compared with the second."""

    def of(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | Told | None:
        if len(kinds) != 2:
            return None
        if types.common(kinds[0], kinds[1]) is None:
            cause = f"this compares {types.said(kinds[0])} and {types.said(kinds[1])}, which have no type in common"
            return cause, "bring both to one type by CAST"
        return kinds[0]

    return of


def unit(types: Types, units: Collection[str], at: int = 0, of_days: Collection[str] = ()) -> Check:
    """Tells of a unit that there is not.  at: which argument says it.  of_days: those that a date has, where it has not all."""

    def check(written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> Told | None:
        if len(written) <= at or kinds[at] != types.text:
            return None
        said = written[at]
        if not (isinstance(said, exp.Literal) and said.is_string):
            return "a unit of time is written out", "write one of " + ", ".join(units)
        days = (
            bool(of_days) and TypeName("date") in kinds and all(kind.word == "date" for kind in kinds if kind.word in types.moments)
        )
        able = of_days if days else units
        if said.name.lower() in able:
            return None
        return f"'{said.name}' is no unit of {'a date' if days else 'time'} here", "write one of " + ", ".join(able)

    return check


def written_out(at: int, what: str, *, number: bool = False) -> Check:
    """Tells of an argument that is no constant, where it must be one.  at: which argument; it may be left out."""

    def check(written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> Told | None:
        if len(written) <= at:
            return None
        said = written[at].this if number and isinstance(written[at], exp.Neg) else written[at]
        able = isinstance(said, exp.Literal) and (said.is_int if number else said.is_string)
        return None if able else (f"{what} is written out", f"write {'a number' if number else 'a text in quotes'}")

    return check
