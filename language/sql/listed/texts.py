"""Operators of texts: what joins them, and patterns that they are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.listed.types import BOOLEAN
from language.sql.scope import Typed, refs_of

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions


def joined(of: Expressions, node: exp.DPipe) -> Typed:
    found = [of.typed(node.this), of.typed(node.expression)]
    kind = of.together(node, found, "this joins")
    binary = of.types.of_schema.get("binary")
    if kind is not None and kind.word not in (of.types.text.word, binary, "array", "unknown"):
        of.findings.problem(node, f"this is for texts, and both are {of.types.said(kind)}", f"write {of.as_text}")
    return Typed(kind, refs_of(found))


def matched(of: Expressions, node: exp.Expr) -> Typed:
    """A text compared with a regular expression."""
    found = [of.typed(node.this), of.typed(node.expression)]
    kind = of.together(node, found, "this compares")
    if kind is not None and kind.word not in (of.types.text.word, "unknown"):
        of.findings.problem(node, f"this is for texts, and both are {of.types.said(kind)}", f"write {of.as_text}")
    return Typed(BOOLEAN, refs_of(found))


def like(of: Expressions, node: exp.Expr) -> Typed:
    _check_pattern(of, node, node.expression, of.rules.like_escape)
    return matched(of, node)


def escaped(of: Expressions, node: exp.Escape) -> Typed:
    """LIKE … ESCAPE '…'."""
    inner, sign = node.this, node.expression
    if not isinstance(inner, (exp.Like, exp.ILike)) or not (isinstance(sign, exp.Literal) and sign.is_string and len(sign.name) == 1):
        of.findings.problem(node, "an escape is one character, and behind LIKE", "write LIKE '…' ESCAPE '!'")
        return Typed(BOOLEAN)
    _check_pattern(of, node, inner.expression, sign.name)
    return matched(of, inner)


def _check_pattern(of: Expressions, node: exp.Expr, pattern: exp.Expr, escape: str) -> None:
    """Tells of an escape before another character, which fails each row that is compared."""
    if not (escape and isinstance(pattern, exp.Literal) and pattern.is_string):
        return
    words = of.findings.words(pattern)  # as it is written: what the parser was given may have signs in the place of others
    text = (words[1:-1] if words.startswith("'") else pattern.name).replace(escape * 2, "")
    if any(after[:1] not in ("%", "_") for after in text.split(escape)[1:]):
        cause = f"in this pattern an escape, {escape}, stands before neither %, _ nor itself"
        of.findings.problem(node, cause, f"write {escape}{escape} for the character itself, or ESCAPE with another one")
