"""The statements by which one chunk of a part is read: the source's own, and DuckDB's that writes its answer; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.sql_source.dialect import Dialect
from systems.sql_source.memory import Memory
from systems.sql_source.parts import LINES, Part, key_bounds
from systems.sql_source.relation import BATCH, DELETED, OWN, rows_sql


def chunk_sql(part: Part, first: int, end: int, schema: Schema, dialect: Dialect) -> str:
    """What the source runs for the part's positions [first, end); columns are called c0, c1 …"""
    selected = _selected(part.expressions, _of_source(schema.columns), dialect)
    return f"SELECT {selected} FROM {rows_of_chunk(part, first, end, dialect)}"


def left_sql(part: Part, first: int, end: int, schema: Schema, left: Sequence[SchemaColumn], dialect: Dialect) -> str:
    """What the source runs for rows that left, of a `Part.left`; those with a key that its type cannot hold were never collected."""
    numbers = {column.name: number for number, column in enumerate(schema.columns)}
    kept = [numbers[column.name] for column in _of_source(left)]
    values = [
        f"CASE WHEN {part.misfits[n]} THEN NULL ELSE {part.expressions[n]} END" if part.misfits[n] else part.expressions[n]
        for n in kept
    ]
    return f"SELECT {_selected(values, _of_source(left), dialect)} FROM {rows_of_chunk(part, first, end, dialect)}"


def _selected(values: Sequence[str], columns: Sequence[SchemaColumn], dialect: Dialect) -> str:
    listed = ", ".join(f"{value} AS c{number}" for number, value in enumerate(values))
    beside = dialect.beside(list(zip(values, columns, strict=True)))
    return f"{listed}, {beside or 0} AS beside" if beside or dialect.held(columns) else listed


def _of_source(columns: Sequence[SchemaColumn]) -> list[SchemaColumn]:
    return [column for column in columns if column.name not in OWN]


def rows_of_chunk(part: Part, first: int, end: int, dialect: Dialect) -> str:
    """What stands in FROM for the positions [first, end) of a part."""
    where = list(part.where)
    if part.end_page:
        beyond = part.last and end >= part.end_page * LINES
        bound = None if beyond else end
        where += key_bounds(part, first, bound) if part.keys else dialect.within(first, bound, part.edges)
    columns = [f"{column} AS c{number}" for number, column in enumerate(part.columns)]  # not every database names them after q
    return f"(\n{rows_sql(part.reads, columns, where)}\n) q"


def copy_sql(
    sql: str, schema: Schema, hashing: Hashing, batch: datetime, url: str, row_bytes: int, memory: Memory, dialect: Dialect
) -> str:
    """DuckDB's statement that streams the source's answer into one Parquet file; it returns the file's rows and bytes."""
    columns = _of_source(schema.columns)
    read = ", ".join(f"{dialect.read(f'c{number}', column)} AS c{number}" for number, column in enumerate(columns))
    values = [f"{hashing.value(c.name, f'c{number}', c.type)} AS {identifier(c.name)}" for number, c in enumerate(columns)]
    own = {BATCH: f"TIMESTAMPTZ '{to_text(batch)}'", DELETED: "false"}
    values += [f"{own[column.name]} AS {identifier(column.name)}" for column in schema.columns if column.name in OWN]
    held = dialect.held(columns)
    answered = f"{dialect.answer(sql)} WHERE {held}" if held else dialect.answer(sql)
    rows = f"(SELECT {read} FROM {answered}) AS q{hashing.joined}"
    return (
        f"COPY (SELECT {', '.join(values)} FROM {rows}) TO {literal(url)} "
        f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {memory.row_group_rows(row_bytes)}, "
        f"ROW_GROUP_SIZE_BYTES {2 * memory.row_group_bytes}, "
        f"STRING_DICTIONARY_PAGE_SIZE_LIMIT {memory.row_group_bytes // len(values)}, WRITE_EMPTY_FILE false, RETURN_STATS)"
    )
