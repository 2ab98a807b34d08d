"""Which of a program's functions a query calls, as its tokens alone tell."""

from __future__ import annotations

from collections.abc import Sequence

from language.forms.syntax import CreateCoded
from language.resolve.names import Names
from language.sql.from_words import named_in
from language.text.diagnostics import Problem, Span
from language.text.tokens import Token, tokenize


def refuse_calls(query: Span, names: Names) -> None:
    """Raises Problem for a call of a function in a query that runs in a source."""
    known = {*names.functions, *names.coded}
    for named in named_in([*tokenize(query.source, query.start, query.end)]) if known else ():
        if named.call and len(named.parts) == 1 and named.parts[0] in known:
            cause = f"`{named.parts[0]}` is a function of the program, and this query runs in the source"
            raise Problem(named.span, cause, "collect the rows, and call it in a view")


def code_called(query: Span, names: Names) -> list[tuple[CreateCoded, Span]]:
    """The functions in code that a query calls, each with the place of its name there."""
    lower = query.text.lower()
    if not any(name in lower for name in names.coded):
        return []
    called = (named for named in named_in(tokens_of(query)) if named.call and len(named.parts) == 1)
    return [(names.coded[one.parts[0]], one.span) for one in called if one.parts[0] in names.coded]


def tokens_of(span: Span) -> Sequence[Token]:
    return [*tokenize(span.source, span.start, span.end)]
