"""Moments, their parts, and lengths of time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.scope import NOTHING, Typed

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions
    from shared_metadata.program.type_names import TypeName

# Words that several engines read as the moment at which they are read; where one has none of them, they are no moment at all.
_MOVING = re.compile(r"(?<![a-z])(now|today|tomorrow|yesterday)(?![a-z])", re.IGNORECASE)
_BATCH_END = "write batch_end(), the moment for which the batch is made"


def interval(of: Expressions, node: exp.Interval) -> Typed:
    kind = of.types.interval(node)
    if kind is None:
        of.findings.problem(node, "this interval is not known here", "write INTERVAL '1' DAY, with one unit")
    return Typed(kind, of.typed(node.this).refs if node.this is not None else frozenset(), False)


def extracted(of: Expressions, node: exp.Extract) -> Typed:
    found, kind = of.typed(node.expression), of.types.extracted(node.name.upper())
    if kind is None:
        of.findings.problem(node, f"`{node.name.lower()}` is no part of a moment here", "extract the year, month, day, hour …")
    elif found.kind is not None and not _has_parts(of, found):
        of.findings.problem(node, f"{of.types.said(found.kind)} is no moment", "CAST it to one")
    return Typed(kind, found.refs)


def _has_parts(of: Expressions, found: Typed) -> bool:
    return found.kind in of.types.intervals or (found.kind is not None and found.kind.word in (*of.types.moments, "time", "unknown"))


def now(of: Expressions, node: exp.Expr) -> Typed:
    cause = "this gives something else each time, so the result is no function of the inputs"
    of.findings.problem(node, cause, _BATCH_END)
    return NOTHING


def written(of: Expressions, node: exp.Cast, kind: TypeName | None) -> None:
    """Refuses a text in quotes that is read as a date or a time and stands for the day, or the moment, at which it is read."""
    inner: exp.Expr = node.this
    while isinstance(inner, (exp.Cast, exp.Paren)):
        inner = inner.this
    if inner.is_string and kind is not None and kind.word in (*of.types.moments, "time") and (found := _MOVING.search(inner.name)):
        cause = f"`{found[0]}` is another moment each time it is read, so the result is no function of the inputs"
        of.findings.problem(node, cause, _BATCH_END)
