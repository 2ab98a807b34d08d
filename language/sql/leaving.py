"""What a row may leave a collect query's result by, or come into it late, as a dialect reads it."""

from __future__ import annotations

from dataclasses import dataclass

from language.text.diagnostics import Span


@dataclass(frozen=True)
class Leaving:
    """obstacle: the first thing besides WHERE by which a row can leave the result, or the table beyond whose rows it is made.

    where: the place of the WHERE's condition.  text: the same to the query's end.  moment: what in it, or in an ON, changes though no
    row does.  own: a function in it that the source alone knows.  meant: what that may be a misspelling of, as a remedy says it.
    several: a call by which one row of the table is several of the result, of which each can leave.
    """

    obstacle: Span | None = None
    where: Span | None = None
    text: Span | None = None
    moment: Span | None = None
    own: Span | None = None
    meant: str = ""
    several: Span | None = None
