"""A query's text as its places: DuckDB counts bytes and tells where something begins; here are characters, and where it ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

# As DuckDB's lexer has it: whatever is not ASCII is a letter.
_NAME = r'(?:"(?:[^"]|"")*"|(?:[A-Za-z_]|[^\x00-\x7f])(?:[\w$]|[^\x00-\x7f])*)'
_SPACE = r"(?:\s|--[^\n]*\n|/\*(?s:.*?)\*/)*"
_PATH = re.compile(rf"{_NAME}(?:{_SPACE}\.{_SPACE}{_NAME})*")
_PART = re.compile(_NAME)
_STAR = re.compile(rf"(?:{_NAME}{_SPACE}\.{_SPACE})*\*")
_WORD = re.compile(rf"{_NAME}|'(?:[^']|'')*'|\.?\d[\w.]*|[^\w\s]")
_TOKENS = re.compile(rf"--[^\n]*|/\*(?s:.*?)\*/|{_NAME}|'(?:[^']|'')*'|\$\w+|\.?\d[\w.]*|[^\w\s]")
_LISTS = re.compile(
    rf"""(?P<name>{_NAME})(?:\.[A-Za-z_][\w.]*)?|(?P<comment>--[^\n]*|/\*(?s:.*?)\*/)|(?P<opening>[(\[{{])|(?P<closing>[)\]}}])|(?P<comma>,)
    |'(?:[^']|'')*'|[\w.]+|[^\w\s]""",
    re.VERBOSE,
)
# Told by their text: as alternatives of the pattern they would be tried, each, at every name.
_LIST_WORDS = dict.fromkeys(("select", "distinct", "all"), "before") | dict.fromkeys(
    ("from", "where", "group", "having", "qualify", "window", "order", "limit", "union", "except", "intersect"), "after"
)
# DuckDB makes an ASCII space of each of these before it counts, but not in quotes or after --; in /* */ it does.
_SPACES = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'?|"(?:[^"]|"")*"?|--[^\r\n]*|\$(?P<tag>\w*)\$(?s:.*?)\$(?P=tag)\$)"""
    r"|[\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]"
)
Place = tuple[int, int]


@dataclass
class _Level:
    """What stands in one pair of brackets.  items: of the SELECT's list there, None outside of one.  begin: of one, -1 before it."""

    items: list[Place] | None = None
    begin: int = -1


def as_counted(text: str) -> str:
    """The text in whose bytes DuckDB counts; it has as many characters."""
    return _SPACES.sub(lambda found: found["kept"] or " ", text)


class QueryText:
    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes = None if text.isascii() else as_counted(text).encode()

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
        """What stands between the commas of a SELECT's list, of the innermost around a character; nothing where there is none."""
        level, end = _Level(), 0
        levels = [level]
        for found in _LISTS.finditer(self.text):
            kind = found.lastgroup
            if kind == "name":
                kind = _LIST_WORDS.get(found["name"].lower())
            if kind is None:
                if level.begin < 0 and level.items is not None:
                    level.begin = found.start()
                end = found.end()
                continue
            if kind == "comment":
                continue
            if kind == "before" and level.begin < 0 and not level.items:
                level.items = []
                continue
            if kind in ("comma", "after", "closing") and level.items is not None:
                level.items.append((level.begin, end))
                if kind != "comma" and level.items[0][0] <= at < end:
                    return level.items
                level.items, level.begin = level.items if kind == "comma" else None, -1
            elif kind != "closing" and level.begin < 0 and level.items is not None:
                level.begin = found.start()
            if kind == "opening":
                levels.append(_Level())
            elif kind == "closing" and len(levels) > 1:
                levels.pop()
            level, end = levels[-1], found.end()
        level = levels[0]
        last = [(level.begin, end)] if level.begin >= 0 else []
        return [*level.items, *last] if level.items is not None else []

    @cached_property
    def tokens(self) -> Sequence[Place]:
        """All words, strings and signs, without comments."""
        return [found.span() for found in _TOKENS.finditer(self.text) if not found.group().startswith(("--", "/*"))]

    def find(self, name: str, after: int = 0) -> Place | None:
        """The first place after a character where a name is written, in any case, with or without quotes."""
        wanted = name.lower()
        for found in _TOKENS.finditer(self.text, after):
            if found.group().strip('"').replace('""', '"').lower() == wanted:
                return found.span()
        return None

    def first_word(self) -> Place:
        found = re.search(r"\S+", self.text)
        return found.span() if found else (0, 1)
