"""Builds what tells the rows of a chunk apart whose values their types cannot hold, after it could not be read as a whole; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shared_metadata.contract import rejected_rows
from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.records import Schema
from slices.collect.postgres.logic import OWN, Part, chunk_sql, rows_of_chunk


def which_sql(part: Part, first: int, end: int) -> str:
    """The source's answer is one row: of each of `checked` whether it has such values."""
    found = ", ".join(f"bool_or({misfit}) AS m{number}" for number, misfit in enumerate(part.misfits) if misfit)
    return f"SELECT {found} FROM {rows_of_chunk(part, first, end)}"


def checked(part: Part, schema: Schema) -> list[str]:
    """The columns that may have such values, each with its type."""
    return [f"{name} ({kind})" for name, kind, misfit in _columns(part, schema) if misfit]


def readable_sql(part: Part, first: int, end: int) -> str:
    """The other rows, as `chunk_sql` gives them."""
    return f"{chunk_sql(part, first, end)} WHERE ({_any(part)}) IS NOT TRUE"


def rejected_sql(part: Part, first: int, end: int, schema: Schema, hidden: Collection[str]) -> str:
    """The rows, each with its reason and, as JSON, its values as PostgreSQL has them; those of hidden columns are left out: of a
    document that does not fit its type nobody knows where the fields are that are masked."""
    reasons = [rejected_rows.reason(misfit, f"{name} is no {kind}") for name, kind, misfit in _columns(part, schema) if misfit]
    values = [
        f"{_value(f'c{number}', kind, misfit)} AS {identifier(name)}"
        for number, (name, kind, misfit) in enumerate(_columns(part, schema))
        if name not in hidden
    ]
    data = f"(SELECT row_to_json(d.*)::text FROM (SELECT {', '.join(values)}) AS d)"  # d alone would be a column of that name
    reason = f"array_to_string(ARRAY[{', '.join(reasons)}], ', ')"
    return f"SELECT {reason} AS reason, {data} AS data FROM {rows_of_chunk(part, first, end)} WHERE {_any(part)}"


def copy_rejected(source: str, sql: str, batch: str, url: str) -> str:
    """DuckDB's statement that writes them."""
    rows = f"{rejected_rows.select(batch, 'collect', 'reason', 'data')} FROM postgres_query({literal(source)}, {literal(sql)})"
    return f"COPY ({rows}) TO {literal(url)} (FORMAT parquet, COMPRESSION snappy)"


def _columns(part: Part, schema: Schema) -> Iterator[tuple[str, str, str]]:
    columns = (column for column in schema.columns if column.name not in OWN)
    for column, misfit in zip(columns, part.misfits, strict=True):
        yield column.name, column.type, misfit


def _any(part: Part) -> str:
    return " OR ".join(misfit for misfit in part.misfits if misfit)


def _value(column: str, kind: str, misfit: str) -> str:
    """Bytes that are no text are written as \\ooo."""
    if kind not in ("string", "list<string>"):
        return column
    escaped = f"to_json(encode(convert_to({column}::text, 'SQL_ASCII'), 'escape'))"
    return f"CASE WHEN {misfit} AND current_setting('server_encoding') = 'SQL_ASCII' THEN {escaped} ELSE to_json({column}) END"
