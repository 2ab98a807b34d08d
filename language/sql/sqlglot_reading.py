"""SQL as sqlglot's stock dialects read it: its tree, and what is wrong where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from language.sql.dialect import sqlglot_dialect
from language.sql.engines import TRIPPED
from language.sql.misplaced import Stop, clause_of_ours, misplaced, missing
from language.sql.query import first_word
from language.text.diagnostics import Problem, Span
from language.text.nesting import SHORT, beyond_depth, too_deep

_QUERY = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*(?s:.*?)\*/)*+(?:SELECT|WITH|FROM|TABLE)\b", re.IGNORECASE)
_EXPECTED = re.compile(r"Expect(?:ed|ing) (?:(\W)(?=$| or)|([A-Z]+) after ([A-Z]+)$)")
_ORDER = "FROM, WHERE, GROUP BY, HAVING, WINDOW, ORDER BY, LIMIT"
_WORD = re.compile(r"\S+")
_MISSING = re.compile(r"Required keyword: '(\w+)' missing for <class '[\w.]*\.(\w+)'>")


def reads(text: str) -> bool:
    """Whether SQL begins as a query does; of anything else sqlglot makes a Command, and says so in the log."""
    return _QUERY.match(text) is not None


def parsed(span: Span, dialect: str, text: str, remedy: str = "check the SQL before and at this place") -> exp.Expr:
    """The tree of `text`, which stands for what is written at `span`, of its length. Raises Problem.

    remedy: where nothing else is known.
    """
    try:
        tree = sqlglot.parse_one(text, dialect=sqlglot_dialect(dialect))
    except ParseError as error:
        raise _parse_problem(span, dialect, error, remedy) from error
    except RecursionError:
        raise too_deep(first_word(span)) from None
    except (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:  # odd text trips sqlglot
        raise Problem(first_word(span), f"this is not {dialect} SQL", "write plain SQL here") from error
    if len(text) > SHORT:
        node = beyond_depth(tree)
        if node is not None:
            raise too_deep(place(node, span))
    return tree


def place(node: exp.Expr, span: Span) -> Span:
    """Where a node of the SQL at `span` stands, as near as sqlglot tells; the first word if it tells nothing."""
    nodes = node.parts if type(node) is exp.Column else node.walk()  # which are most, and the most quickly looked at
    metas = [meta for each in nodes if "start" in (meta := each.meta)]
    if not metas:
        return first_word(span)
    start, end = min([meta["start"] for meta in metas]), max([meta["end"] for meta in metas])
    return Span(span.source, span.start + start, span.start + end + 1)


def _parse_problem(span: Span, dialect: str, error: ParseError, otherwise: str) -> Problem:
    """What is said of a text at whose word sqlglot stops."""
    details = error.errors[0] if error.errors else {}
    stop = _stop(span, dialect, details)
    if ours := clause_of_ours(stop):
        return Problem(Span(span.source, span.start + ours.start, span.start + ours.end), ours.cause, ours.remedy)
    cause, remedy = missing(stop) or ("", "")
    if not cause:
        cause = _cause(str(details.get("description") or ""), stop)
    start, end = stop.words[stop.number][:2] if stop.number < len(stop.words) else (len(span.text) - 1, len(span.text))
    place = Span(span.source, span.start + start, span.start + end)
    return Problem(place, f"this SQL cannot be read: {cause}", remedy or misplaced(stop, _ORDER) or otherwise)


def _cause(description: str, stop: Stop) -> str:
    """sqlglot's words in ours."""
    if found := _MISSING.match(description):
        return f"something is missing in this {found[2].lower()}"
    if found := _EXPECTED.match(description):
        return f"`{found[1]}` is expected here" if found[1] else f"`{found[2]}` is expected after {found[3]}"
    if stop.number == len(stop.words):
        return "it ends where more is expected"
    return f"`{stop.words[stop.number][2]}` is not expected here"


def _stop(span: Span, dialect: str, details: Mapping[str, Any]) -> Stop:
    """Where sqlglot stops, by the line and the column of the last character of the word there."""

    def can_be_read(text: str) -> bool:
        try:
            return bool(sqlglot.parse_one(text, dialect=sqlglot_dialect(dialect)))
        except TRIPPED:
            return False

    tokens = sqlglot_dialect(dialect).tokenize(span.text)
    words = [word for token in tokens for word in _words(span.text, token.start, token.end + 1)]
    line, column = details.get("line"), details.get("col")
    at = sum(map(len, span.text.splitlines(keepends=True)[: line - 1])) + column - 1 if line and column else 0
    begin = next((token.start for token in tokens if token.end >= at), len(span.text))
    return Stop(span.text, words, next((n for n, (start, _, _) in enumerate(words) if start >= begin), len(words)), can_be_read)


def _words(text: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """The words of one of sqlglot's tokens, with their places: PARTITION BY is one to it."""
    if not text[start].isalpha():
        return [(start, end, text[start:end])]
    return [(found.start(), found.end(), found.group()) for found in _WORD.finditer(text, start, end)]
