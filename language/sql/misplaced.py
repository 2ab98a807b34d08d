"""Advice where a parser stops: by the words around the place, and by what lets it read on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from language.sql.problems import QueryProblem
from language.text.characters import APART
from language.text.clause_words import CLAUSES, ends_a_piece

_CLAUSES = ("from", "where", "group", "having", "qualify", "window", "order", "limit", "offset")
_BY = ("order", "group", "partition")
_TIME_TRAVEL = frozenset(("for", word) for word in ("system_time", "system_version", "version", "timestamp"))
NO_PARAMETERS = (
    "a query has no parameters: nobody would give their values",
    "write the value; the bounds of a batch are batch_start() and batch_end()",
)
# Words that follow one another only where a parenthesis should open between them, or after both.
_OPENED = {
    ("over", "partition"): "OVER (PARTITION BY …)",
    ("over", "order"): "OVER (ORDER BY …)",
    ("filter", "where"): "FILTER (WHERE …)",
    ("exists", "select"): "EXISTS (SELECT …)",
    ("in", "select"): "IN (SELECT …)",
    ("from", "select"): "FROM (SELECT …) AS q",
    ("join", "select"): "JOIN (SELECT …) AS q ON …",
    ("distinct", "on"): "DISTINCT ON (…)",
}
# What other engines write as a word where a part of a time is said.
_PARTS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond")
DATE_PARTS = frozenset((*_PARTS, *(f"{part}s" for part in _PARTS), "yy", "yyyy", "qq", "mm", "wk", "dd", "hh", "mi", "ss"))
# After these, a word is no name that ends there.
_NAMES_END = frozenset(
    (
        *("from", "as", "is", "in", "and", "or", "not", "then", "else", "end", "when", "on", "by", "using", "like", "between"),
        *("asc", "desc", "nulls", "union", "except", "intersect", "join", "over", "collate", *_CLAUSES),
    )
)


_BACKQUOTED_PART = re.compile(r"`([^`\n]+)`")
_BACKQUOTED = re.compile(rf"{APART}|(?P<path>`[^`\n]+`(?:\.`[^`\n]+`)*)", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_SHOWN = 3  # names that are told


@dataclass(frozen=True)
class Stop:
    """A text that a parser reads up to the word of this number, or to its end.

    words: all of its words and signs, with their places.  reads: whether the parser reads another text.
    """

    text: str
    words: Sequence[tuple[int, int, str]]
    number: int
    reads: Callable[[str], bool]

    def word(self, number: int) -> str:
        """That word, folded; '' where there is none."""
        return self.words[number][2].lower() if 0 <= number < len(self.words) else ""

    def reads_with(self, inserted: str) -> bool:
        at = self.words[self.number][0] if self.number < len(self.words) else len(self.text)
        return self.reads(f"{self.text[:at]} {inserted} {self.text[at:]}")


def clause_of_ours(stop: Stop) -> QueryProblem | None:
    """What is said where a word at which the parser stops, or one before it, begins a clause of Atoll's; None elsewhere."""
    signs = [word for _, _, word in stop.words]
    if "FROM" not in (sign.upper() for sign in signs[: stop.number]):
        return None
    for number in (stop.number, stop.number - 1, stop.number - 2):
        word = signs[number] if 0 < number < len(signs) else ""
        if word.upper() not in CLAUSES or not ends_a_piece(signs[number - 1], signs[number - 2] if number > 1 else ""):
            continue
        if any(signs[:number].count(opening) > signs[:number].count(closing) for opening, closing in ("()", "[]")):
            continue  # within brackets it is a window's, or a function
        if word.upper() == "USING" and "JOIN" in (sign.upper() for sign in signs[:number]):
            continue
        start, end, _ = stop.words[number]
        remedy = f'write {CLAUSES[word.upper()]} before AS, where clauses stand; as a name it is written "{word.lower()}"'
        return QueryProblem(start, end, f"`{word}` begins a clause, and stands within the query", remedy)
    return None


def in_backquotes(text: str, reads: Callable[[str], bool]) -> tuple[int, int, str] | None:
    """The first name in backquotes, and what to write, where the parser reads the text with all names without them."""
    found = [match for match in _BACKQUOTED.finditer(text) if match["path"]]
    if not found or not reads(_BACKQUOTED.sub(_unquoted, text)):
        return None
    names = list(dict.fromkeys(map(_unquoted, found)))
    more = " …" if len(names) > _SHOWN else ""
    return *found[0].span(), f"write {', '.join(names[:_SHOWN])}{more} without them"


def _unquoted(path: re.Match[str]) -> str:
    """Its parts as they are where they are names of small letters, else in double quotes; what stands in one pair may be a path."""
    if not path["path"]:
        return path[0]
    parts = [
        part for quoted in _BACKQUOTED_PART.findall(path[0]) for part in (quoted.split(".") if _PATH.fullmatch(quoted) else [quoted])
    ]
    return ".".join(part if _PATH.fullmatch(part) and part.islower() else f'"{part}"' for part in parts)


def is_date_part(text: str, start: int, end: int) -> bool:
    """Whether a word of the text is a part of a time, and what is given to a call."""
    return text[start:end].lower() in DATE_PARTS and text[:start].rstrip()[-1:] in ("(", ",")


_JOINED = frozenset(("left", "right", "full", "inner", "cross", "outer", "natural", "asof", "positional", "semi", "anti"))


def missing(stop: Stop) -> tuple[str, str] | None:
    """What is wrong, '' where the place says it, and what to write where something is left out: parentheses, BY, END, ON."""
    if stop.word(stop.number)[:1] == stop.word(stop.number - 1)[:1] == "'":
        return "two texts follow one another", "write a comma between them, or || to join them"
    signs = [word.lower() for _, _, word in stop.words]
    if any(sign in (":", "@", "?") for sign in (stop.word(stop.number), stop.word(stop.number - 1))) and _is_parameter(stop):
        return NO_PARAMETERS
    if stop.word(stop.number) == "on" and stop.word(stop.number + 1) in ("conflict", "duplicate"):
        return "what is published is updated by its key", "write MERGE ON (key) before AS, where clauses stand"
    if any((stop.word(at - 1), stop.word(at)) in _TIME_TRAVEL for at in (stop.number, stop.number + 1)):
        return "a query cannot choose the moment of its inputs: each is read as of the batch's end", "remove FOR … AS OF …"
    for number in (stop.number, stop.number - 1, stop.number + 1, stop.number - 2):
        opened = _OPENED.get((stop.word(number - 1), stop.word(number)))
        if opened is not None and (stop.word(number), stop.word(number + 1)) != ("on", "("):
            return "", f"write {opened}"
    before = stop.word(stop.number - 1)
    is_join = difflib.SequenceMatcher(None, stop.word(stop.number), "join").ratio() > 0.7  # that is misspelled
    if before in _JOINED and not is_join and stop.reads_with("JOIN"):
        side = f"{stop.word(stop.number - 2).upper()} " if before == "outer" else ""
        return "", f"write {side}{before.upper()} JOIN"
    if signs.count("(") > signs.count(")"):
        return "", "close the parenthesis that is open here"
    if before in _BY and stop.word(stop.number - 2) not in ("select", "distinct", ","):
        return "", f"write {before.upper()} BY"
    if "case" in signs and stop.reads_with("END"):
        return "", "end the CASE before it: CASE WHEN … THEN … END"
    if "join" in signs and stop.reads_with("ON true"):
        return "a JOIN does not say which rows meet", "write ON and a condition, or USING (…)"
    return None


def _is_parameter(stop: Stop) -> bool:
    """Whether a word follows at once on a sign as in :start, behind what is no word."""
    number = stop.number if stop.word(stop.number) in (":", "@", "?") else stop.number - 1
    if stop.word(number) == "?":
        return True
    end, following = stop.words[number][1], stop.words[number + 1 : number + 2]
    return bool(following) and following[0][0] == end and following[0][2].isidentifier() and not stop.word(number - 1).isidentifier()


def misplaced(stop: Stop, order: str) -> str:
    """What to do with a word of SQL's that stands where it cannot; '' for any other.  order: the dialect's clauses in theirs."""
    here, before = stop.word(stop.number), stop.word(stop.number - 1)
    if here == "select":
        return "write a query within another one in parentheses"
    if here in _CLAUSES and before in ("and", "or"):
        return f"write the condition alone: there is one {here.upper()}"
    return f"write the clauses in their order, each once: {order}" if here in _CLAUSES else ""


def ends_a_name(following: str) -> bool:
    """Whether a word may be a name, for the word or sign behind it, '' at the end of the text."""
    return not following or following.lower() in _NAMES_END or not (following[0].isalnum() or following[0] in "_\"'`(")
