"""The values that a call of a function gives: expressions of no column, held against the types of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from language.forms.syntax import CreateFunction, Parameter
from language.sql.dialect import as_warehouse
from language.sql.from_words import named_in
from language.text.diagnostics import Problem, SourceText, Span
from language.text.inlined import Inlined, Pieces, inlined
from language.text.tokens import Token
from shared_metadata.program.type_names import parsed

_RANKS = {"int": 0, "long": 1, "decimal": 2, "float": 3, "double": 4}  # each becomes those behind it, as SQL itself does
_DIGITS = {"int": 10, "long": 19}
_REMEDY = "a value is an expression of constants, batch_start() and batch_end(), and names no column"


def value(text: Inlined, tokens: Sequence[Token], parameter: Parameter, function: CreateFunction, dialect: str) -> Pieces:
    """What stands for a parameter that is a value.  text: the argument, whose tokens are these. Raises Problem.

    It is what was written where it has the parameter's type, so that a place that takes a literal gets one; else it is cast to it.
    """
    assert parameter.type is not None
    if any(token.is_word("SELECT") for token in tokens) or any(named.in_from for named in named_in(tokens)):
        cause = f"`{parameter.name.text}` of `{function.name.text}` is a value, and this reads a table"
        raise Problem(text.span, cause, "declare it as a TABLE, and let the function take the value out of it")
    wanted = declared_type(parameter.type, dialect)
    if len(tokens) == 1 and tokens[0].is_word("NULL"):
        return cast(text, parameter.type)
    given = _type("SELECT ", text, " AS given", dialect)
    if given == wanted:
        return (text,) if len(tokens) == 1 else ("(", text, ")")
    if not fits(given, wanted):
        cause = f"`{parameter.name.text}` of `{function.name.text}` is {wanted}, and this is {given}"
        raise Problem(text.span, cause, f"write CAST({text.base.text} AS {parameter.type.text})")
    return cast(text, parameter.type)


def cast(what: Inlined | str, to: Span) -> Pieces:
    return ("CAST(", what, f" AS {to.text})")


def declared_type(words: Span, dialect: str) -> str:
    """The type that a parameter's words mean in a dialect, as schemas have it. Raises Problem where they mean none."""
    return _type("SELECT CAST(NULL AS ", inlined(words, ()), ") AS given", dialect)


def _type(before: str, text: Inlined, after: str, dialect: str) -> str:
    """The type of the only column of a query that is made of these. Raises Problem."""
    sql = f"{before}{text.text}{after}"
    if found := _told(sql, dialect):
        return found
    made, engine = inlined(text.base, [(text.base, (before, text, after))], text.called), as_warehouse(dialect)
    for problem in engine.type(engine.read(made.span), {}).problems:
        raise Problem(Span(made, problem.start, problem.end), problem.cause, f"{problem.remedy}; {_REMEDY}")
    raise Problem(text.span, "the type of this cannot be told", f"CAST it; {_REMEDY}")


@lru_cache(10_000)
def _told(sql: str, dialect: str) -> str:
    """'' where something is wrong with the query."""
    engine, source = as_warehouse(dialect), SourceText("", sql)
    try:
        typed = engine.type(engine.read(Span(source, 0, len(sql))), {})
    except Problem:
        return ""
    return typed.columns[0].type if typed.columns and not typed.problems else ""


def fits(given: str, wanted: str) -> bool:
    """Whether a number of the one type is cast to the other; of texts and times each is its own."""
    one, other = parsed(given), parsed(wanted)
    if one.word not in _RANKS or other.word not in _RANKS:
        return False
    if other.word == "decimal":
        digits, scale = one.sizes or (_DIGITS.get(one.word, 99), 0)
        return scale <= other.sizes[1] and digits - scale <= other.sizes[0] - other.sizes[1]
    return _RANKS[one.word] <= _RANKS[other.word]
