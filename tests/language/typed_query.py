"""One query typed by itself, as the compiler's typing pass does it, and the text that runs."""

from __future__ import annotations

from collections.abc import Mapping

from language.dialects.duckdb.query import DuckDBQuery, parse_warehouse_query
from language.sql.dialect import as_source
from language.sql.dialect import dialect as declared
from language.sql.edits import edited
from language.sql.typing import TypedQuery
from language.text.diagnostics import SourceText, Span
from shared_metadata.program.schema import SchemaColumn

Columns = Mapping[str, Mapping[str, str]]


def typed(sql: str, tables: Columns, dialect: str = "duckdb") -> TypedQuery:
    """tables: name as in FROM ▸ column ▸ type (a schema's; for a source's dialect, the source's own word)."""
    schemas = {name: _schema(columns, dialect) for name, columns in tables.items()}
    if (warehouse := declared(dialect).warehouse) is not None:
        found: TypedQuery = warehouse.type(warehouse.read(_span(sql)), schemas)
        return found
    query = as_source(dialect).read(_span(sql))
    return as_source(dialect).type(query, {reference.parts: ".".join(reference.folded) for reference in query.tables}, schemas)


def pinned(sql: str, tables: Columns, dialect: str = "duckdb") -> str:
    """The query's text as it runs: of all columns of a table only those that there are now."""
    found = typed(sql, tables, dialect)
    assert not found.problems, found.problems
    source = _span(sql).source
    edits = [(Span(source, start, end), text) for start, end, text in found.edits]
    return edited(Span(edits[0][0].source, 0, len(sql)), edits) if edits else sql


def warehouse_query(sql: str) -> DuckDBQuery:
    return parse_warehouse_query(_span(sql))


def _span(sql: str) -> Span:
    return Span(SourceText("q.sql", sql), 0, len(sql))


def _schema(columns: Mapping[str, str], dialect: str) -> tuple[SchemaColumn, ...]:
    if declared(dialect).warehouse is not None:
        return tuple(SchemaColumn(name, kind) for name, kind in columns.items())
    return tuple(SchemaColumn(name.lower(), "string", source=name, source_type=kind) for name, kind in columns.items())
