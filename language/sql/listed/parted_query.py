"""A query whose dialect names parts of dates plainly, as DATEADD(day, …), and reads an escape in a text.

Its texts are written as in all of a program, and a backslash in one means itself: the slice doubles it. A part of a date is no
column; sqlglot is given a number of the same length in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from sqlglot import TokenType, exp

from language.sql.called_query import CalledQuery
from language.text.diagnostics import Problem

_BEGINS = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN))
_STRANGE = {
    "`": ("a name is not quoted by backticks in a program", 'write it in double quotes, "a name", or plainly'),
    "$": ("a text is not written so here", "write it in single quotes, 'it''s'"),
    "'": ("a text has no letter before it here", "write it in single quotes, 'it''s'; a backslash means itself"),
}


def pieces(*calls: str) -> re.Pattern[str]:
    """Comments, texts, names in quotes, what is not written so here, and parts of dates.  calls: whose first argument is one."""
    return re.compile(
        r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<strange>`|\b[eErRxXbB](?=')|\$\w*\$)"""
        rf"""|(?P<call>\b(?:{"|".join(calls)})\s*\(\s*)(?P<part>\w+)(?=\s*,)""",
        re.DOTALL | re.IGNORECASE,
    )


@dataclass(frozen=True, eq=False)
class PartedQuery(CalledQuery):
    """engine: as messages call it.  pieces: see `pieces`.  parts: of a date, each of which may end in an s."""

    engine: ClassVar[str]
    pieces: ClassVar[re.Pattern[str]]
    parts: ClassVar[frozenset[str]]

    @cached_property
    def as_parsed(self) -> str:
        return self.pieces.sub(_as_parsed, self.span.text)

    def check_words(self) -> None:
        """Raises Problem for what other engines write and this one does not read, though sqlglot does."""
        for found in self.pieces.finditer(self.span.text):
            if word := found["strange"]:
                raise Problem(self.within(found.start(), found.end()), *_STRANGE[word[0] if word[0] in _STRANGE else "'"])
            if found["call"] and found["part"].lower().removesuffix("s") not in self.parts:
                place = self.within(found.start("part"), found.end("part"))
                raise Problem(place, f"`{found['part']}` is no part of a date", f"write one of {', '.join(sorted(self.parts))}")
        tokens = self.tokens
        if tokens and tokens[0].token_type not in _BEGINS:
            place = self.within(tokens[0].start, tokens[0].end + 1)
            raise Problem(place, f"a query for {self.engine} begins with SELECT here", "write SELECT … FROM …")
        for token in tokens:
            if token.token_type == TokenType.QUALIFY:
                place = self.within(token.start, token.end + 1)
                raise Problem(place, "QUALIFY is not known here", "filter by WHERE in a query around this one")
        for node in self.of_kind(exp.Distinct):
            if node.args.get("on") is not None:
                raise Problem(self.place(node), f"{self.engine} has no DISTINCT ON", "keep where row_number() OVER (…) is 1")
        self.check_within()

    def check_within(self) -> None:
        """Raises Problem for an order of what is aggregated that does not stand behind LISTAGG, as WITHIN GROUP."""
        for node in self.of_kind(exp.Order):
            before, called = node.parent, node.find_ancestor(exp.Func)
            if isinstance(before, exp.WithinGroup):
                called = before.this
            elif not isinstance(before, exp.Func):
                continue
            listed = isinstance(called, exp.GroupConcat) or (isinstance(called, exp.Anonymous) and called.name.upper() == "LISTAGG")
            if not listed or (isinstance(before, exp.Anonymous)):
                raise Problem(self.place(node), "only what LISTAGG joins has an order", "write LISTAGG(…) WITHIN GROUP (ORDER BY …)")

    def check_stars(self) -> None:
        """Raises Problem for a `*` that leaves columns out, or says others for them."""
        for star in self.of_kind(exp.Star):
            if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                raise Problem(self.place(star), "a `*` that leaves columns out is not known here", "name the columns")


def _as_parsed(found: re.Match[str]) -> str:
    """What stands there as sqlglot reads it, of the same length."""
    piece = found[0]
    if found["call"]:
        return str(found["call"]) + "0" * len(found["part"])
    return "'" + piece[1:-1].replace("\\", "_") + "'" if piece[0] == "'" else piece
