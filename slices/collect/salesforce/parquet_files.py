"""Turns files of CSV or JSON from Salesforce into Parquet on S3 by DuckDB, types given, rows never Python objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.duckdb_session import identifier, literal, open_duckdb
from shared_metadata.errors import RetryLater, RowError
from shared_metadata.intervals import to_text
from slices.collect.salesforce.logic import place

if TYPE_CHECKING:
    import duckdb

DUCKDB_TYPES: Mapping[str, str] = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamptz": "TIMESTAMPTZ",
    "time": "TIME",
    "string": "VARCHAR",
}

SETTINGS: Mapping[str, str] = {
    "preserve_insertion_order": "false",  # a file's rows have no order; keeping one takes memory
    # DuckDB's allocator keeps what was freed, a little more with every file: https://duckdb.org/docs/stable/configuration/overview
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "4MB",
}
ROW_GROUP_ROWS = 61_440  # half of DuckDB's default: each thread holds one in memory until it is full


class ParquetFiles:
    """Writes the Parquet files of one part, each from a few local files that hold part['fields'], in order.

    aws: the boto3 session.
    """

    def __init__(self, aws: Any, request: ExtractRequest) -> None:
        self._aws, self._schema, self._out = aws, request.schema, request.out
        self._hashing = request.hashing
        self._place, fields = place(request.flow, request.table), request.part["fields"]
        kinds = {column.source: DUCKDB_TYPES[column.type] for column in self._schema.columns if column.source}
        self._types = {name: kinds.get(name, "BOOLEAN" if name == "IsDeleted" else "VARCHAR") for name in fields}
        self._batch_start = request.window.interval.start
        self._connection: duckdb.DuckDBPyConnection | None = None

    def from_csv(self, files: Sequence[Path], number: int) -> dict[str, Any]:
        """A Parquet file of whole-record CSV files without header lines; returns {'key', 'rows', 'bytes'}.

        Salesforce has no empty texts: an empty value is null.
        """
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in self._types.items())
        most = max(file.stat().st_size for file in files) + 1
        form = "auto_detect=false, header=false, delim=',', quote='\"', escape='\"', new_line='\\n', nullstr=''"
        source = f"read_csv({_paths(files)}, {form}, columns={{{columns}}}, buffer_size={most}, max_line_size={most})"
        return self._copy(source, number)

    def from_json(self, files: Sequence[Path], number: int) -> dict[str, Any]:
        """The same of REST answers, each a JSON object with a list of `records`."""
        struct = ", ".join(f"{identifier(name)} {kind}" for name, kind in self._types.items())
        most = max(file.stat().st_size for file in files) + 1
        columns = "{records: " + literal(f"STRUCT({struct})[]") + "}"
        options = f"format='unstructured', auto_detect=false, maximum_object_size={most}, columns={columns}"
        record = f"(SELECT unnest(records) AS r FROM read_json({_paths(files)}, {options}))"
        return self._copy(f"(SELECT {', '.join(f'r.{identifier(name)}' for name in self._types)} FROM {record})", number)

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def _copy(self, source: str, number: int) -> dict[str, Any]:
        import duckdb

        name = f"{number:04d}.parquet"
        target = f"{literal(self._out.url(name))} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, RETURN_STATS)"
        try:
            found = self._open().execute(f"COPY (SELECT {self._columns()} FROM {source}{self._hashing.joined}) TO {target}")
            row = dict(zip((column[0] for column in found.description), found.fetchone() or (), strict=True))
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise self._unreadable(str(error)) from None
        except (duckdb.IOException, duckdb.HTTPException) as error:
            raise RetryLater(f"{name} could not be written: {type(error).__name__}", place=self._place) from None
        return {"key": self._out.key(name), "rows": int(row["count"]), "bytes": int(row["file_size_bytes"])}

    def _columns(self) -> str:
        found = [
            f"{self._hashing.value(column.name, identifier(column.source), column.type)} AS {identifier(column.name)}"
            for column in self._schema.columns
            if column.source
        ]
        deleted = "IsDeleted" if "IsDeleted" in self._types else "false"
        batch = f"TIMESTAMPTZ {literal(to_text(self._batch_start))} AS _batch"
        return ", ".join([*found, batch, f"{deleted} AS _deleted"])

    def _unreadable(self, message: str) -> RowError:
        """DuckDB's message holds the value, so only the column is taken from it."""
        match = re.search(r'converting column "([^"]+)"', message) or re.search(r'column name: "?([^"\s]+)', message)
        column = f"a value of {match[1]}" if match else "a value"
        return RowError(
            f"{column} cannot be read as its type",
            place=self._place,
            remedy="leave the column out of the program, and report its type in Salesforce",
        )

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = open_duckdb(self._aws)
            for name, value in SETTINGS.items():
                self._connection.execute(f"SET {name} = {literal(value)}")
            self._hashing.prepare(self._connection)
        return self._connection


def _paths(files: Sequence[Path]) -> str:
    return "[" + ", ".join(literal(str(file)) for file in files) + "]"
