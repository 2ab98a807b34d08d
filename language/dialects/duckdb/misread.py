"""Why a text cannot be parsed: the change to one word, near the place where the parser stops, that lets it go on is the remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.text import Place, QueryText
from language.dialects.duckdb.wording import first_line, named, rule_of, worded
from language.sql.problems import QueryProblem

_CLAUSES = ("select", "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset")
_ORDER = "FROM, WHERE, GROUP BY, HAVING, QUALIFY, WINDOW, ORDER BY, LIMIT"
_LINKS = ("distinct", "with", "as", "by", "join", "on", "and", "or", "not", "when", "then")
_WORDS = (*_CLAUSES, *_LINKS, "inner", "left", "right", "full", "cross", "using", "union", "values")
_BEFORE_A_NAME = frozenset((*"(,.=<>+-*/|", "select", "where", "having", "qualify", *_LINKS)) - {"join"}  # a table has three names
_PIVOT = "this PIVOT does not say which values become columns"
_LISTED = "list them, as in ON carrier IN ('AA', 'DL'): a table's columns do not change with its rows"
_LOOKED_BACK = 3  # words before the one at which the parser stops


def syntax_problem(text: str, error: EngineError, engine: Engine) -> QueryProblem:
    """Why a text cannot be parsed."""
    query = QueryText(text)
    if rule_of(error) is not None:
        return worded(error, query, engine)
    if error.position is None:
        return _unplaced(query, error)
    near = query.word(error.position)
    before = [place for place in query.tokens if place[1] <= near[0]][-_LOOKED_BACK:]
    places = [near, *reversed(before)]
    problem = _in_quotes(query, places, error, engine) or _misspelled(query, places, error, engine)
    return problem or _unexpected(query, near, engine)


def _unplaced(query: QueryText, error: EngineError) -> QueryProblem:
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
        if begins or word.lower() not in engine.catalogue.reserved_words or query.text[end:].lstrip().startswith("("):
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


def _unexpected(query: QueryText, near: Place, engine: Engine) -> QueryProblem:
    text, word = query.text, query.text[slice(*near)]
    at_end = near[0] >= len(text.rstrip())
    cause = "it ends where more is expected" if at_end else f"`{word}` is not expected here"
    signs = [text[slice(*place)] for place in query.tokens]
    remedy = "check the SQL before and at this place"
    if "`" in word:
        remedy = "write a name in double quotes, where it needs any"
    elif word.lower() == "select" and query.find("pivot") is not None:
        return QueryProblem(*near, _PIVOT, _LISTED)
    elif signs.count("(") > signs.count(")"):
        remedy = "close the parenthesis that is open here"
    elif (before := _before(query, near[0])) in ("order", "group"):
        remedy = f"write {before.upper()} BY"
    elif query.find("case") and _reached(f"{text[: near[0]]} END {text[near[0] :]}", engine) == math.inf:
        remedy = "end the CASE before it: CASE WHEN … THEN … END"
    elif _reached(f"{text[: near[0]]} ON true {text[near[0] :]}", engine) == math.inf:
        cause, remedy = "a JOIN does not say which rows meet", "write ON and a condition, or USING (…)"
    elif word.lower() == "select":
        remedy = "write a query within another one in parentheses"
    elif word.lower() in _CLAUSES:
        remedy = f"write the clauses in their order: {_ORDER}"
    elif _before(query, near[0]) == "top":
        remedy = f"write LIMIT {word} at the end, after an ORDER BY"
    return QueryProblem(*near, f"this SQL cannot be read: {cause}", remedy)


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
