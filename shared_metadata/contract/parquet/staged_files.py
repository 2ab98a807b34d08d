"""Writes what a query of DuckDB's gives as a staged Parquet file, and says what its errors mean for a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_errors import is_of_s3, unreached
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.drift.column_values import file_values
from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import Flow, Mode

if TYPE_CHECKING:
    import duckdb

    from shared_metadata.contract.collect import ExtractRequest, Output
    from shared_metadata.program.schema import Schema


def copied(
    run: Callable[[str], list[Any]], out: Output, query: str, name: str, schema: Schema | None, options: str = ""
) -> dict[str, Any]:
    """Writes a file, and tells of it what a manifest says: {'key', 'rows', 'bytes', 'values'}.

    run: executes SQL.  schema: of its columns; None where they are not the flow's.  options: more of COPY's.
    """
    more = f", {options}" if options else ""
    ((_, rows, size, _, statistics, *_),) = run(f"COPY ({query}) TO {literal(out.url(name))} (FORMAT parquet, RETURN_STATS{more})")
    values = file_values(statistics, schema) if schema is not None else {}
    return {"key": out.key(name), "rows": int(rows), "bytes": int(size), "values": values}


def keys_of_rows(flow: Flow) -> tuple[str, ...]:
    """The columns that no row may lack: those in which rows are told apart."""
    return flow.key if flow.mode == Mode.MERGE else ()


def with_keys(written: dict[str, Any], keys: Iterable[str], place: str) -> dict[str, Any]:
    """What is told of a file that was written. Raises RowError for one in which a key is null."""
    if empty := [key for key in keys if written["values"].get(key, [0])[0]]:
        what = f"the key {', '.join(empty)} is null in rows, which would all become one"
        remedy = "set them aside with TOLERATE … BAD ROWS, leave them out by WHERE, or MERGE ON what is never null"
        raise RowError(what, place=place, remedy=remedy)
    return written


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
