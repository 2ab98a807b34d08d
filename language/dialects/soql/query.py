"""A collect query in SOQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from language.sql.one_table import OneTableQuery, is_of, projection
from language.sql.projection import CollectedQuery
from language.text.diagnostics import Problem, Span
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


def collected(query: SoqlQuery) -> CollectedQuery:
    """What of the query the slice runs; nothing in it casts."""
    found = projection(query)
    return CollectedQuery(found if isinstance(found, Problem) else _refused(query) or found)


def _refused(query: SoqlQuery) -> Problem | None:
    """The first thing in the WHERE that no batch can ask for: another time each day, or a field of another object."""
    where, text = query.tree.args.get("where"), query.where()
    for literal in LITERAL.finditer(text.text) if text is not None else ():
        if text is not None and literal["relative"]:
            place = Span(text.source, text.start + literal.start(), text.start + literal.end())
            remedy = "write the moment itself, as in 2026-01-31T00:00:00Z, or filter by batch_end() in a view"
            return Problem(place, f"`{literal['relative']}` is another time each day", remedy)
    for column in where.find_all(exp.Column) if where is not None else ():
        if not is_of(column, query.tables[0]):
            place = query.place(column)
            remedy = "collect that object by itself, and filter in a view that joins the two"
            return Problem(place, f"`{place.text}` is a field of another object, whose changes change no record of this one", remedy)
    return None


def _placeholder(match: re.Match[str]) -> str:
    """A name as long as the literal, so that places stay right."""
    return match.group() if match["string"] else "d".ljust(len(match.group()), "_")
