"""What to change in a query that a dialect does not read, so that it says there what it says in another engine's SQL.

sqlglot translates; of what it writes otherwise only that is advised without which the dialect would read something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from language.sql.engines import ENGINES, TRIPPED
from language.text.recursion import bounded_recursion

MOST = 100  # characters that are advised
MOST_TEXT, MOST_WORDS = 10_000, 1000  # characters and words of a text that is translated: comparing takes the square of these
MOST_CHANGES = 50  # each of which is tried without
_CHANGES, _MEANINGS = 3, 3  # that are told
_WORD = re.compile(
    r"""--[^\n]*|/\*(?s:.*?)\*/|`[^`]*`|"(?:[^"]|"")*"|'(?:[^']|'')*'|\w[\w$]*(?:\.\d+)?|(?:[<>!=|&^:@~*/%+-](?!--|/\*))+|\S"""
)
_BEGINS = re.compile(r"[\s(]*(?:SELECT|WITH|FROM|TABLE|VALUES|PIVOT|UNPIVOT)\b", re.IGNORECASE)  # sqlglot logs what is no query
_LINES = re.compile(r"\s*\n\s*")
_NULLS = re.compile(r"\s+NULLS\s+(?:FIRST|LAST)\b", re.IGNORECASE)
Meaning = Callable[[str], str | None]


class Change(NamedTuple):
    """What [start, end) of a text becomes; one of the two is empty where something is only taken away, or added."""

    start: int
    end: int
    written: str


@dataclass(frozen=True)
class Translation:
    """Where the text first says something that the dialect does not read, the words there, '' of none, and what to do.

    text: the whole text when that is done, as the most engines mean it.
    """

    start: int
    end: int
    words: str
    remedy: str
    text: str


def translation(text: str, dialect: str, meaning: Meaning, own: bool = True) -> Translation | None:
    """How to write a text in a dialect that does not read it; None where no engine reads it, or where that takes too much.

    dialect: as sqlglot calls it.  meaning: of a text, what tells two that mean the same from others; None where it cannot be read.
    own: whether it may be the dialect's own; of a call of what it does not have, only those count who have it.
    """
    if not _BEGINS.match(text) or len(text) > MOST_TEXT or len(_words(text)) > MOST_WORDS:
        return None
    found: list[tuple[Sequence[Change], str]] = []
    meanings = sorted(_meanings(text, dialect, meaning, own), key=lambda each: ("" in each[1], len(each[1])), reverse=True)[
        :_MEANINGS
    ]
    for written, engines in meanings:
        changes = _needed(text, written, meaning)
        if any(_only_quotes(text, change) for change in changes) or (found and not _at_one_place(changes, found[0][0])):
            continue
        said = _said(text, changes) or (f"write {written}" if len(written) <= MOST else "")
        if not changes or not said:
            return None
        found.append((changes, f"if it is {' or '.join(engines[:2])}'s, {said}" if found else said))
    if not found:
        return None
    first = next((c for c in found[0][0] if c.start < c.end), found[0][0][0])
    words = _in_a_line(text[first.start : first.end])
    return Translation(first.start, first.end, words, "; ".join(said for _, said in found), _changed(text, found[0][0]))


def _meanings(text: str, dialect: str, meaning: Meaning, own: bool) -> Iterator[tuple[str, list[str]]]:
    """Each of the translations that mean something else, with the engines in which the text means it; '' is the dialect itself."""
    found: dict[str, tuple[str, list[str]]] = {}
    for engine in dict.fromkeys((dialect, *ENGINES)):
        if not own and not _has_call(text, engine):
            continue
        written = _translated(text, engine, dialect)
        if not own and written is not None and "epoch" in written.lower():
            continue  # sqlglot counts the seconds between two times where the engine counts days that begin
        meant = meaning(written) if written is not None else None
        if written is not None and meant is not None:
            found.setdefault(meant, (written, []))[1].append("" if engine == dialect else ENGINES[engine])
    yield from found.values()


def _has_call(text: str, engine: str) -> bool:
    """Whether a SELECT of one call is of a function that the engine has: it writes it again as it was read."""
    try:
        called = sqlglot.parse_one(text, read=engine).expressions[0]
        written = str(called.sql(dialect=engine, unsupported_level=ErrorLevel.IGNORE))
    except TRIPPED:
        return False
    return isinstance(called, exp.Func) and not isinstance(called, exp.Anonymous) and _name(written) == _name(text[len("SELECT ") :])


def _name(call: str) -> str:
    return call.partition("(")[0].strip().upper()


def _translated(text: str, engine: str, dialect: str) -> str | None:
    """The text in the dialect, read as an engine's; None where that has no such text, or the dialect no words for it."""
    try:
        with bounded_recursion():
            tree = sqlglot.parse_one(text, read=engine)
            if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
                return None
            if tree.find(exp.TryCast) and not sqlglot.parse_one(tree.sql(dialect=dialect), read=dialect).find(exp.TryCast):
                return None  # sqlglot takes a CAST that fails for one that does not
            if tree.find(exp.Placeholder, exp.Parameter, exp.SessionParameter):  # which no query has
                return None
            written = tree.sql(dialect=dialect, normalize_functions=False, unsupported_level=ErrorLevel.RAISE)
    except TRIPPED:
        return None
    return written if _NULLS.search(text) else _NULLS.sub("", written)


# -- what differs


def _words(text: str) -> list[re.Match[str]]:
    return [found for found in _WORD.finditer(text) if not found.group().startswith(("--", "/*"))]


def _needed(text: str, written: str, meaning: Meaning) -> Sequence[Change]:
    """The changes that make of one text what means the other, each of which counts."""
    changes, meant = _differences(text, written), meaning(written)
    if len(changes) > MOST_CHANGES:
        return ()
    for change in list(changes):
        others = [each for each in changes if each is not change]
        if meaning(_changed(text, others)) == meant:
            changes = others
    return _joined(text, changes)


def _joined(text: str, changes: Sequence[Change]) -> list[Change]:
    """The changes, with what is added to one or taken from it beside another, at most a word away."""
    found = list[Change]()
    for change in changes:
        between = text[found[-1].end : change.start] if found else ""
        if found and len(_words(between)) <= 1 and not all(each.written and each.start < each.end for each in (found[-1], change)):
            former = found.pop()
            written = " ".join(filter(None, (former.written, between.strip(), change.written)))
            start = change.end - len(text[former.start : change.end].lstrip())
            change = Change(start, change.end, written.replace(" ,", ","))
        found.append(change)
    return found


def _differences(text: str, written: str) -> list[Change]:
    before, after = _words(text), _words(written)
    matcher = SequenceMatcher(None, [w.group().lower() for w in before], [w.group().lower() for w in after], autojunk=False)
    found, open_ = list[tuple[int, int, int, int]](), False
    for kind, first, last, begin, stop in matcher.get_opcodes():
        if kind != "equal":
            if open_:  # what stands between the parentheses of a change belongs to it
                first, _, begin, _ = found.pop()
            found.append((first, last, begin, stop))
            open_ = not (_balanced(before[first:last]) and _balanced(after[begin:stop]))
    return [_change(text, written, before[:last], first, after[begin:stop]) for first, last, begin, stop in found]


def _balanced(words: Sequence[re.Match[str]]) -> bool:
    signs = [word.group() for word in words]
    return signs.count("(") == signs.count(")")


def _change(text: str, written: str, before: Sequence[re.Match[str]], first: int, put: Sequence[re.Match[str]]) -> Change:
    """The change of the words from `first` on, to the last of those given, to others of the written text."""
    taken = before[first:]
    start = taken[0].start() if taken else before[first - 1].end() if first else 0
    return Change(start, taken[-1].end() if taken else start, written[put[0].start() : put[-1].end()] if put else "")


def _changed(text: str, changes: Sequence[Change]) -> str:
    pieces, done = list[str](), 0
    for change in changes:
        pieces += text[done : change.start], f" {change.written} "
        done = change.end
    return "".join((*pieces, text[done:]))


def _only_quotes(text: str, change: Change) -> bool:
    """Whether a word of SQL's is taken for a name: that is asked before, where it can be one."""
    former = text[change.start : change.end].lower()
    return former.isidentifier() and change.written.lower().startswith(f'"{former}"')


def _at_one_place(changes: Sequence[Change], others: Sequence[Change]) -> bool:
    """Whether both say of the same words that they are others, and each of one place only."""
    return len(changes) == len(others) == 1 and changes[0][:2] == others[0][:2] and changes[0].written != "" != others[0].written


# -- what is said of it


def _said(text: str, changes: Sequence[Change]) -> str:
    """The changes as advice; '' for too many, or none."""
    moved = _moved(text, changes)
    if moved:
        return moved
    told = [_told(text, change) for change in changes[:_CHANGES]]
    alike = len({(change.written[:1], change.written[-1:]) for change in changes}) == 1
    if not told or max(map(len, told)) > 2 * MOST or (len(changes) > _CHANGES and not alike):
        return ""
    return ", and ".join(told) + (" …" if len(changes) > _CHANGES else "")


def _told(text: str, change: Change) -> str:
    former = _in_a_line(text[change.start : change.end])
    if not change.written:
        return f"remove {former}"
    return f"write {change.written} in place of {former}" if former else f"write {change.written} {_before(text, change.end)}"


def _moved(text: str, changes: Sequence[Change]) -> str:
    """The advice where the same words are taken away here and added there; '' where they are not."""
    taken = [change for change in changes if not change.written]
    added = [change for change in changes if change.start == change.end]
    if len(changes) != 2 or not taken or not added:
        return ""
    words = _in_a_line(text[taken[0].start : taken[0].end])
    if [w.group().lower() for w in _words(words)] != [w.group().lower() for w in _words(added[0].written)]:
        return ""
    return f"move {words} {_before(text, added[0].end, 'to the end')}"


def _in_a_line(words: str) -> str:
    return _LINES.sub(" ", words)


def _before(text: str, at: int, at_end: str = "at the end") -> str:
    """Where something is put, by the word that stands behind it."""
    following = _WORD.search(text, at)
    return f"before {following.group()}" if following else at_end
