"""Places in a program's text, and what is said about them: cause, line, caret and remedy."""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Self, TypeVar

from language.text.called import said, together
from language.text.characters import APART, INVISIBLE, likeness
from shared_metadata.program import Position

if TYPE_CHECKING:
    from shared_metadata.program.lineage import Lineage

P = ParamSpec("P")
T = TypeVar("T")
WIDTH = 160  # of a line as it is shown; the part around the caret of a longer one
LONG = 1000  # characters of a line that is said whole in JSON
COMPARED = 100  # characters of a name that is compared with others: comparing takes their square
CANDIDATES = 1000  # that a name is compared with


@dataclass(frozen=True, eq=False)
class SourceText:
    """One file of a program."""

    file: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.text.split("\n")[:-1])]

    def written(self, start: int, end: int) -> tuple[Span, str]:
        """Where the characters [start, end) were written, and through which calls of functions they came here; '' for none."""
        return Span(self, start, end), ""

    def position(self, offset: int) -> Position:
        line = bisect.bisect_right(self._line_starts, offset)
        return Position(self.file, line, offset - self._line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        if number not in self._lines:
            self._lines[number] = self._line(number)
        return self._lines[number]

    @cached_property
    def _lines(self) -> dict[int, str]:
        """Those with something wrong in them: a thousand mistakes in one long line share its text."""
        return {}

    def _line(self, number: int) -> str:
        start = self._line_starts[number - 1]
        end = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


# What editors, chats and web pages put between words. Engines may read each of these as a space of one byte, and so count otherwise.
_SPACES = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_HIDDEN = rf"(?<![\w{INVISIBLE}])[{INVISIBLE}]++|[{INVISIBLE}]++(?!\w)"
_KEPT_OR_SPACE = re.compile(rf"{APART}|(?P<space>[{_SPACES}]|{_HIDDEN})", re.DOTALL)


def source_text(file: str, text: str) -> SourceText:
    """The file's text without the byte-order mark that some editors put before it, and with plain spaces between its words.

    What hides within a word stays, for `odd_characters` to tell.
    """
    text = text.removeprefix("\ufeff")
    return SourceText(file, text if text.isascii() else _KEPT_OR_SPACE.sub(_plain, text))


def _plain(found: re.Match[str]) -> str:
    return " " * len(found[0]) if found["space"] else found[0]


class Span(NamedTuple):
    """The characters [start, end) of a file."""

    source: SourceText
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def position(self) -> Position:
        return self.source.position(self.start)

    def to(self, other: Span) -> Span:
        return Span(self.source, self.start, other.end)

    def diagnostic(self, cause: str, remedy: str) -> Diagnostic:
        (source, start, end), called = self.source.written(self.start, self.end)
        position, unlike = source.position(start), likeness(self.text)
        remedy = f"{unlike}; {remedy}" if unlike else remedy
        line = source.line(position.line)
        length = min(max(end - start, 1), max(len(line) - position.column + 1, 1))
        calls = (called,) if called else ()
        return Diagnostic(position.file, position.line, position.column, length, cause, remedy, line, calls)


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One mistake: where (line and column from 1, `length` characters), the cause, the remedy, and the line itself.

    called: where the function is called in which it stands, by each way that leads there.
    """

    file: str
    line: int
    column: int
    length: int
    cause: str
    remedy: str
    source_line: str
    called: tuple[str, ...] = ()

    def __str__(self) -> str:
        gutter = str(self.line)
        blank = " " * len(gutter)
        skipped, shown = self._shown
        indent = "".join("\t" if c == "\t" else " " for c in self.source_line[skipped : self.column - 1])
        return "\n".join(
            [
                f"{self.file}:{self.line}:{self.column}: {self.cause}",
                f" {gutter} | {shown}",
                f" {blank} | {indent}{'^' * min(self.length, max(len(shown) - len(indent), 1))}",
                f" {blank} help: {self.remedy}",
                *([f" {blank} called at {said(self.called)}"] if self.called else ()),
            ]
        )

    @property
    def _shown(self) -> tuple[int, str]:
        """How much of a long line is left out before the part around the mistake, and that part."""
        skipped = max(self.column - WIDTH // 2, 0) if len(self.source_line) > WIDTH else 0
        return skipped, self.source_line[skipped : skipped + WIDTH]

    def to_dict(self) -> dict[str, Any]:
        """`source` is the line; of one longer than LONG the part around the mistake."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "length": self.length,
            "message": self.cause,
            "help": self.remedy,
            "source": self.source_line if len(self.source_line) <= LONG else self._shown[1],
            **({"called": [*self.called]} if self.called else {}),
        }


class ProgramErrors(Exception):
    """A program that does not compile: every mistake found, in the order of the text; `lineage`: what could be typed of it."""

    def __init__(self, diagnostics: Iterable[Diagnostic], lineage: Lineage | None = None) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(sorted(together(diagnostics)))
        self.lineage = lineage
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.diagnostics)
        return "\n\n".join([*map(str, self.diagnostics), f"{count} error{'' if count == 1 else 's'}"])

    def to_dict(self) -> dict[str, Any]:
        return {"errors": [diagnostic.to_dict() for diagnostic in self.diagnostics]}


class Problem(Exception):
    """A mistake that ends the work on a statement, with those found beside it; the passes collect these into ProgramErrors."""

    def __init__(self, span: Span, cause: str, remedy: str) -> None:
        self.diagnostics = [span.diagnostic(cause, remedy)]
        super().__init__(str(self.diagnostic))

    @property
    def diagnostic(self) -> Diagnostic:
        """The first."""
        return self.diagnostics[0]


class ToldElsewhere(Exception):
    """A mistake that is reported at another place, so that nothing is reported here."""


class Gathering:
    """Lets checks that do not stand on each other all run, and then raises as one what they raised.

    with Gathering() as gathering:
        query = gathering(parse, text)  # None where it raised
        gathering(check, clauses)
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._first: Problem | None = None
        self._beside: list[Diagnostic] = []

    def __call__(self, check: Callable[P, T], *values: P.args, **named: P.kwargs) -> T | None:
        try:
            return check(*values, **named)
        except Problem as problem:
            self._first = self._first or problem
            self.diagnostics += problem.diagnostics
            return None

    def beside(self, check: Callable[P, object], *values: P.args, **named: P.kwargs) -> None:
        """Reports a mistake that a later pass reports as well: here only beside others, for which that pass is not reached."""
        try:
            check(*values, **named)
        except Problem as problem:
            self._beside += problem.diagnostics

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """What ends the block besides may come from what was found; a bug of ours goes its way."""
        if self._first is None or not isinstance(error, Problem | ToldElsewhere | RecursionError | None):
            return
        self.diagnostics += [*(error.diagnostics if isinstance(error, Problem) else ()), *self._beside]
        self._first.diagnostics = self.diagnostics
        raise self._first


def did_you_mean(word: str, known: Iterable[str], most: int = CANDIDATES, said: Mapping[str, str] | None = None) -> str:
    """'did you mean `x`? ' when something known is near to `word`, else ''; '' also where more than `most` are known.

    said: what each is called in full.
    """
    names = {name.lower(): name for name in sorted(known) if len(name) <= COMPARED}
    if len(word) > COMPARED or len(names) > most:
        return ""
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    found = names[near[0]] if near else ""
    return f"did you mean `{said.get(found, found) if said else found}`? " if found else ""
