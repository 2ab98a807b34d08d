"""An expression in the other dialect, and how it takes the place of what it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlglot import exp

from language.sql.meanings.forms import is_part
from language.translate.asked import gives
from shared_metadata.program.type_names import TypeName

BOOLEAN, MOMENT = TypeName("boolean"), TypeName("timestamptz")
_OPERATORS = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In, exp.Interval)
_PLAIN = (exp.Anonymous, exp.Cast, exp.Paren, exp.Case, exp.If, exp.Alias, exp.Select, exp.Tuple, exp.Ordered, exp.Where)
_APART = (exp.Identifier, exp.Var, exp.DataType, exp.Star, exp.Interval, exp.Query, exp.Lambda, exp.Distinct, exp.Order)
_PART = re.compile(r"_(\d)")


class Piece(NamedTuple):
    """kind: as the first dialect has it; None where it was told why there is none.  text: of a constant, as a question has it.

    given: the type that the other dialect gives a call, before what is around it makes it the first one's.
    """

    node: exp.Expr
    kind: TypeName | None
    text: str = ""
    given: TypeName | None = None


def settled(before: exp.Expr, now: exp.Expr, around: exp.Expr) -> exp.Expr:
    """What has become of a part of an operator: in parentheses where it was none, and is one."""
    binds_less = isinstance(around, (exp.Connector, exp.Not)) and not isinstance(now, exp.Connector)
    if isinstance(around, _PLAIN) or not isinstance(now, _OPERATORS) or type(before) is type(now) or binds_less:
        return now
    return exp.Paren(this=now)


def filled(pattern: exp.Expr, parts: Sequence[exp.Expr], nodes: Sequence[exp.Expr], *, same: bool) -> exp.Expr:
    """A form with its parts.  same: whether it has the words that it had before, so that nothing binds otherwise."""
    pattern = pattern.copy()
    if is_part(pattern):
        return nodes[int(pattern.name[1:]) - 1]
    for found in [node for node in pattern.walk() if is_part(node)]:
        number, around = int(found.name[1:]) - 1, found.parent
        now = nodes[number].copy()
        plain = isinstance(around, _PLAIN) or not isinstance(now, _OPERATORS) or (same and type(parts[number]) is type(now))
        found.replace(now if plain else exp.Paren(this=now))
    return pattern


def type_of(dialect: str, text: str, pieces: Sequence[Piece], *, over: bool = False) -> TypeName | None:
    """What a form gives of such parts, constants as they are; None where it takes none of these."""
    asked = _PART.sub(lambda found: pieces[int(found[1]) - 1].text or found[0], text)
    kinds = tuple("long" if piece.text or piece.kind is None else str(piece.kind) for piece in pieces)
    return gives(dialect, asked, kinds, over=over)


def parts_of(node: exp.Expr) -> list[exp.Expr]:
    """The parts of a node that are expressions of their own."""
    return [part for part in node.iter_expressions() if not isinstance(part, _APART)]
