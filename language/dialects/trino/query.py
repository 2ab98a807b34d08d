"""A query in Trino's SQL, as its text alone tells it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from language.sql.dialect import sqlglot_dialect
from language.sql.parsed import ParsedQuery, of_kind
from language.sql.query import BATCH_BOUNDS, Places
from language.text.diagnostics import Problem, Span

_BEGINS = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN))
_BEFORE_A_VALUE = frozenset(
    (TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.EQ, TokenType.DPIPE, TokenType.L_BRACKET, TokenType.IN)
)
_ANONYMOUS = " /* sqlglot.anonymous */"  # after a call: sqlglot then keeps its name and the order of its arguments


@dataclass(frozen=True, eq=False)
class TrinoQuery(ParsedQuery):
    dialect: str = "trino"

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "bounds": self.bounds}

    def read_tree(self) -> exp.Query:
        """The query with its calls as they were written."""
        calls = [*_ends_of_calls(self.tokens)]
        text, marked, done = self.span.text, "", 0
        for end in calls:
            marked, done = f"{marked}{text[done:end]}{_ANONYMOUS}", end
        try:
            tree = sqlglot.parse_one(marked + text[done:], dialect=sqlglot_dialect(self.dialect))
        except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            tree = None
        if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
            return super().read_tree()  # which says what is wrong, at its place
        _move_back(tree, [end + number * len(_ANONYMOUS) for number, end in enumerate(calls)])
        return tree

    @property
    def uses_batch_bounds(self) -> bool:
        return bool(self.bounds)

    @cached_property
    def bounds(self) -> Places:
        found = []
        for name, opening, closing in zip(self.tokens, self.tokens[1:], self.tokens[2:], strict=False):
            call = (opening.token_type, closing.token_type) == (TokenType.L_PAREN, TokenType.R_PAREN)
            if call and name.token_type == TokenType.VAR and name.text.lower() in BATCH_BOUNDS:
                found.append((self.within(name.start, closing.end + 1), name.text.lower()))
        return tuple(found)

    def check_words(self) -> None:
        """Raises Problem for what other engines write and Trino does not read, though sqlglot does."""
        tokens = self.tokens
        if tokens and tokens[0].token_type not in _BEGINS:
            place = self.within(tokens[0].start, tokens[0].end + 1)
            raise Problem(place, "Trino's queries begin with SELECT", "write SELECT … FROM …")
        limited = -1
        for number, token in enumerate(tokens):
            before, after = tokens[number - 1] if number else None, tokens[number + 1] if number + 1 < len(tokens) else None
            place = self.within(token.start, token.end + 1)
            if token.token_type == TokenType.DCOLON:
                raise Problem(place, "Trino has no `::`", "write CAST(… AS …)")
            if token.token_type == TokenType.L_BRACKET and (before is None or before.token_type in _BEFORE_A_VALUE):
                raise Problem(place, "Trino writes lists otherwise", "write ARRAY[…]")
            if token.token_type == TokenType.INTERVAL and after is not None and not _is_one_number(after):
                raise Problem(place, "Trino writes intervals otherwise", "write INTERVAL '1' DAY, the number alone in quotes")
            if token.token_type == TokenType.LIMIT:
                limited = token.start
            if token.token_type == TokenType.OFFSET and limited >= 0:
                raise Problem(place, "OFFSET stands behind LIMIT", "write OFFSET before LIMIT")

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them."""
        for star in of_kind(self.nodes, exp.Star):
            if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                raise Problem(self.place(star), "Trino's `*` leaves no column out", "name the columns")


def _ends_of_calls(tokens: list[Token]) -> Iterator[int]:
    """Where each pair of parentheses ends before which a name stands."""
    opened: list[bool] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.token_type == TokenType.L_PAREN:
            opened.append(before is not None and before.text.replace("_", "a").isalnum() and not before.text[0].isdigit())
        elif token.token_type == TokenType.R_PAREN and opened and opened.pop():
            yield token.end + 1


def _move_back(tree: exp.Expr, marks: list[int]) -> None:
    """Makes places those of the text without marks.  marks: where each begins in the text that was parsed."""
    for node in tree.walk():
        for key in ("start", "end"):
            if key in node.meta:
                node.meta[key] -= bisect_right(marks, node.meta[key]) * len(_ANONYMOUS)
        node.comments = None


def read(span: Span) -> TrinoQuery:
    """The query at `span`; it must be one SELECT or set operation over tables. Raises Problem where it is not."""
    query = TrinoQuery(span)
    query.check_words()
    query.check_reads()
    query.check_commas()
    query.check_stars()
    for node in of_kind(query.nodes, exp.Table):
        if isinstance(node.this, exp.Func):
            cause = f"`{query.place(node.this).text}` reads what no FROM clause names"
            raise Problem(query.place(node), cause, "collect it into a warehouse with INSERT INTO, and read that")
    return query


def _is_one_number(token: Token) -> bool:
    """Whether an interval's text is a number alone: its unit stands beside it."""
    return token.token_type == TokenType.STRING and token.text.strip("+- ").replace(".", "").isdigit()
