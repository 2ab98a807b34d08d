"""What SQL takes and no engine gives a meaning: comparisons with NULL, and another engine's word that becomes an alias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot import TokenType
from sqlglot.tokenizer_core import Token

from language.text.diagnostics import Gathering, Problem, Span
from language.text.tokens import tokenize

_COMPARED = {
    TokenType.EQ: "IS NULL",
    TokenType.NEQ: "IS NOT NULL",
    **dict.fromkeys((TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE), ""),
}
_MAY_COUNT = ("null", "final")
_LISTED = frozenset((TokenType.COMMA, TokenType.L_PAREN, TokenType.R_PAREN))
_IN_FROM = frozenset((TokenType.FROM, TokenType.JOIN, TokenType.DOT))
_NEVER = "a comparison with NULL is true of no row"


def check_in_vain(text: Span) -> None:
    """Raises Problem for what a query or a predicate says in vain."""
    said = text.text.lower()
    if not any(word in said for word in _MAY_COUNT):  # of most queries
        return
    with Gathering() as gathering:
        for problem in _problems(text, tokenize(text.source, text.start, text.end).read):
            gathering(_raise, problem)


def _raise(problem: Problem) -> None:
    raise problem


def _problems(text: Span, tokens: Sequence[Token]) -> Iterator[Problem]:
    def between(first: int, last: int) -> Span:
        return Span(text.source, text.start + tokens[first].start, text.start + tokens[last].end + 1)

    def kind(number: int) -> TokenType | None:
        return tokens[number].token_type if 0 <= number < len(tokens) else None

    lists = [*_lists_of_in(tokens)]
    for number, token in enumerate(tokens):
        if token.token_type is TokenType.NULL:
            before, after = kind(number - 1), kind(number + 1)
            if before in _COMPARED:
                yield Problem(between(number - 1, number), _NEVER, _instead(_COMPARED[before]))
            elif after in _COMPARED and before not in (TokenType.IS, TokenType.NOT):
                yield Problem(between(number, number + 1), _NEVER, _instead(_COMPARED[after]))
            elif before is TokenType.WHEN and after is TokenType.THEN:
                yield Problem(between(number - 1, number), "no row comes to this WHEN: nothing equals NULL", "write WHEN … IS NULL")
            elif before in _LISTED and after in _LISTED and (said := next((n for a, b, n in lists if a < number < b), None)):
                cause = "NOT IN a list with NULL is true of no row" if said == "NOT IN" else "nothing equals the NULL of a list"
                yield Problem(between(number, number), cause, "leave it out; rows without a value are found by IS NULL")
        elif token.token_type is TokenType.VAR and token.text.upper() == "FINAL" and _is_alias(tokens, number):
            cause = "`FINAL` would be another name of the table here"
            yield Problem(between(number, number), cause, "leave it out: a table by MERGE has one row of each key")


def _instead(written: str) -> str:
    return f"write {written}" if written else "leave it out, or compare with a value"


def _lists_of_in(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Where each list behind IN begins and ends, and whether NOT stands before; of those that hold no parentheses."""
    for number, token in enumerate(tokens[:-1]):
        if token.token_type is TokenType.IN and tokens[number + 1].token_type is TokenType.L_PAREN:
            closing = next((n for n in range(number + 2, len(tokens)) if tokens[n].token_type in _LISTED - {TokenType.COMMA}), None)
            if closing is not None and tokens[closing].token_type is TokenType.R_PAREN:
                negated = number > 0 and tokens[number - 1].token_type is TokenType.NOT
                yield number + 1, closing, "NOT IN" if negated else "IN"


def _is_alias(tokens: Sequence[Token], number: int) -> bool:
    """Whether a word stands behind a table's name, and is no name that the query uses."""
    word = tokens[number].text.upper()
    uses = (following.token_type is TokenType.DOT and token.text.upper() == word for token, following in pairwise(tokens))
    return number > 1 and tokens[number - 2].token_type in _IN_FROM and not any(uses)
