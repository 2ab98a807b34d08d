"""PostgreSQL's SQL, as reading by parts asks for it; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn
from slices.collect.postgres.nested import is_nested, read_document
from systems.sql_source.parts import LINES

SOURCE = "source"  # what DuckDB calls the database


class PostgresDialect:
    """The Dialect of systems/sql_source."""

    as_text_remedy = "SELECT column::text, of an array to_json(column)::text"
    of_nothing, first_row = "", "LIMIT 1"

    def within(self, first: int, end: int | None, edges: Sequence[str]) -> list[str]:
        return [f"ctid >= {_tid(first)}", *([f"ctid < {_tid(end)}"] if end is not None else [])]

    def any_of(self, condition: str) -> str:
        return f"bool_or({condition})"

    def as_text(self, expression: str) -> str:
        return f"{expression}::text"

    def joined(self, texts: Sequence[str]) -> str:
        return f"array_to_string(ARRAY[{', '.join(texts)}], ', ')"

    def document(self, values: Mapping[str, str]) -> str:
        listed = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
        return f"(SELECT row_to_json(d.*)::text FROM (SELECT {listed}) AS d)"  # d alone would be a column of that name

    def shown(self, column: str, expression: str, kind: str, misfit: str) -> str:
        """Bytes that are no text are written as \\ooo."""
        if kind not in ("string", "list<string>"):
            return column
        escaped = f"to_json(encode(convert_to({column}::text, 'SQL_ASCII'), 'escape'))"
        return f"CASE WHEN {misfit} AND current_setting('server_encoding') = 'SQL_ASCII' THEN {escaped} ELSE to_json({column}) END"

    def answer(self, sql: str) -> str:
        return f"postgres_query({literal(SOURCE)}, {literal(sql)})"

    def digest(self, values: Sequence[str]) -> str:
        listed = ", ".join(f"{value}::text" for value in values)
        return f"count(*) || ' ' || coalesce(sum(hashtextextended(concat_ws(',', {listed}), 0)), 0)"

    def beside(self, values: Sequence[tuple[str, SchemaColumn]]) -> str:
        return ""

    def held(self, columns: Sequence[SchemaColumn]) -> str:
        return ""

    def read(self, value: str, column: SchemaColumn) -> str:
        """A document that is cast comes as text."""
        if column.source_type == "jsonb" and is_nested(column.type):
            return read_document(value, column.type)
        return f"CAST({value} AS {duckdb_type(column.type)})"


DIALECT = PostgresDialect()


def _tid(position: int) -> str:
    page, line = divmod(position, LINES)
    return f"'({page},{line})'::tid"
