"""A query's text after it was written over: what did not change stays as it was written, with its lines and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

_WORD = re.compile(r"""--[^\n]*|/\*(?s:.*?)\*/|"(?:[^"]|"")*"|'(?:[^']|'')*'|\w+(?:\.\d+)?|<>|!=|[<>]=|\|\||//|::|\S""")
_COMMENT = re.compile(r"--[^\n]*|/\*(?s:.*?)\*/")
MOST_WORDS = 3000  # of a text whose own is kept: comparing takes the square of these
Word = re.Match[str]


def kept(text: str, before: str, after: str) -> str:
    """The text with those words changed in which `after` differs from `before`, which is the text as sqlglot lays it out."""
    own, first, last = words(text), words(before), words(after)
    if max(map(len, (own, first, last))) > MOST_WORDS:
        return after
    place = _places(own, first)
    pieces, done = list[str](), 0
    for kind, start, end, begin, stop in _opcodes(first, last):
        if kind == "equal":
            continue
        low, high = start, end
        while low > 0 and low - 1 not in place:  # as far out as the words are those of the text
            low, begin = low - 1, begin - 1
        while high < len(first) and high not in place:
            high, stop = high + 1, stop + 1
        at = own[place[low - 1]].end() if low > 0 else 0
        until = own[place[high]].start() if high < len(first) else len(text)
        if at < done or until < at:
            return after
        pieces += text[done:at], _between(text[at:until], after, last, begin, stop)
        done = until
    return "".join((*pieces, text[done:]))


def _between(former: str, after: str, last: Sequence[Word], begin: int, stop: int) -> str:
    """What takes the place of what stood between two words, with the white space that stood there, or that sqlglot puts there."""
    gap = not words(former)
    if begin >= stop:
        between = after[last[begin - 1].end() : last[begin].start()] if 0 < begin < len(last) else ""
        left = "".join(_between_words(former))
        return left if gap or _COMMENT.search(left) else between and (former[: len(former) - len(former.lstrip())] or between)
    written = after[last[begin].start() : last[stop - 1].end()]
    before = after[last[begin - 1].end() : last[begin].start()] if begin else ""
    behind = after[last[stop - 1].end() : last[stop].start()] if stop < len(last) else ""
    if gap:
        return f"{former or before}{written}{behind}" if before else f"{written}{former or behind}"
    comments = "".join(f" /*{found[2:].removesuffix('*/')} */" for found in _COMMENT.findall(former))
    before = former[: len(former) - len(former.lstrip())] or before
    return f"{before}{written}{comments}{former[len(former.rstrip()) :] or behind}"


def _between_words(text: str) -> Iterator[str]:
    done = 0
    for word in words(text):
        yield text[done : word.start()]
        done = word.end()
    yield text[done:]


def words(text: str) -> list[Word]:
    return [found for found in _WORD.finditer(text) if not found.group().startswith(("--", "/*"))]


def _places(own: Sequence[Word], normal: Sequence[Word]) -> dict[int, int]:
    """The numbers of those of sqlglot's words that are the text's."""
    matcher = SequenceMatcher(None, [*map(_said, normal)], [*map(_said, own)], autojunk=False)
    return {block.a + offset: block.b + offset for block in matcher.get_matching_blocks() for offset in range(block.size)}


def _opcodes(first: Sequence[Word], last: Sequence[Word]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, [*map(_said, first)], [*map(_said, last)], autojunk=False).get_opcodes()


def _said(word: Word) -> str:
    """A word as it counts: case does within a text alone."""
    return word.group() if word.group().startswith("'") else word.group().lower()
