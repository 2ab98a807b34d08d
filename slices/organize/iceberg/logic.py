"""The SQL of a view's rows, without running it."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn


def result_query(query: str, columns: Sequence[SchemaColumn], batch: str = "") -> str:
    """The query's rows as the columns' types; `batch` is the moment that the hidden batch column holds, '' for none."""
    casts = [f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in columns]
    if batch:
        casts.append(f"TIMESTAMPTZ {literal(batch)} AS {identifier(VIEW_BATCH)}")
    return f"SELECT {', '.join(casts)} FROM ({query}\n) AS result"
