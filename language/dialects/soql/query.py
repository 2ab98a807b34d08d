"""A collect query in SOQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp

from language.sql.dialect import sqlglot_dialect
from language.sql.parsed import ParsedQuery
from language.sql.query import TableReference
from language.text.diagnostics import Span
from shared_metadata.soql import LITERAL


@dataclass(frozen=True, eq=False)
class SoqlQuery(ParsedQuery):
    dialect: str = "soql"

    @property
    def as_parsed(self) -> str:
        return LITERAL.sub(_placeholder, self.span.text)

    def column_names(self) -> Iterator[tuple[tuple[str, ...], tuple[Span, ...]]]:
        """The parts of each column's name, with their places."""
        for column in self.tree.find_all(exp.Column):
            parts = [part for part in column.parts if isinstance(part, exp.Identifier)]
            yield tuple(part.name for part in parts), tuple(map(self.place, parts))

    def name_at_source(self, reference: TableReference) -> str:
        """A table's name as its source means it, without the connection."""
        return ".".join(reference.parts[1:])

    def where(self) -> Span | None:
        """The text after the first WHERE that stands in no parentheses, to the query's end."""
        depth = 0
        for token in sqlglot.tokenize(self.span.text, read=sqlglot_dialect(self.dialect)):
            depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
            if depth == 0 and token.token_type is TokenType.WHERE:
                text = self.span.text[token.end + 1 :]
                return Span(self.span.source, self.span.end - len(text.lstrip()), self.span.end)
        return None


def read(span: Span) -> SoqlQuery:
    """The query at `span`. Raises Problem where it is not one query that only reads."""
    query = SoqlQuery(span)
    query.check_reads()
    return query


def _placeholder(match: re.Match[str]) -> str:
    """A name as long as the literal, so that places stay right."""
    return match.group() if match["string"] else "d".ljust(len(match.group()), "_")
