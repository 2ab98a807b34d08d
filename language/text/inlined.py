"""A text that others were put into: a query in which each call of a function is what it stands for, which still knows its places.

SELECT * FROM top(lake.ops.flights, 3)   ─▶   SELECT * FROM (SELECT … FROM lake.ops.flights AS t LIMIT 3) AS top
              ╰──────── a part: the function's body, in which two parts are the call's arguments ────────╯
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from language.text.diagnostics import SourceText, Span
from shared_metadata.program import Position

Pieces = tuple["str | Inlined", ...]  # words of ours, and texts that were written


class Part(NamedTuple):
    """The part [start, end) of a made text, which stands for `at` in the written one.  text: None for words of ours."""

    start: int
    end: int
    at: Span
    text: Inlined | None


@dataclass(frozen=True, eq=False)
class Inlined(SourceText):
    """base: the text as it was written, in a file.  parts: in order.  called: the calls by which it came here, '' for none.

    body: whether it is all that a function says, or a query that a function is given.
    """

    base: Span
    parts: tuple[Part, ...]
    called: str = ""
    body: bool = False

    def bodies(self, at: int = 0) -> Iterator[tuple[int, Inlined]]:
        """What the functions say that are called in it, and the queries that they are given, those within others too.

        Each with its offset, where this text begins at `at`.
        """
        for part in self.parts:
            if part.text is not None:
                yield from ([(at + part.start, part.text)] if part.text.body else [])
                yield from part.text.bodies(at + part.start)

    @cached_property
    def span(self) -> Span:
        """All of it."""
        return Span(self, 0, len(self.text))

    def written(self, start: int, end: int) -> tuple[Span, str]:
        for part in self.parts:
            if part.text is not None and part.start <= start and end <= part.end:
                return part.text.written(start - part.start, end - part.start)
        begin, _ = self._there(start)
        _, last = self._there(max(end - 1, start))
        return Span(self.base.source, begin, last), self.called

    def position(self, offset: int) -> Position:
        (source, start, _), _ = self.written(offset, offset + 1)
        return source.position(start)

    def _there(self, offset: int) -> tuple[int, int]:
        """The offsets [start, end) of what a character was written as: of itself, or of what its part stands for."""
        here, there = 0, self.base.start
        for part in self.parts:
            if offset < part.start:
                break
            if offset < part.end:
                return part.at.start, part.at.end
            here, there = part.end, part.at.end
        return there + offset - here, there + offset - here + 1


def inlined(base: Span, edits: Iterable[tuple[Span, Pieces]], called: str = "") -> Inlined:
    """The text at `base` with the pieces put in place of what the edits name; these lie in it, and do not overlap."""
    text, parts, done, length = list[str](), list[Part](), base.start, 0
    for at, pieces in sorted(edits, key=lambda edit: edit[0].start):
        text.append(base.source.text[done : at.start])
        length += at.start - done
        for piece in pieces:
            whole = piece if isinstance(piece, Inlined) else None
            said = piece if isinstance(piece, str) else piece.text
            parts.append(Part(length, length + len(said), at, whole))
            text.append(said)
            length += len(said)
        done = at.end
    text.append(base.source.text[done : base.end])
    return Inlined(base.source.file, "".join(text), base, tuple(parts), called)
