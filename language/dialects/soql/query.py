"""A collect query in SOQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from language.sql.one_table import OneTableQuery
from language.text.diagnostics import Span
from shared_metadata.soql import LITERAL


@dataclass(frozen=True, eq=False)
class SoqlQuery(OneTableQuery):
    dialect: str = "soql"

    @property
    def as_parsed(self) -> str:
        return LITERAL.sub(_placeholder, self.span.text)


def read(span: Span) -> SoqlQuery:
    """The query at `span`. Raises Problem where it is not one query that only reads."""
    query = SoqlQuery(span)
    query.check_reads()
    query.check_commas()
    return query


def _placeholder(match: re.Match[str]) -> str:
    """A name as long as the literal, so that places stay right."""
    return match.group() if match["string"] else "d".ljust(len(match.group()), "_")
