"""A query's text as its places: DuckDB counts bytes and tells where something begins; here are characters, and where it ends."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from functools import cached_property

_NAME = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_SPACE = r"(?:\s|--[^\n]*\n|/\*(?s:.*?)\*/)*"
_PATH = re.compile(rf"{_NAME}(?:{_SPACE}\.{_SPACE}{_NAME})*")
_PART = re.compile(_NAME)
_STAR = re.compile(rf"(?:{_NAME}{_SPACE}\.{_SPACE})*\*")
_WORD = re.compile(rf"{_NAME}|'(?:[^']|'')*'|[\w.]+|[^\w\s]")
_TOKENS = re.compile(rf"--[^\n]*|/\*(?s:.*?)\*/|{_NAME}|'(?:[^']|'')*'|[\w.]+|[^\w\s]")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_BEFORE_ITEMS = frozenset(("SELECT", "DISTINCT", "ALL"))
_AFTER_ITEMS = frozenset(
    (",", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT")
)
Place = tuple[int, int]


class QueryText:
    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes = None if text.isascii() else text.encode()

    def at(self, byte: int) -> int:
        """The character at which a byte stands."""
        return byte if self._bytes is None else len(self._bytes[:byte].decode(errors="ignore"))

    def path(self, byte: int) -> Place:
        """The dotted name that begins there; any other word where none does."""
        start = self.at(byte)
        found = _PATH.match(self.text, start) or _WORD.match(self.text, start)
        return (start, found.end()) if found else (start, min(start + 1, len(self.text)))

    def parts(self, byte: int) -> Sequence[Place]:
        """Each part of the dotted name that begins there."""
        start, end = self.path(byte)
        return [(start + found.start(), start + found.end()) for found in _PART.finditer(self.text[start:end])]

    def word(self, byte: int) -> Place:
        """The name, number, string or sign that begins there."""
        start = self.at(byte)
        found = _WORD.match(self.text, start)
        return (start, found.end()) if found else (start, min(start + 1, len(self.text)))

    def star(self, byte: int) -> Place | None:
        """`*` or `t.*`; None where a star is meant and not written, as in `FROM t`."""
        start = self.at(byte)
        found = _STAR.match(self.text, start)
        return (start, found.end()) if found else None

    def call(self, byte: int) -> Place | None:
        """The call that begins there, to its closing parenthesis; None for an operator."""
        start = self.at(byte)
        name = _PATH.match(self.text, start)
        if name is None or not self.text[name.end() :].lstrip().startswith("("):
            return None
        depth = 0
        for found in _TOKENS.finditer(self.text, name.end()):
            depth += (found.group() == "(") - (found.group() == ")")
            if depth == 0 and found.group() == ")":
                return start, found.end()
        return None

    def balanced(self, start: int, end: int) -> Place:
        """The place, to the last parenthesis that it opens and does not close."""
        depth = 0
        for found in _TOKENS.finditer(self.text, start):
            if found.start() >= end and depth <= 0:
                break
            depth += (found.group() in ("(", "[", "{")) - (found.group() in (")", "]", "}"))
            end = max(end, found.end())
        return start, end

    def items(self, at: int) -> Sequence[Place]:
        """What stands between the commas of a SELECT's list, of the one around a character."""
        tokens, said = self.tokens, self._said
        first, depth = max(bisect.bisect_right(tokens, (at, len(self.text))) - 1, 0), 0
        while first > 0 and not (depth == 0 and said(first - 1) in _BEFORE_ITEMS):
            first -= 1
            depth += (said(first) in _CLOSING) - (said(first) in _OPENING and depth > 0)
        found, begin, depth = list[Place](), first, 0
        for number in range(first, len(tokens)):
            word = said(number)
            if depth == 0 and (word == "," or word in _AFTER_ITEMS or word in _CLOSING):
                found.append((tokens[begin][0], tokens[max(number - 1, begin)][1]))
                begin = number + 1
                if word != ",":
                    return found
            depth += (word in _OPENING) - (word in _CLOSING)
        return [*found, (tokens[begin][0], tokens[-1][1])] if begin < len(tokens) else found

    def _said(self, token: int) -> str:
        return self.text[slice(*self.tokens[token])].upper()

    @cached_property
    def tokens(self) -> Sequence[Place]:
        """All words, strings and signs, without comments."""
        return [found.span() for found in _TOKENS.finditer(self.text) if not found.group().startswith(("--", "/*"))]

    def find(self, name: str) -> Place | None:
        """The first place where a name is written, in any case, with or without quotes."""
        wanted = name.lower()
        for found in _TOKENS.finditer(self.text):
            if found.group().strip('"').replace('""', '"').lower() == wanted:
                return found.span()
        return None

    def first_word(self) -> Place:
        found = re.search(r"\S+", self.text)
        return found.span() if found else (0, 1)
