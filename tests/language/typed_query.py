"""One query typed by itself, as the compiler's typing pass does it, and its text with every star spelled out."""

from __future__ import annotations

from collections.abc import Mapping

from language.diagnostics import SourceText, Span
from language.queries import ParsedQuery, closed, edited, parse_query
from language.query_typing import TypedQuery, type_query
from shared_metadata.records import SchemaColumn

Columns = Mapping[str, Mapping[str, str]]


def typed(sql: str, tables: Columns, dialect: str = "duckdb") -> TypedQuery:
    """tables: name as in FROM ▸ column ▸ type (a schema's; for a source's dialect, the source's own word)."""
    query = parsed(sql, dialect)
    references = {id(reference.node): ".".join(reference.folded) for reference in query.tables}
    return type_query(query.tree, references, dialect, {name: _schema(columns, dialect) for name, columns in tables.items()})


def parsed(sql: str, dialect: str = "duckdb") -> ParsedQuery:
    return parse_query(Span(SourceText("q.sql", sql), 0, len(sql)), dialect)


def pinned(sql: str, tables: Columns, dialect: str = "duckdb") -> str:
    """The query's text with each star's columns in its place."""
    query, found = parsed(sql, dialect), typed(sql, tables, dialect)
    assert not found.problems, found.problems
    edits = [(closed(Span(query.span.source, start, end), query), text) for start, end, text in found.edits]
    return edited(query.span, edits)


def _schema(columns: Mapping[str, str], dialect: str) -> tuple[SchemaColumn, ...]:
    if dialect == "duckdb":
        return tuple(SchemaColumn(name, kind) for name, kind in columns.items())
    return tuple(SchemaColumn(name.lower(), "string", source=name, source_type=kind) for name, kind in columns.items())
