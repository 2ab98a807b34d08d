"""A query in Trino's SQL, as its text alone tells it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import TokenType, exp
from sqlglot.tokenizer_core import Token

from language.sql.called_query import CalledQuery
from language.text.diagnostics import Problem

_BEGINS = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN))
_BEFORE_A_VALUE = frozenset(
    (TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.EQ, TokenType.DPIPE, TokenType.L_BRACKET, TokenType.IN)
)


_READ_OTHERWISE = frozenset((TokenType.DCOLON, TokenType.L_BRACKET, TokenType.INTERVAL, TokenType.LIMIT, TokenType.OFFSET))


@dataclass(frozen=True, eq=False)
class TrinoQuery(CalledQuery):
    dialect: str = "trino"

    def check_words(self) -> None:
        """Raises Problem for what other engines write and Trino does not read, though sqlglot does."""
        tokens = self.tokens
        if tokens and tokens[0].token_type not in _BEGINS:
            place = self.within(tokens[0].start, tokens[0].end + 1)
            raise Problem(place, "Trino's queries begin with SELECT", "write SELECT … FROM …")
        limited = -1
        for number, token in enumerate(tokens):
            kind, wrong = token.token_type, ("", "")
            if kind not in _READ_OTHERWISE:
                continue
            before, after = tokens[number - 1] if number else None, tokens[number + 1] if number + 1 < len(tokens) else None
            if kind == TokenType.DCOLON:
                wrong = "Trino has no `::`", "write CAST(… AS …)"
            elif kind == TokenType.L_BRACKET and (before is None or before.token_type in _BEFORE_A_VALUE):
                wrong = "Trino writes lists otherwise", "write ARRAY[…]"
            elif kind == TokenType.INTERVAL and after is not None and not _is_one_number(after):
                wrong = "Trino writes intervals otherwise", "write INTERVAL '1' DAY, the number alone in quotes"
            elif kind == TokenType.LIMIT:
                limited = token.start
            elif kind == TokenType.OFFSET and limited >= 0:
                wrong = "OFFSET stands behind LIMIT", "write OFFSET before LIMIT"
            if wrong[0]:
                raise Problem(self.within(token.start, token.end + 1), *wrong)

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them."""
        for star in self.of_kind(exp.Star):
            if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                raise Problem(self.place(star), "Trino's `*` leaves no column out", "name the columns")


def _is_one_number(token: Token) -> bool:
    """Whether an interval's text is a number alone: its unit stands beside it."""
    return token.token_type == TokenType.STRING and token.text.strip("+- ").replace(".", "").isdigit()
