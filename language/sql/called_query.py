"""A query that sqlglot reads, in which each call is kept as it was written: it knows functions of its own in place of many."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.tokenizer_core import Token

from language.sql.dialect import sqlglot_dialect
from language.sql.engines import TRIPPED
from language.sql.parsed import ParsedQuery
from language.sql.query import BATCH_BOUNDS, Places
from language.text.diagnostics import Problem, Span

_ANONYMOUS = " /* sqlglot.anonymous */"  # after a call: sqlglot then keeps its name and the order of its arguments


@dataclass(frozen=True, eq=False)
class CalledQuery(ParsedQuery):
    """See `ParsedQuery`."""

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "bounds": self.bounds}

    def read_tree(self) -> exp.Query:
        """The query with its calls as they were written."""
        calls = [*_ends_of_calls(self.tokens)]
        text, marked, done = self.as_parsed, "", 0
        for end in calls:
            marked, done = f"{marked}{text[done:end]}{_ANONYMOUS}", end
        try:
            tree = sqlglot.parse_one(marked + text[done:], dialect=sqlglot_dialect(self.dialect))
        except TRIPPED:
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
        found, said = list[tuple[Span, str]](), self.span.text.lower()
        if not any(bound in said for bound in BATCH_BOUNDS):  # as in most queries
            return ()
        for name, opening, closing in zip(self.tokens, self.tokens[1:], self.tokens[2:], strict=False):
            call = (opening.token_type, closing.token_type) == (TokenType.L_PAREN, TokenType.R_PAREN)
            if call and name.token_type == TokenType.VAR and name.text.lower() in BATCH_BOUNDS:
                found.append((self.within(name.start, closing.end + 1), name.text.lower()))
        return tuple(found)

    def adds_up_by(self, interval_seconds: int) -> str:
        """Not told of these dialects."""
        return ""

    def check_words(self) -> None:
        """Raises Problem for what other engines write and this one does not read, though sqlglot does."""

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them, where the engine has none."""

    def check(self) -> None:
        """Raises Problem where it is not one SELECT or set operation over tables."""
        self.check_words()
        self.check_reads()
        self.check_commas()
        self.check_stars()
        for node in self.of_kind(exp.Table):
            if isinstance(node.this, exp.Func):
                cause = f"`{self.place(node.this).text}` reads what no FROM clause names"
                raise Problem(self.place(node), cause, "collect it into a warehouse with INSERT INTO, and read that")


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
        meta = node.meta
        for key in ("start", "end") if "start" in meta else ():
            meta[key] -= bisect_right(marks, meta[key]) * len(_ANONYMOUS)
        node.comments = None
