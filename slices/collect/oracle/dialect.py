"""Oracle's SQL, as reading by parts asks for it; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn
from slices.collect.oracle.catalog import text_literal
from slices.collect.oracle.type_mapping import guard_of
from systems.sql_source.parts import LINES

ANSWER = "source_answer"  # what DuckDB calls the rows that a statement brings
_DAYS = ("timestamp", "timestamptz")
_SHOWN_BYTES = 1000  # of what is too long for a text
_HEX_DIGITS = 15  # of a digest, which are a number that a sum of many holds


class OracleDialect:
    """The Dialect of systems/sql_source."""

    as_text_remedy = "collect a view that reads the column as text: TO_CHAR(column)"
    of_nothing, first_row = " FROM DUAL", "FETCH FIRST 1 ROWS ONLY"

    def within(self, first: int, end: int | None, edges: Sequence[str]) -> Sequence[str]:
        """Cuts between ROWIDs; where a chunk begins or ends within a range of these, by a hash of them."""
        return [*self._from(first, edges), *(f"NOT ({' AND '.join(self._from(end, edges))})" for end in ([end] if end else []))]

    def _from(self, position: int, edges: Sequence[str]) -> list[str]:
        page, line = divmod(position, LINES)
        lower = [f"ROWID >= CHARTOROWID('{edges[page - 1]}')"] if 0 < page <= len(edges) else []
        if not line:
            return lower
        later = f"ROWID >= CHARTOROWID('{edges[page]}') OR " if page < len(edges) else ""
        return [*lower, f"({later}ORA_HASH(ROWID, {LINES - 1}) >= {line})"]

    def any_of(self, condition: str) -> str:
        return f"CAST(MAX(CASE WHEN {condition} THEN 1 ELSE 0 END) AS NUMBER(1))"

    def as_text(self, expression: str) -> str:
        return f"TO_CHAR({expression}, 'TM9', 'NLS_NUMERIC_CHARACTERS = ''.,''')"

    def joined(self, texts: Sequence[str]) -> str:
        if len(texts) == 1:
            return texts[0]
        listed = " || ".join(f"CASE WHEN {text} IS NOT NULL THEN ', ' || {text} END" for text in texts)
        return f"SUBSTR({listed}, 3)"

    def document(self, values: Mapping[str, str]) -> str:
        listed = ", ".join(f"{text_literal(name)} VALUE {value}" for name, value in values.items())
        return f"JSON_OBJECT({listed} RETURNING CLOB)"

    def shown(self, column: str, expression: str, kind: str, misfit: str) -> str:
        """Bytes are written as hex digits, moments with their era."""
        if kind == "binary":
            return f"RAWTOHEX(DBMS_LOB.SUBSTR(TO_BLOB({column}), {_SHOWN_BYTES}, 1))"
        if kind in _DAYS:
            return f"TRIM(TO_CHAR({column}, 'SYYYY-MM-DD HH24:MI:SS'))"
        return f"TO_CHAR({column})" if kind in ("float", "double") or kind.startswith("decimal") else expression

    def answer(self, sql: str) -> str:
        return ANSWER

    def digest(self, values: Sequence[str]) -> str:
        listed = " || ',' || ".join(values)
        hashed = f"TO_NUMBER(SUBSTR(RAWTOHEX(STANDARD_HASH({listed}, 'MD5')), 1, {_HEX_DIGITS}), '{'X' * _HEX_DIGITS}')"
        return f"TO_CHAR(COUNT(*)) || ' ' || TO_CHAR(NVL(SUM({hashed}), 0))"

    def beside(self, values: Sequence[tuple[str, SchemaColumn]]) -> str:
        """How many of a row's values are NULL here and were none there: no type of a warehouse holds them."""
        return " + ".join(f"CASE WHEN {guard} THEN 1 ELSE 0 END" for value, _ in values if (guard := guard_of(value)))

    def held(self, columns: Sequence[SchemaColumn]) -> str:
        guarded = any(column.type in _DAYS for column in columns)
        return "CASE WHEN beside <> 0 THEN error('none of its type') ELSE true END" if guarded else ""

    def read(self, value: str, column: SchemaColumn) -> str:
        """Moments come in UTC, without saying so."""
        if column.type == "timestamptz":
            return f"make_timestamptz(epoch_us(CAST({value} AS TIMESTAMP)))"
        return f"CAST({value} AS {duckdb_type(column.type)})"


DIALECT = OracleDialect()
