"""Texts of a program where sqlglot has its dialect's: a backslash escapes there, and in a program means itself."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.dialect import sqlglot_dialect

_TEXT = re.compile(r"'(?:[^']|'')*'")


def tree(query: CalledQuery) -> exp.Query:
    """A query's tree with its constants: sqlglot is given other texts than the program has, at the same places."""
    for node in query.tree.find_all(exp.Literal):
        if node.is_string and "start" in node.meta:
            text = _TEXT.match(query.span.text, node.meta["start"])
            if text:
                node.set("this", text[0][1:-1].replace("''", "'"))
    return query.tree


def spelled(text: str, name: str) -> str:
    """What sqlglot writes in a dialect with texts and names as a program has them."""
    dialect, pieces, done = sqlglot_dialect(name), list[str](), 0
    for token in dialect.tokenize(text):
        mark = {sqlglot.TokenType.STRING: "'", sqlglot.TokenType.IDENTIFIER: '"'}.get(token.token_type)
        if mark:
            pieces += text[done : token.start], mark, token.text.replace(mark, mark * 2), mark
            done = token.end + 1
    return "".join((*pieces, text[done:]))
