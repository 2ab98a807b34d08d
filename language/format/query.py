"""A query's layout: of one line, sqlglot's where only white space and keywords' case change; else the writer's own."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import ErrorLevel, SqlglotError

from language.sql.sqlglot_reading import reads
from language.text.comments import find_comments
from language.text.diagnostics import Problem, SourceText, Span
from language.text.tokens import DIALECT, Kind, Token, tokenize

WIDTH = 100
LONGEST = 10_000  # characters of a query that is laid out; a longer one stays as it is written


def format_query(span: Span) -> str:
    """The query at `span`, from column 1 on."""
    tokens = _tokens(span.text)
    if (
        tokens
        and len(span.text) <= LONGEST
        and "\n" not in span.text
        and reads(span.text)
        and not find_comments(SourceText("", span.text), tokens)
    ):
        laid_out = _laid_out(span.text, tokens)
        if laid_out is not None:
            return laid_out
    return _reindented(span, tokens)


def _laid_out(text: str, tokens: list[Token]) -> str | None:
    """sqlglot's layout, if it has the same tokens, and is stable: several lines are never laid out again."""
    try:
        once = _generate(text)
        twice = once if "\n" in once else _generate(once)
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None
    same = [_meaning(token) for token in _tokens(once)] == [_meaning(token) for token in tokens]
    return once if same and once == twice else None


def _generate(text: str) -> str:
    tree = sqlglot.parse_one(text, dialect=DIALECT)
    one_line = tree.sql(dialect=DIALECT, normalize_functions=False, unsupported_level=ErrorLevel.IGNORE)
    if len(one_line) <= WIDTH and "\n" not in one_line:
        return one_line
    return tree.sql(
        dialect=DIALECT,
        pretty=True,
        normalize_functions=False,
        max_text_width=WIDTH,
        unsupported_level=ErrorLevel.IGNORE,
    )


def _tokens(text: str) -> list[Token]:
    try:
        return list(tokenize(SourceText("", text)))
    except Problem:
        return []


def _meaning(token: Token) -> str:
    """What two spellings of a token share: the case of words does not count, nor do quotes' contents change."""
    return token.span.text.upper() if token.kind is Kind.WORD else token.span.text


def _reindented(span: Span, tokens: list[Token]) -> str:
    """The query as written, moved left so that it begins at column 1, its lines' ends trimmed.

    Lines that begin inside a string or a comment stay as they are.
    """
    lines = span.text.split("\n")
    fixed = _fixed_lines(span.text, tokens)
    free = [line for number, line in enumerate(lines) if number not in fixed and number > 0 and line.strip()]
    indents = [len(line) - len(line.lstrip()) for line in free]
    move = min([span.position.column - 1, *indents])
    moved = [lines[0], *(ln if n in fixed else ln[move:] for n, ln in enumerate(lines[1:], start=1))]
    trimmed = [line if number + 1 in fixed else line.rstrip() for number, line in enumerate(moved)]
    return "\n".join(trimmed)


def _fixed_lines(text: str, tokens: list[Token]) -> set[int]:
    """The lines, counted from 0, that begin inside a token or comment."""
    source = SourceText("", text)
    ranges = [(token.span.start, token.span.end) for token in tokens]
    ranges += [(c.start, c.start + len(c.text)) for c in find_comments(source, tokens)]
    fixed: set[int] = set()
    for start, end in ranges:
        inside = text.count("\n", start, end)
        if inside:
            first = source.position(start).line
            fixed.update(range(first, first + inside))
    return fixed
