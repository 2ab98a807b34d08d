"""MySQL's SQL, as reading by parts asks for it; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn
from systems.mysql.catalog import text_literal

SOURCE = "source"  # what DuckDB calls the database
_NUMBERS = ("boolean", "int", "long", "float", "double")
_FIRST_MOMENT = "TIMESTAMP '0001-01-01'"
_DAYS = {"date": "DATE '0001-01-01'", "timestamp": _FIRST_MOMENT, "timestamptz": _FIRST_MOMENT}  # types ▸ the first value


class MysqlDialect:
    """The Dialect of systems/sql_source."""

    as_text_remedy = "collect a view that reads the column as text: CAST(column AS CHAR)"
    of_nothing, first_row = "", "LIMIT 1"

    def within(self, first: int, end: int | None, edges: Sequence[str]) -> Sequence[str]:
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
        return f"CAST({column} AS CHAR)" if misfit or expression == column else expression

    def answer(self, sql: str) -> str:
        return f"mysql_query({literal(SOURCE)}, {literal(sql)})"

    def digest(self, values: Sequence[str]) -> str:
        listed = ", ".join(f"CAST({value} AS BINARY)" for value in values)
        return f"CONCAT(COUNT(*), ' ', COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS(',', {listed})), 15), 16, 10) AS UNSIGNED)), 0))"

    def beside(self, values: Sequence[tuple[str, SchemaColumn]]) -> str:
        """How many days are null: DuckDB takes a zero date for one, and looking at each costs the server as much as reading it."""
        return " + ".join(f"({value} IS NULL)" for value, column in values if column.type in _DAYS)

    def held(self, columns: Sequence[SchemaColumn]) -> str:
        numbered = [(f"c{number}", column.type) for number, column in enumerate(columns)]
        days = [(value, _DAYS[kind]) for value, kind in numbered if kind in _DAYS]
        wrong = [f"beside <> {' + '.join(f'({value} IS NULL)::BIGINT' for value, _ in days)}"] if days else []
        wrong += [f"{value} < {first}" for value, first in days]  # of the year 0; one with a month or a day 0 DuckDB refuses itself
        wrong += [f"{value} NOT IN (0, 1)" for value, kind in numbered if kind == "boolean"]
        return f"CASE WHEN {' OR '.join(wrong)} THEN error('none of its type') ELSE true END" if wrong else ""

    def read(self, value: str, column: SchemaColumn) -> str:
        """The session is in UTC, where a cast would look up each moment's time zone. A text whose collation compares bytes comes as
        bytes, which DuckDB knows before it reads."""
        if column.type == "timestamptz":
            return f"make_timestamptz(epoch_us({value}))"
        if column.type == "string":
            return f"CASE WHEN typeof({value}) = 'BLOB' THEN decode(CAST({value} AS BLOB)) ELSE CAST({value} AS VARCHAR) END"
        return f"CAST({value} AS {duckdb_type(column.type)})"


DIALECT = MysqlDialect()
