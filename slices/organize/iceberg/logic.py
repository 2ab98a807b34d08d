"""The SQL of each step, without running it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.program import Flow, Kind
from shared_metadata.records import SchemaColumn
from slices.organize.iceberg.column_types import duckdb_type

VIEW_BATCH = "_view_batch"  # which batch made a view's row; never in the view's own schema


def batch_column(flow: Flow) -> str:
    """The column that says which batch made a row."""
    return "_batch" if flow.kind == Kind.LOAD else VIEW_BATCH


def rows_of(files: Sequence[str], columns: Sequence[SchemaColumn], *, filename: bool = False) -> str:
    """A relation of exactly these Parquet files with exactly these columns; a column that a file lacks is null there.

    filename: with `atoll_file`, the file that a row is in.
    """
    if not files:
        empty = [f"NULL::{duckdb_type(c.type)} AS {identifier(c.name)}" for c in columns]
        return f"(SELECT {', '.join(empty + ['NULL::VARCHAR AS atoll_file'] * filename)} WHERE false)"
    entries = ", ".join(
        f"{literal(c.name)}: {{name: {literal(c.name)}, type: {literal(duckdb_type(c.type))}, default_value: NULL}}" for c in columns
    )
    named = ", filename = 'atoll_file'" if filename else ""
    return f"read_parquet({_list(files)}, schema = MAP{{{entries}}}{named})"


def names(columns: Sequence[SchemaColumn], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(c.name) for c in columns)


def result_query(query: str, columns: Sequence[SchemaColumn], batch: str = "") -> str:
    """The query's rows as the columns' types; `batch` is the moment that the hidden batch column holds, '' for none."""
    casts = [f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in columns]
    if batch:
        casts.append(f"TIMESTAMPTZ {literal(batch)} AS {identifier(VIEW_BATCH)}")
    return f"SELECT {', '.join(casts)} FROM ({query}\n) AS result"


def has_duplicates(files: Sequence[str], key: Sequence[str]) -> str:
    """One row when a key occurs twice in the files."""
    keys = ", ".join(map(identifier, key))
    return f"SELECT 1 FROM read_parquet({_list(files)}) GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"


def latest_rows(files: Sequence[str], columns: Sequence[SchemaColumn], key: Sequence[str], cursor: str) -> str:
    """One row for each key: that of the highest cursor, and among equals the last in the order of files and rows."""
    order = ([f"{identifier(cursor)} DESC NULLS LAST"] if cursor else []) + ["file_index DESC", "file_row_number DESC"]
    keys = ", ".join(map(identifier, key))
    return (
        f"SELECT {names(columns)} FROM read_parquet({_list(files)}) "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {', '.join(order)}) = 1"
    )


def within(column: str, start: str, end: str) -> str:
    """Whether a row was made by the batch [start, end); never null."""
    name = identifier(column)
    return f"coalesce({name} >= TIMESTAMPTZ {literal(start)} AND {name} < TIMESTAMPTZ {literal(end)}, false)"


def _list(files: Sequence[str]) -> str:
    return "[" + ", ".join(map(literal, files)) + "]"


def without_data(message: str) -> str:
    """A run-time error of a query without the values it quotes."""
    line = message.splitlines()[0] if message else ""
    line = re.sub(r"'.*'|\".*\"", "'…'", line)
    return re.sub(r"(?<![\w.])-?\d[\d.,:+-]*", "…", line)
