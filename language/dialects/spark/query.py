"""A query in Spark's SQL, as its text alone tells it.

Its texts and names are written as in all of a program, 'it''s' and "a name". Spark itself means others by a backslash in a text, by
two quotes within one, and by double quotes, so the slice writes them as Spark does, and sqlglot is given a text of the same length
that it reads so.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from language.sql.dialect import sqlglot_dialect
from language.sql.parsed import ParsedQuery, of_kind
from language.sql.query import BATCH_BOUNDS, Places
from language.text.diagnostics import Problem, Span

_BEFORE_A_GAP = frozenset((TokenType.SELECT, TokenType.L_PAREN))
_AFTER_A_GAP = frozenset((TokenType.COMMA, TokenType.R_PAREN, TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY))
_BEGINS = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN))
_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<strange>`|\b[eErRxXbB](?=')|\$\w*\$)""", re.DOTALL)
_STRANGE = {
    "`": ("a name is not quoted by backticks in a program", 'write it in double quotes, "a name", or plainly'),
    "$": ("a text is not written so for Spark", "write it in single quotes, 'it''s'"),
    "'": ("a text has no letter before it here", "write it in single quotes, 'it''s'; a backslash means itself"),
}
_ANONYMOUS = " /* sqlglot.anonymous */"  # after a call: sqlglot then keeps its name and the order of its arguments


@dataclass(frozen=True, eq=False)
class SparkQuery(ParsedQuery):
    dialect: str = "spark"

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "bounds": self.bounds}

    def read_tree(self) -> exp.Query:
        """The query with its calls as they were written."""
        calls = [*_ends_of_calls(self._tokens)]
        text, marked, done = self.as_parsed, "", 0
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

    @cached_property
    def as_parsed(self) -> str:
        return _ENCLOSED.sub(lambda found: _as_parsed(found[0]), self.span.text)

    @cached_property
    def _tokens(self) -> list[Token]:
        try:
            return sqlglot.tokenize(self.as_parsed, read=sqlglot_dialect(self.dialect))
        except SqlglotError:
            return []

    @property
    def uses_batch_bounds(self) -> bool:
        return bool(self.bounds)

    @cached_property
    def bounds(self) -> Places:
        found = []
        for name, opening, closing in zip(self._tokens, self._tokens[1:], self._tokens[2:], strict=False):
            call = (opening.token_type, closing.token_type) == (TokenType.L_PAREN, TokenType.R_PAREN)
            if call and name.token_type == TokenType.VAR and name.text.lower() in BATCH_BOUNDS:
                found.append((self.within(name.start, closing.end + 1), name.text.lower()))
        return tuple(found)

    def check_commas(self) -> None:
        """Raises Problem for a list with a gap, which sqlglot passes over."""
        for before, token in zip(self._tokens, self._tokens[1:], strict=False):
            gap = before.token_type == TokenType.COMMA and token.token_type in _AFTER_A_GAP
            if gap or (token.token_type == TokenType.COMMA and before.token_type in _BEFORE_A_GAP):
                raise Problem(self.within(token.start, token.end + 1), "something is missing before this", "remove the comma")

    def check_words(self) -> None:
        """Raises Problem for what other engines write and Spark does not read, though sqlglot does."""
        for found in _ENCLOSED.finditer(self.span.text):
            if word := found["strange"]:
                raise Problem(self.within(found.start(), found.end()), *_STRANGE[word[0] if word[0] in _STRANGE else "'"])
            if found[0].startswith('"') and "`" in found[0]:
                raise Problem(self.within(found.start(), found.end()), "no name has a backtick for Spark", "give it another name")
        tokens = self._tokens
        if tokens and tokens[0].token_type not in _BEGINS:
            place = self.within(tokens[0].start, tokens[0].end + 1)
            raise Problem(place, "a query for Spark begins with SELECT here", "write SELECT … FROM …")
        for before, token in pairwise(tokens):
            place = self.within(token.start, token.end + 1)
            if token.token_type == before.token_type == TokenType.STRING:
                raise Problem(place, "two texts stand beside one another", "join them by ||")
            if token.token_type == TokenType.DCOLON:
                raise Problem(place, "Spark has no `::` before its version 4", "write CAST(… AS …)")
            if token.token_type == TokenType.QUALIFY:
                raise Problem(place, "Spark has no QUALIFY", "filter by WHERE in a query around this one")

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them."""
        for star in of_kind(self.nodes, exp.Star):
            if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                raise Problem(self.place(star), "a `*` that leaves columns out is not known here", "name the columns")

    def within(self, start: int, end: int) -> Span:
        return Span(self.span.source, self.span.start + start, self.span.start + end)


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


def read(span: Span) -> SparkQuery:
    """The query at `span`; it must be one SELECT or set operation over tables. Raises Problem where it is not."""
    query = SparkQuery(span)
    query.check_words()
    query.check_reads()
    query.check_commas()
    query.check_stars()
    for node in of_kind(query.nodes, exp.Table, exp.Placeholder, exp.Parameter):
        if not isinstance(node, exp.Table):
            raise Problem(query.place(node), "a query has no parameters: nobody would give their values", "write the values")
        if isinstance(node.this, exp.Func):
            cause = f"`{query.place(node.this).text}` reads what no FROM clause names"
            raise Problem(query.place(node), cause, "collect it into a warehouse with INSERT INTO, and read that")
    return query


def _as_parsed(piece: str) -> str:
    """A comment, text or quoted name as sqlglot's Spark reads it, of the same length."""
    if piece[0] == "'":
        return "'" + piece[1:-1].replace("''", "__").replace("\\", "_") + "'"
    return "`" + piece[1:-1] + "`" if piece[0] == '"' else piece
