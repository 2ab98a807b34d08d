"""MySQL's SQL, as reading by parts asks for it; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn
from systems.mysql.catalog import text_literal

SOURCE = "source"  # what DuckDB calls the database
_NUMBERS = ("boolean", "int", "long", "float", "double")


class MysqlDialect:
    """The Dialect of systems/sql_source."""

    as_text_remedy = "collect a view that reads the column as text: CAST(column AS CHAR)"

    def within(self, first: int, end: int | None) -> Sequence[str]:
        raise NotImplementedError("tables are read by ranges of a key")

    def any_of(self, condition: str) -> str:
        return f"MAX({condition})"

    def as_text(self, expression: str) -> str:
        return f"CAST({expression} AS CHAR)"

    def joined(self, texts: Sequence[str]) -> str:
        return f"CONCAT_WS(', ', {', '.join(texts)})"

    def document(self, values: Mapping[str, str]) -> str:
        listed = ", ".join(f"{text_literal(name)}, {value}" for name, value in values.items())
        return f"CAST(JSON_OBJECT({listed}) AS CHAR)"

    def shown(self, column: str, expression: str, kind: str, misfit: str) -> str:
        """Bytes are written as hex digits, and numbers without the zeros that a column fills them up with."""
        if kind == "binary":
            return f"HEX({column})"
        if kind in _NUMBERS:
            return f"({column} + 0)"
        return f"CAST({column} AS CHAR)" if misfit else expression

    def answer(self, sql: str) -> str:
        return f"mysql_query({literal(SOURCE)}, {literal(sql)})"

    def read(self, value: str, column: SchemaColumn) -> str:
        return f"CAST({value} AS {duckdb_type(column.type)})"


DIALECT = MysqlDialect()
