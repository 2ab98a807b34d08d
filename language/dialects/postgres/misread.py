"""What is wrong with a text that PostgreSQL's parser refuses, at the place where it stops, and what lets it read on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from language.dialects.postgres import catalogue
from language.dialects.postgres.parser import NotRead, Text, Word, serialized
from language.sql.misplaced import Stop, clause_of_ours, ends_a_name, in_backquotes, misplaced, missing
from language.sql.problems import QueryProblem
from language.sql.translation import Translation, translation

_CLAUSES = ("SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "WINDOW")
_JOINS = (
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "NATURAL",
    "LATERAL",
    "USING",
    "DISTINCT",
    "BETWEEN",
    "PARTITION",
    "OVER",
)
_ENDS = frozenset((*_CLAUSES, ")", ""))
_BEFORE_NAMES = frozenset(
    (
        *["SELECT", "FROM", "WHERE", "JOIN", "BY", "ON", "AS", "DISTINCT", "AND", "OR", "NOT", "HAVING", "WHEN", "THEN", "ELSE"],
        *",(=<>+-*/%|",
    )
)
_IGNORED = ("IGNORE", "RESPECT")
_ORDER = "FROM, WHERE, GROUP BY, HAVING, WINDOW, ORDER BY, LIMIT"
_SHOWN = 40  # characters of what is not expected
_PLACE = re.compile(rb'"(?:location|stmt_len|stmt_location)":\d+,?')


def syntax_problem(text: Text, refusal: NotRead) -> QueryProblem:
    """What to say of a text that the parser reads up to `refusal.at`."""
    if not refusal.grammar:
        return (_foreign(text, None) if "not supported" in refusal.message else None) or _refused(text, refusal)
    here = next((number for number, word in enumerate(text.words) if word.end > refusal.at), len(text.words))
    word = text.words[here] if here < len(text.words) else Word(len(text.text.rstrip()), len(text.text.rstrip()), "")
    before = text.words[here - 1] if here else Word(0, 0, "")
    if before.upper in _IGNORED and word.upper == "NULLS":
        remedy = "PostgreSQL has no such window; take the values that are no NULL in a subquery, or do it in a view"
        return QueryProblem(before.start, word.end, f"`{before.text} {word.text}` is no PostgreSQL", remedy)
    after = text.words[here + 1].upper if here + 1 < len(text.words) else ""
    if before.text == "," and word.upper in _ENDS and (word.upper not in ("ORDER", "GROUP") or after == "BY"):
        if quoted := next(_in_quotes(text, refusal, [here] if word.text not in ("", ")") else []), None):
            return quoted
        return QueryProblem(before.start, before.end, "nothing follows this comma", "remove it, or write what it separates")
    if (word.text == "," and before.text in (",", "(")) or (word.text == "," and before.upper in _ENDS):
        return QueryProblem(
            word.start, word.end, f"nothing stands between `{before.text}` and `,`", "write a column, or remove the comma"
        )
    stop = Stop(text.text, text.words, here, _reads)
    if ours := clause_of_ours(stop):
        return ours
    if found := in_backquotes(text.text, _reads):
        return QueryProblem(found[0], found[1], "PostgreSQL reads nothing in backquotes", found[2])
    near = [number for number in (here - 1, here, here - 2) if 0 <= number < len(text.words)]
    named, misspelled = _in_quotes(text, refusal, near), _misspelled(text, refusal, near)
    return (
        next(named, None)
        or _missing(text, word, stop)
        or _foreign(text, word)
        or next(misspelled, None)
        or _unexpected(text, word, misplaced(stop, _ORDER))
    )


def _refused(text: Text, refusal: NotRead) -> QueryProblem:
    """What the grammar takes and the parser does not."""
    said = refusal.message.split(" at or near")[0].split(":")[0]
    if said.startswith("unterminated"):
        end = min(refusal.at + 1, len(text.text))
        return QueryProblem(refusal.at, end, f"this SQL cannot be read: {said}", "end it before this statement ends")
    here = next((number for number, word in enumerate(text.words) if word.end > refusal.at), None)
    if here is None:  # what the scanner refuses is no token
        end = refusal.at + len(re.split(r"\s", text.text[refusal.at :], maxsplit=1)[0])
        return QueryProblem(refusal.at, end, f"this SQL cannot be read: {said}", "write what PostgreSQL takes here")
    last = here
    while last + 2 < len(text.words) and text.words[last + 1].text == ".":
        last += 2
    remedy = (
        "write connection.schema.table for a table, table.column for a column"
        if "name" in said
        else "write what PostgreSQL takes here"
    )
    return QueryProblem(text.words[here].start, text.words[last].end, f"this SQL cannot be read: {said}", remedy)


def foreign(text: str, own: bool = True) -> Translation | None:
    """What is another engine's SQL, or has its clauses in another order, and how PostgreSQL reads it.

    own: whether it may be PostgreSQL's own, which a call of a function is not that PostgreSQL does not have.
    """

    def meaning(other: str) -> str | None:
        try:
            return _PLACE.sub(b"", serialized(other)).decode()
        except NotRead:
            return None

    return translation(text, "postgres", meaning, own)


def _foreign(text: Text, here: Word | None) -> QueryProblem | None:
    """The same as a problem.  here: where the parser stops, None where it reads all."""
    found = foreign(text.text)
    if found is None or not (found.words or here):
        return None
    words, start, end = (found.words, found.start, found.end) if found.words or not here else (here.text, here.start, here.end)
    shown = words if len(words) <= _SHOWN else words.split()[0]
    quoted = shown if "`" in shown else f"`{shown}`"
    return QueryProblem(start, end, f"this SQL cannot be read: {quoted} is not expected here", found.remedy)


def _missing(text: Text, word: Word, stop: Stop) -> QueryProblem | None:
    found = missing(stop)
    if found is None:
        return None
    problem = _unexpected(text, word, found[1])
    return replace(problem, cause=f"this SQL cannot be read: {found[0]}") if found[0] else problem


def _unexpected(text: Text, word: Word, remedy: str) -> QueryProblem:
    """What is said of a word, '' at the end, that cannot follow the one before it.  remedy: '' where none is known."""
    before = max((one for one in text.words if one.end <= word.start), default=Word(0, 0, ""))
    if not word.text:
        cause = f"the query ends after `{before.text}`, and something must follow"
        return QueryProblem(before.start, before.end, cause, remedy or "complete it")
    after = f"this SQL cannot be read: `{word.text}` cannot stand after `{before.text}`"
    cause = after if before.text else f"`{word.text}` begins no query"
    return QueryProblem(word.start, word.end, cause, remedy or "check the SQL before and at this place")


def _in_quotes(text: Text, refusal: NotRead, near: Sequence[int]) -> Iterator[QueryProblem]:
    """A word of SQL that is a name, if it stood in quotes."""
    for number in near:
        word = text.words[number]
        following = text.words[number + 1].text if number + 1 < len(text.words) else ""
        is_name = number > 0 and text.words[number - 1].upper in _BEFORE_NAMES and word.text.lower() in catalogue.reserved()
        if is_name and ends_a_name(following) and _reads_on(text, refusal, number, f'"{word.text}"'):
            yield QueryProblem(
                word.start, word.end, f"`{word.text}` is a word of SQL itself", f'as a name it is written "{word.text}"'
            )


def _misspelled(text: Text, refusal: NotRead, near: Sequence[int]) -> Iterator[QueryProblem]:
    """A word that is nearly one of SQL's."""
    for number in near:
        word = text.words[number]
        if not word.text.isidentifier() or word.text.lower() in catalogue.reserved():
            continue
        close = difflib.get_close_matches(word.upper, (*_CLAUSES, *_JOINS), n=2, cutoff=0.7)
        for keyword in close:
            if _reads_on(text, refusal, number, keyword):
                yield QueryProblem(word.start, word.end, f"`{word.text}` is no word of SQL here", f"did you mean {keyword}?")


def _reads(text: str) -> bool:
    try:
        return bool(serialized(text))
    except NotRead:
        return False


def _reads_on(text: Text, refusal: NotRead, number: int, instead: str) -> bool:
    """Whether the parser reads further with another word in the place of one."""
    word = text.words[number]
    try:
        serialized(text.text[: word.start] + instead + text.text[word.end :])
    except NotRead as found:
        moved = len(instead) - (word.end - word.start)
        return found.grammar and found.at - moved > max(refusal.at, word.end)
    return True
