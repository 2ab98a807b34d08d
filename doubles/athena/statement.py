"""Reads the text of a query: a SELECT, or an INSERT of one, with its calls as they were written.

sqlglot parses; it would bring calls into words of its own, which is guessing, so each is marked as to be left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token

from doubles.athena.errors import Refused, invalid, unknown
from doubles.athena.kinds import literal

_MARK = " /* sqlglot.anonymous */"
_MOMENT = re.compile(r"[0-9-]+(?: [0-9]+:[0-9]+(?::[0-9]+(\.[0-9]+)?)?)?( ?[A-Za-z+-].*)?")


def parsed(text: str) -> exp.Expr:
    """A SELECT, a set operation or an INSERT. Raises Refused for what is no statement, QueryFailed for any other one."""
    try:
        tokens = sqlglot.tokenize(text, read="trino")
    except SqlglotError as error:
        raise _malformed(f"line 1:1: {error}") from None
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        text, tokens = text[: tokens[-1].start], tokens[:-1]
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise invalid("Only one sql statement is allowed. Got: " + text, AthenaErrorCode="MALFORMED_QUERY")
    tree = _tree(_marked(text, tokens))
    for node in tree.walk():
        node.comments = None
    if isinstance(tree, exp.Query) or (isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Query)):
        return tree
    raise unknown(f"the statement {tokens[0].text.upper() if tokens else ''}")


def _tree(marked: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(marked, dialect="trino")
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        place = f"line {found.get('line', 1)}:{found.get('col', 1)}"
        raise _malformed(f"{place}: mismatched input '{found.get('highlight', '')}'") from None
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        raise _malformed("line 1:1: mismatched input") from None


def _malformed(message: str) -> Refused:
    return invalid(message, AthenaErrorCode="MALFORMED_QUERY")


def _marked(text: str, tokens: list[Token]) -> str:
    """The text with a mark after each call, and with moments as casts to as many digits of a second as they have."""
    edits = [(end, end, _MARK) for end in _ends_of_calls(tokens)]
    for word, value in pairwise(tokens):
        if word.token_type == TokenType.TIMESTAMP and value.token_type == TokenType.STRING:
            edits.append((word.start, value.end + 1, _moment(value.text)))
    done, parts = 0, []
    for start, end, new in sorted(edits):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])


def _moment(text: str) -> str:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise unknown(f"the moment {literal(text)}")
    zone = " with time zone" if found[2] else ""
    return f"CAST({literal(text)} AS timestamp({len(found[1] or '.') - 1}){zone})"


def _ends_of_calls(tokens: list[Token]) -> Iterator[int]:
    """Where each pair of parentheses ends that follows a word."""
    opened: list[bool] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.token_type == TokenType.L_PAREN:
            opened.append(before is not None and before.text[:1].isalpha())
        elif token.token_type == TokenType.R_PAREN and opened and opened.pop():
            yield token.end + 1
