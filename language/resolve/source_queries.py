"""Collect queries, each read by the dialect of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from language.dialects.postgres.query import PostgresQuery, parse_postgres_query
from language.resolve.collect_query import projection as _projection
from language.sql.parsed import ParsedQuery
from language.sql.parsed import parse_source_query as _parse_source_query
from language.sql.projection import Projection
from language.text.diagnostics import Problem, Span


@dataclass(frozen=True)
class CollectedQuery:
    """What of a query the slice runs.

    projection: its columns and WHERE of one table; or what makes it more than that.
    casts: of each output column that it casts itself, the type as in a schema.  edits: take these casts out of the text.
    """

    projection: Projection | Problem
    casts: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[tuple[Span, str], ...] = ()


def parse_source_query(span: Span, dialect: str) -> ParsedQuery:
    """The query at `span`. Raises Problem where it is not one query that the dialect reads."""
    return parse_postgres_query(span) if dialect == "postgres" else _parse_source_query(span, dialect)


def collected_query(query: ParsedQuery) -> CollectedQuery:
    if not isinstance(query, PostgresQuery):
        return CollectedQuery(_projection(query))
    from language.dialects.postgres.declared_types import declared_types
    from language.dialects.postgres.projection import projection

    declared = declared_types(query)
    found = projection(query, list(declared.edits))
    return CollectedQuery(found or Projection("", (), ""), declared.types, declared.edits)
