"""A query in Spark's SQL, as its text alone tells it.

Its texts and names are written as in all of a program, 'it''s' and "a name". Spark itself means others by a backslash in a text, by
two quotes within one, and by double quotes, so the slice writes them as Spark does, and sqlglot is given a text of the same length
that it reads so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from sqlglot import TokenType, exp
from sqlglot.tokenizer_core import Token

from language.sql.called_query import CalledQuery
from language.text.diagnostics import Problem

_BEGINS = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN))
_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<strange>`|\b[eErRxXbB](?=')|\$\w*\$)""", re.DOTALL)
_STRANGE = {
    "`": ("a name is not quoted by backticks in a program", 'write it in double quotes, "a name", or plainly'),
    "$": ("a text is not written so here", "write it in single quotes, 'it''s'"),
    "'": ("a text has no letter before it here", "write it in single quotes, 'it''s'; a backslash means itself"),
}


@dataclass(frozen=True, eq=False)
class SparkQuery(CalledQuery):
    """engine: as messages call it.  unknown: the words that it does not read, or that are not known here."""

    engine: ClassVar[str] = "Spark"
    unknown: ClassVar[Mapping[TokenType, tuple[str, str]]] = {
        TokenType.DCOLON: ("Spark has no `::` before its version 4", "write CAST(… AS …)"),
        TokenType.FETCH: ("Spark has no FETCH FIRST", "write LIMIT"),
        TokenType.QUALIFY: ("Spark has no QUALIFY", "filter by WHERE in a query around this one"),
    }
    dialect: str = "spark"

    @cached_property
    def as_parsed(self) -> str:
        return _ENCLOSED.sub(lambda found: _as_parsed(found[0]), self.span.text)

    def check_words(self) -> None:
        """Raises Problem for what other engines write and this one does not read, though sqlglot does."""
        for found in _ENCLOSED.finditer(self.span.text):
            if word := found["strange"]:
                raise Problem(self.within(found.start(), found.end()), *_STRANGE[word[0] if word[0] in _STRANGE else "'"])
            if found[0].startswith('"') and "`" in found[0]:
                raise Problem(
                    self.within(found.start(), found.end()), f"no name has a backtick for {self.engine}", "give it another name"
                )
        tokens = self.tokens
        if tokens and tokens[0].token_type not in _BEGINS:
            place = self.within(tokens[0].start, tokens[0].end + 1)
            raise Problem(place, f"a query for {self.engine} begins with SELECT here", "write SELECT … FROM …")
        before = None
        for token in tokens:
            kind = token.token_type
            if kind == before == TokenType.STRING:
                raise Problem(self.within(token.start, token.end + 1), "two texts stand beside one another", "join them by ||")
            if kind in self.unknown:
                raise Problem(self.within(token.start, token.end + 1), *self.unknown[kind])
            before = kind
        self._check_parameters(tokens)

    def _check_parameters(self, tokens: Sequence[Token]) -> None:
        if "->" not in self.span.text:
            return
        for opening, _, closing, arrow in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
            kinds = opening.token_type, closing.token_type, arrow.token_type
            if kinds == (TokenType.L_PAREN, TokenType.R_PAREN, TokenType.ARROW):
                place = self.within(opening.start, closing.end + 1)
                raise Problem(place, f"{self.engine} has no parentheses around one parameter", "write x -> …")

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them."""
        for star in self.of_kind(exp.Star):
            if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                raise Problem(self.place(star), "a `*` that leaves columns out is not known here", "name the columns")


def _as_parsed(piece: str) -> str:
    """A comment, text or quoted name as sqlglot's Spark reads it, of the same length."""
    if piece[0] == "'":
        return "'" + piece[1:-1].replace("''", "__").replace("\\", "_") + "'"
    return "`" + piece[1:-1] + "`" if piece[0] == '"' else piece
