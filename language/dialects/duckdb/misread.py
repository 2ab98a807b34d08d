"""Why a text cannot be parsed: the change near the place where the parser stops that lets it go on is the remedy.

A word of SQL's in quotes, what another engine's SQL is in DuckDB's, a word that is nearly one of SQL's, or what is missing there.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.text import Place, QueryText
from language.dialects.duckdb.wording import first_line, named, rule_of, worded
from language.sql.misplaced import Stop, clause_of_ours, ends_a_name, in_backquotes, misplaced, missing
from language.sql.problems import QueryProblem
from language.sql.translation import Translation, translation

_CLAUSES = ("select", "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset")
_ORDER = "FROM, WHERE, GROUP BY, HAVING, QUALIFY, WINDOW, ORDER BY, LIMIT"
_LINKS = ("distinct", "with", "as", "by", "join", "on", "and", "or", "not", "when", "then")
_WORDS = (*_CLAUSES, *_LINKS, "inner", "left", "right", "full", "cross", "using", "union", "values")
_BEFORE_A_NAME = frozenset((*"(,.=<>+-*/|", "select", "where", "having", "qualify", *_LINKS)) - {"join"}  # a table has three names
_PIVOT = "this PIVOT does not say which values become columns"
_LISTED = "list them, as in ON carrier IN ('AA', 'DL'): a table's columns do not change with its rows"
_CHECK = "check the SQL before and at this place"
_PLACE = re.compile(r'"query_location":\d+')
_SHOWN = 40  # characters of what is not expected
_LOOKED_BACK = 3  # words before the one at which the parser stops


def syntax_problem(text: str, error: EngineError, engine: Engine) -> QueryProblem:
    """Why a text cannot be parsed."""
    query, ruled = QueryText(text), rule_of(error)
    if ruled is not None and not ruled[0].foreign:
        return worded(error, query, engine)
    if error.position is None:
        foreign = None if "Only SELECT" in error.message else _foreign(query, query.first_word(), engine)
        return foreign or _unplaced(query, error, engine)
    near = query.word(error.position)
    before = [place for place in query.tokens if place[1] <= near[0]][-_LOOKED_BACK:]
    places = [near, *reversed(before)]
    stop = _stop(query, near, engine)
    problem = (
        clause_of_ours(stop)
        or backquoted(query.text, engine)
        or _in_quotes(query, places, error, engine)
        or _missing(query, near, stop)
    )
    problem = problem or _foreign(query, near, engine)
    if problem is None and ruled is not None:
        return worded(error, query, engine)
    return problem or _misspelled(query, places, error, engine) or _unexpected(query, near, stop)


def _unplaced(query: QueryText, error: EngineError, engine: Engine) -> QueryProblem:
    if rule_of(error) is not None:
        return worded(error, query, engine)
    if "Only SELECT statements" not in error.message:
        return QueryProblem(*named(error.message, query), f"this SQL cannot be read: {first_line(error)}", "check the SQL")
    pivot = query.find("pivot")
    if pivot is not None:
        return QueryProblem(*pivot, _PIVOT, _LISTED)
    return QueryProblem(*query.first_word(), "a query must be a SELECT", "write AS SELECT …")


def _in_quotes(query: QueryText, places: Sequence[Place], error: EngineError, engine: Engine) -> QueryProblem | None:
    """A word of SQL that is a name, if it stood in quotes."""
    furthest: tuple[float, Place] | None = None
    for start, end in places:
        word = query.text[start:end]
        begins = word.lower() in _CLAUSES and (word.lower() == "select" or _before(query, start) not in _BEFORE_A_NAME)
        if begins or word.lower() not in engine.catalogue.reserved_words or not _may_be_a_name(query, start, end):
            continue
        reached = _reached(f'{query.text[:start]}"{word}"{query.text[end:]}', engine)
        if reached > _stopped(error) + 2 and (furthest is None or reached > furthest[0]):
            furthest = reached, (start, end)
    if furthest is None:
        return None
    word = query.text[slice(*furthest[1])]
    cause = f"`{word}` is a word of SQL, and cannot stand here as a name"
    return QueryProblem(*furthest[1], cause, f'write it in quotes: "{word}"')


def _misspelled(query: QueryText, places: Sequence[Place], error: EngineError, engine: Engine) -> QueryProblem | None:
    """A word that is nearly one of SQL's."""
    for start, end in places:
        word = query.text[start:end]
        near = difflib.get_close_matches(word.lower(), _WORDS, 2, 0.75) if word.lower() not in _WORDS else ()
        for meant in near:
            reached = _reached(f"{query.text[:start]}{meant}{query.text[end:]}", engine)
            if reached > _stopped(error) + len(meant) - len(word):
                return QueryProblem(
                    start, end, f"this SQL cannot be read: `{word}` is no word of it", f"did you mean {meant.upper()}?"
                )
    return None


def _may_be_a_name(query: QueryText, start: int, end: int) -> bool:
    """Whether the words and signs around one are such as stand around a name."""
    following = next((query.text[slice(*place)] for place in query.tokens if place[0] >= end), "")
    return _before(query, start) in (*_BEFORE_A_NAME, "from", "") and ends_a_name(following)


def foreign(text: str, engine: Engine) -> Translation | None:
    """What is another engine's SQL, or has its clauses in another order, and how DuckDB reads it."""

    def meaning(text: str) -> str | None:
        return _PLACE.sub("", engine.serialized_tree(text)) if _reached(text, engine) == math.inf else None

    return translation(text, "duckdb", meaning)


def _foreign(query: QueryText, near: Place, engine: Engine) -> QueryProblem | None:
    """The same as a problem.  near: where the parser stops."""
    found = foreign(query.text, engine)
    if found is None:
        return None
    place = (found.start, found.end) if found.words else near
    return QueryProblem(*place, _said(found.words or query.text[slice(*near)]), found.remedy)


def _said(words: str) -> str:
    """The cause, by the words that stand there, '' at the end; many are told by the first."""
    shown = words if len(words) <= _SHOWN else words.split()[0]
    quoted = shown if "`" in shown else f"`{shown}`"
    return f"this SQL cannot be read: {f'{quoted} is not expected here' if words else 'it ends where more is expected'}"


def _stop(query: QueryText, near: Place, engine: Engine) -> Stop:
    words = [(*place, query.text[slice(*place)]) for place in query.tokens]
    number = next((number for number, (start, _, _) in enumerate(words) if start >= near[0]), len(words))
    return Stop(query.text, words, number, lambda text: _reached(text, engine) == math.inf)


def _missing(query: QueryText, near: Place, stop: Stop) -> QueryProblem | None:
    found = missing(stop)
    if found is None:
        return None
    cause, remedy = found
    said = f"this SQL cannot be read: {cause}" if cause else _said(query.text[slice(*near)].strip())
    return QueryProblem(*near, said, remedy)


def backquoted(text: str, engine: Engine) -> QueryProblem | None:
    """What is said of names in backquotes."""
    found = in_backquotes(text, lambda text: _reached(text, engine) == math.inf)
    return QueryProblem(found[0], found[1], "DuckDB reads no names in backquotes", found[2]) if found else None


def _unexpected(query: QueryText, near: Place, stop: Stop) -> QueryProblem:
    word = query.text[slice(*near)]
    if word.lower() == "select" and query.find("pivot") is not None:
        return QueryProblem(*near, _PIVOT, _LISTED)
    remedy = "write a name in double quotes, where it needs any" if "`" in word else misplaced(stop, _ORDER) or _CHECK
    return QueryProblem(*near, _said(word.strip()), remedy)


def _reached(text: str, engine: Engine) -> float:
    """The byte at which the parser stops; infinity where it reads all."""
    try:
        engine.tree(text)
    except EngineError as error:
        return _stopped(error)
    return math.inf


def _stopped(error: EngineError) -> int:
    return -1 if error.position is None else error.position


def _before(query: QueryText, start: int) -> str:
    """The word or sign before a place, folded."""
    before: Iterator[Place] = (place for place in reversed(query.tokens) if place[1] <= start)
    return next((query.text[slice(*place)].lower() for place in before), "")
