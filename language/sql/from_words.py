"""The tables and calls that a query names, told by its tokens alone, whatever its dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from language.text.diagnostics import Span
from language.text.tokens import Kind, Token

_NAMES = (Kind.WORD, Kind.QUOTED)
_FROM = ("FROM", "JOIN")
_PASSED = ("LATERAL", "ONLY")  # between FROM and the table
_ENDS = (
    *("SELECT", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH"),
    *("UNION", "EXCEPT", "INTERSECT", "MINUS", "VALUES"),
)
_FROM_WITHIN = ("EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "OVERLAY")  # calls in which FROM stands between arguments
_AS_FROM = ("TABLE", "PIVOT", "UNPIVOT")  # before the table with which a query begins
_QUERIES = ("SELECT", "WITH", "FROM", "VALUES", *_AS_FROM)
_BEFORE_QUERIES = ("UNION", "EXCEPT", "INTERSECT", "MINUS", "ALL", "DISTINCT", "NAME")
_BEHIND_ITEMS = ("ASC", "DESC", "NULLS", "ROWS", "RANGE", "GROUPS")
# Words behind a table that are no other name of it.
_NO_ALIAS = frozenset(
    (
        *("where", "group", "having", "qualify", "window", "order", "limit", "offset", "fetch", "for", "select", "set"),
        *("union", "except", "intersect", "minus", "join", "inner", "left", "right", "full", "outer", "cross", "natural"),
        *("asof", "semi", "anti", "positional", "on", "using", "tablesample", "sample", "pivot", "unpivot", "lateral", "with"),
    )
)


@dataclass(frozen=True)
class Named:
    """A dotted name, where FROM or JOIN has a table, or with `(` behind it.

    first, last: the numbers of its tokens.  call: whether `(` follows.  in_from: whether a table stands there.
    """

    parts: tuple[str, ...]
    span: Span
    first: int
    last: int
    call: bool
    in_from: bool


def named_in(tokens: Sequence[Token]) -> Iterator[Named]:
    """Each name that FROM or JOIN has, and each that is called, in the order of the text, those within brackets as well."""
    lists, wanted, number = [False], False, 0  # per bracket, whether it is FROM's list that commas part; whether a table comes now
    plain = [True]  # per bracket, whether FROM in it begins a clause
    while number < len(tokens):
        token = tokens[number]
        if token.is_symbol("("):
            lists.append(wanted)
            plain.append(not (number and tokens[number - 1].is_word(*_FROM_WITHIN)))
        elif token.is_symbol("[") or token.is_symbol("{"):
            lists.append(False)
            plain.append(True)
            wanted = False
        elif any(map(token.is_symbol, ")]}")):
            wanted = False
            if len(lists) > 1:
                lists.pop(), plain.pop()
        elif token.is_symbol(","):
            wanted = lists[-1]
        elif token.is_word(*_FROM) and plain[-1] and not _distinct(tokens, number):
            lists[-1] = wanted = True
        elif token.is_word(*_ENDS) or (wanted and token.is_word("WITH")):  # else it may be WITH ORDINALITY
            lists[-1] = wanted = False
        elif token.is_word(*_AS_FROM) and _begins(tokens, number):
            wanted = True
        elif token.kind in _NAMES and not (wanted and token.is_word(*_PASSED)):
            last = _end_of_name(tokens, number)
            call = last + 1 < len(tokens) and tokens[last + 1].is_symbol("(") and not (number and tokens[number - 1].is_word("AS"))
            if wanted or call:
                parts = tuple(one.text.lower() for one in tokens[number : last + 1 : 2])
                yield Named(parts, token.span.to(tokens[last].span), number, last, call, wanted)
            wanted, number = False, last
        elif not token.is_word(*_PASSED):
            wanted = False
        number += 1


def _distinct(tokens: Sequence[Token], number: int) -> bool:
    """Whether FROM is that of IS [NOT] DISTINCT FROM."""
    return number > 1 and tokens[number - 1].is_word("DISTINCT") and tokens[number - 2].is_word("IS", "NOT")


def _begins(tokens: Sequence[Token], number: int) -> bool:
    """Whether a query begins with TABLE, PIVOT or UNPIVOT there: a name follows, and what stands before ends no table of FROM."""
    if number + 1 >= len(tokens) or tokens[number + 1].kind not in _NAMES:
        return False
    before = tokens[number - 1] if number else None
    if before is None or before.is_symbol("(") or before.is_word(*_BEFORE_QUERIES):
        return True
    depth = 0
    for at in range(number - 1, 0, -1) if before.is_symbol(")") else ():
        depth += tokens[at].is_symbol(")") - tokens[at].is_symbol("(")
        if depth == 0:
            return tokens[at - 1].is_word("AS", "MATERIALIZED")  # a query of WITH
    return False


def _end_of_name(tokens: Sequence[Token], number: int) -> int:
    while number + 2 < len(tokens) and tokens[number + 1].is_symbol(".") and tokens[number + 2].kind in _NAMES:
        number += 2
    return number


def arguments(tokens: Sequence[Token], opening: int) -> tuple[list[tuple[int, int]], int] | None:
    """The arguments behind the `(` of that number, each from its first token to behind its last, and the number of the `)`.

    None where it is not closed.
    """
    depth, begin, found = 0, opening + 1, list[tuple[int, int]]()
    for number in range(opening, len(tokens)):
        token = tokens[number]
        depth += sum(map(token.is_symbol, "([{")) - sum(map(token.is_symbol, ")]}"))
        if depth == 0:
            return ([*found, (begin, number)] if number > opening + 1 else [], number)
        if depth == 1 and token.is_symbol(","):
            found.append((begin, number))
            begin = number + 1
    return None


def has_alias(tokens: Sequence[Token], number: int) -> bool:
    """Whether a table that ends before the token of this number is given another name there."""
    if number >= len(tokens):
        return False
    token = tokens[number]
    return token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.text.lower() not in _NO_ALIAS)


def orders(tokens: Sequence[Token], number: int) -> bool:
    """Whether a token is by itself an item of ORDER BY, GROUP BY, PARTITION BY or DISTINCT ON, in which a number means a column.

    In brackets too, where these hold items: (n), ROLLUP (n), GROUPING SETS ((n)).
    """
    first = last = number
    while _is_item(tokens, first, last):
        opening = _opening(tokens, first)
        if opening is None or tokens[opening].is_word("BY"):
            return opening is not None
        listed = arguments(tokens, opening)
        if listed is None:
            return False
        first, last = opening, listed[1]
        if first > 1 and tokens[first - 1].is_word("ON") and tokens[first - 2].is_word("DISTINCT"):
            return True
        first -= first > 0 and tokens[first - 1].is_word("ROLLUP", "CUBE", "SETS")
        first -= tokens[first].is_word("SETS")
    return False


def _is_item(tokens: Sequence[Token], first: int, last: int) -> bool:
    """Whether nothing of an expression stands before or behind these tokens."""
    before = tokens[first - 1] if first else None
    after = tokens[last + 1] if last + 1 < len(tokens) else None
    begins = before is not None and (before.is_word("BY") or before.is_symbol(",") or before.is_symbol("("))
    return begins and (after is None or after.is_word(*_BEHIND_ITEMS, *_ENDS) or after.is_symbol(",") or after.is_symbol(")"))


def _opening(tokens: Sequence[Token], number: int) -> int | None:
    """The number of the BY, or of the `(`, that begins the list in which that token stands; None where another word does."""
    depth = 0
    for at in range(number - 1, -1, -1):
        token = tokens[at]
        depth += sum(map(token.is_symbol, ")]}")) - sum(map(token.is_symbol, "([{"))
        if depth < 0:
            return at if token.is_symbol("(") else None
        if depth == 0 and token.is_word(*_ENDS) and not token.is_word("GROUP", "ORDER"):
            return None
        if depth == 0 and token.is_word("BY"):
            return at
    return None


def queries_of_with(tokens: Sequence[Token]) -> Iterator[Token]:
    """The names of the queries of WITH, at any depth."""
    for first, _ in places_of_with(tokens):
        yield tokens[first]


def places_of_with(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """The number of the name of each query of WITH, at any depth, and that of the `(` before its text."""
    for number, token in enumerate(tokens):
        if token.kind not in _NAMES or token.is_word("AS"):
            continue
        coming = number + 1
        if coming < len(tokens) and tokens[coming].is_symbol("("):  # a list of columns
            listed = arguments(tokens, coming)
            coming = listed[1] + 1 if listed is not None else len(tokens)
        if not (coming < len(tokens) and tokens[coming].is_word("AS")):
            continue
        coming += 1
        while coming < len(tokens) and tokens[coming].is_word("NOT", "MATERIALIZED"):
            coming += 1
        opened = coming
        while coming < len(tokens) and tokens[coming].is_symbol("("):
            coming += 1
        if opened < coming < len(tokens) and tokens[coming].is_word(*_QUERIES):
            yield number, opened
