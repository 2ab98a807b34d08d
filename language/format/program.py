"""Laying out a program in the one standard way; its meaning and its comments stay."""

from __future__ import annotations

from language.format.pieces import Piece, joined, pieces
from language.forms.syntax import Statement
from language.parse.parser import parse
from language.text.comments import Comment, find_comments
from language.text.diagnostics import ProgramErrors, SourceText, source_text
from language.text.no_gc import without_garbage_collection
from language.text.tokens import Chunk, split_statements, tokenize

WIDTH = 120
INDENT = "  "


def format_text(text: str, file: str) -> str:
    """`text` laid out. Raises ProgramErrors for a text that cannot be read."""
    source = source_text(file, text)
    syntax, problems = parse([source])
    if problems:
        raise ProgramErrors(problems)
    tokens = tokenize(source)
    formatter = _Formatter(source, find_comments(source, tokens))
    with without_garbage_collection():
        for chunk, statement in zip(split_statements(tokens), syntax.statements, strict=True):
            formatter.statement(chunk, statement)
    return formatter.finished()


class _Formatter:
    """Writes statements and the comments between and inside them, in the order of the text."""

    def __init__(self, source: SourceText, comments: list[Comment]) -> None:
        self._source = source
        self._comments = comments
        self._taken = 0
        self._lines: list[str] = []
        self._end = 0
        self._was_short = False

    def finished(self) -> str:
        end = len(self._source.text)
        self._between(self._take(end), end, apart=bool(self._lines))
        return "\n".join(self._lines).rstrip("\n") + "\n" if self._lines else ""

    def statement(self, chunk: Chunk, statement: Statement) -> None:
        assert chunk.end is not None  # parse() refuses a statement without its end
        start, end = statement.span.start, chunk.end.span.start
        before = self._take(start)
        lines = self._laid_out(pieces(statement), end)
        short = len(lines) == 1 and "\n" not in lines[0]
        self._between(before, start, apart=self._end > 0 and not (short and self._was_short))
        self._lines += lines
        self._end, self._was_short = end + 1, short

    def _laid_out(self, found: list[Piece], end: int) -> list[str]:
        """The lines of a statement whose `;` stands at the offset `end`."""
        ends = [*(piece.start for piece in found[1:]), end]
        for index, (piece, stop) in enumerate(zip(found, ends, strict=True)):
            following = found[index + 1] if index + 1 < len(found) else None
            for comment in self._take(stop):
                piece.attach(comment, following)
        lines: list[str] = []
        laid_out = joined(sorted(found, key=lambda piece: piece.rank), WIDTH)
        for piece in laid_out:
            indent = INDENT if piece.indented else ""
            lines += [indent + comment.text for comment in piece.before]
            lines.append("  ".join([indent + piece.text, *(c.text for c in piece.after if not c.own_line)]))
            lines += [indent + comment.text for comment in piece.after if comment.own_line]
        if laid_out[-1].after:
            return [*lines, ";"]
        return [*lines[:-1], lines[-1] + ";"]

    def _between(self, comments: list[Comment], start: int, apart: bool) -> None:
        """Comments and blank lines before the offset `start`; `apart` asks for a blank line though none is written."""
        position = self._end
        for comment in comments:
            if self._end > 0 and not comment.own_line:
                self._lines[-1] += "  " + comment.text
            else:
                if self._lines and (apart or comment.after_blank):
                    self._lines.append("")
                self._lines.append(comment.text)
                apart = False
            position = comment.start + len(comment.text)
        blank = self._source.text.count("\n", position, start) > 1
        if self._lines and (apart or blank):
            self._lines.append("")

    def _take(self, end: int) -> list[Comment]:
        """The comments before the offset `end` that were not yet taken."""
        first = self._taken
        while self._taken < len(self._comments) and self._comments[self._taken].start < end:
            self._taken += 1
        return self._comments[first : self._taken]
