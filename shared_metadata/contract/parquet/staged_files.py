"""Writes what a query of DuckDB's gives as a staged Parquet file, and says what its errors mean for a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_errors import is_of_s3, unreached
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.drift.column_values import file_values
from shared_metadata.errors import DefinitionError, RowError

if TYPE_CHECKING:
    import duckdb

    from shared_metadata.contract.collect import ExtractRequest


def copied(run: Callable[[str], list[Any]], request: ExtractRequest, query: str, name: str, *, values: bool = True) -> dict[str, Any]:
    """Writes a file, and tells of it what a manifest says.  run: executes SQL.  values: whether its columns are the flow's."""
    copy = f"COPY ({query}) TO {literal(request.out.url(name))} (FORMAT parquet, RETURN_STATS)"
    ((_, rows, size, _, statistics, *_),) = run(copy)
    found = file_values(statistics, request.schema) if values else {}
    return {"key": request.out.key(name), "rows": int(rows), "bytes": int(size), "values": found}


def meant(error: duckdb.Error, request: ExtractRequest, what: str, remedy: str) -> Exception:
    """RowError for values that cannot be read, RetryLater where S3 was not reached, DefinitionError where memory is too small.

    what: 'rows', 'events'.  remedy: for values that cannot be read.  Any other error is what it is.
    """
    import duckdb

    place = str(request.flow.position)
    if is_of_s3(error):
        return unreached(error, "the staged file could not be written", place=place, remedy="nothing, the batch is tried again")
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        return RowError("a value cannot be read as its type", place=place, remedy=remedy)
    if isinstance(error, duckdb.OutOfMemoryException):
        more = f"give the slice more memory when it is deployed: -c memoryOf={request.flow.slice_id}=…"
        return DefinitionError(f"{what} are too large to be held in memory", place=place, remedy=more)
    return error
