"""A file's text cut at the `;` between statements, so that each statement's text can stand for what was found out about it before."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from language.text.diagnostics import Problem, SourceText
from language.text.tokens import Chunk, split_statements, tokenize
from shared_metadata.program import Position

_PART = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|;""", re.DOTALL)


@dataclass(frozen=True, eq=False)
class StatementText:
    """The characters [start, end) of a file: from behind one `;` to behind the next."""

    source: SourceText
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @cached_property
    def first(self) -> Position:
        """The place of its first character."""
        return self.source.position(self.start)

    def relative(self, position: Position) -> tuple[int, int]:
        """Lines and columns from its first character to a place in it."""
        line = position.line - self.first.line
        return line, position.column - (0 if line else self.first.column)

    def absolute(self, line: int, column: int) -> Position:
        """The place of which `relative` said this."""
        return Position(self.first.file, self.first.line + line, column + (0 if line else self.first.column))

    @cached_property
    def key(self) -> str:
        """A digest of the text, wherever it stands."""
        return hashlib.blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def statement_texts(source: SourceText) -> list[StatementText]:
    """The file cut at every `;` that seems to stand outside of strings and comments; blank text at its end left out.

    It is a proposal: `chunks_of` tells whether a text is indeed whole statements, and if all of a file are, so is the cut.
    """
    ends = [found.end() for found in _PART.finditer(source.text) if found.group() == ";"]
    if not ends or source.text[ends[-1] :].strip():
        ends.append(len(source.text))
    return [StatementText(source, start, end) for start, end in zip([0, *ends], ends, strict=False)]


def chunks_of(text: StatementText) -> list[Chunk] | None:
    """The statements in a text that holds no `;` but its last character; None for any other.

    The tokenizer reads from left to right and begins anew behind a `;`: where each of a file's texts is such a one, their tokens, one
    after the other, are those of the whole file.
    """
    try:
        tokens = tokenize(text.source, text.start, text.end)
    except Problem:
        return None
    ends = tokens.semicolons
    whole = ends == [text.end] or (not ends and text.end == len(text.source.text))
    return split_statements(tokens) if whole else None
