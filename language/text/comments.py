"""Comments of a program's text: what stands between tokens, in the order of the text, so that none is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from language.text.diagnostics import SourceText
from language.text.tokens import Token, block_end

_OPENING = re.compile(r"--[^\n]*|/\*|[^\s][^\n]*")


@dataclass(frozen=True)
class Comment:
    """`own_line`: nothing stands before it on its line.  `after_blank`: a blank line stands before it."""

    text: str
    start: int
    own_line: bool
    after_blank: bool


def find_comments(source: SourceText, tokens: Iterable[Token]) -> list[Comment]:
    """All comments of a file."""
    spans = [token.span for token in tokens]
    ends = [0, *(span.end for span in spans)]
    starts = [*(span.start for span in spans), len(source.text)]
    return [c for start, end in zip(ends, starts, strict=True) for c in _in_gap(source.text, start, end)]


def _in_gap(text: str, start: int, end: int) -> list[Comment]:
    found: list[Comment] = []
    position = start
    while match := _OPENING.search(text, position, end):
        stop = (block_end(text, match.start(), end) or end) if match.group() == "/*" else match.end()
        blank = text.count("\n", position, match.start()) > 1
        between = text[position : match.start()]
        own_line = "\n" in between or (found[-1].own_line if found else start == 0)
        found.append(Comment(text[match.start() : stop].rstrip(), match.start(), own_line, blank))
        position = stop
    return found
