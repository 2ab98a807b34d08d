"""Reads one part's chunks in one state of the source: DuckDB streams each from the source into Parquet files of its own."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet.duckdb_errors import is_of_s3, unreached
from shared_metadata.contract.parquet.duckdb_session import function_memory_mb, open_duckdb
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.drift.column_values import file_values
from shared_metadata.errors import RowError
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema
from systems.sql_source import chunks, unreadable
from systems.sql_source.dialect import Dialect, Scan
from systems.sql_source.memory import Memory
from systems.sql_source.parts import Part
from systems.sql_source.relation import keys_of

if TYPE_CHECKING:
    import duckdb

TOLERATE = "mend it at the source, set such rows aside with TOLERATE … BAD ROWS"
Files = list[dict[str, Any]]
# The scan of a part, whose reading began in the state that a former call's scan has told; None for the first call.
OpenScan = Callable[[Part, Mapping[str, str] | None], Scan]


class Reading:
    """A part, in one state of the source; `close` it.

    state: of a table that must not change while it is read, what it was when the read began.
    """

    def __init__(self, request: ExtractRequest, workers: int, dialect: Dialect, aws: Any, open_scan: Callable[[], Scan]) -> None:
        self._part, self._dialect, self._aws = Part.from_plain(request.part), dialect, aws
        self._schema, self._batch, self._out = request.schema, request.window.interval.start, request.out
        self._flow, self._hashing, self._masks = request.flow, request.hashing, request.table.masks
        self._tolerant = request.flow.bad_rows is not None
        self._place, self._table = str(request.flow.position), request.table.source or request.table.dataset.removesuffix(":staged")
        self._memory = Memory.of_function(function_memory_mb())
        self._call = secrets.token_hex(4)  # in the files' names: what a thread writes after it was given up is in no batch
        self._scan = open_scan()
        self.state = self._scan.state
        try:
            self._duckdb = self._open(workers)
        except Exception:
            self._scan.close()
            raise

    def close(self) -> None:
        try:
            self._duckdb.close()
        finally:
            self._scan.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Opens a cursor for one thread's `copy`."""
        return self._duckdb.cursor()

    def copy(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The positions [first, end) into files. Values that their types cannot hold are looked for only when one has made that fail.

        Raises MemoryError for rows that do not fit.
        """
        try:
            return [*self._rows(cursor, first, end), *self._left(cursor, first, end)]
        finally:
            cursor.close()

    def check(self) -> None:
        """Raises RetryLater where what was read may be of several states of the source."""
        self._scan.check()

    def _open(self, workers: int) -> duckdb.DuckDBPyConnection:
        """DuckDB with no threads of its own: each worker runs its statement itself, and idle ones would spin."""
        memory_mb = self._memory.mb + workers * len(self._schema.columns)
        connection = open_duckdb(self._aws, extensions=self._scan.extensions, memory_mb=memory_mb, threads=1)
        try:
            connection.execute("SET preserve_insertion_order = false")
            self._hashing.prepare(connection)
            if self._aws:
                connection.execute("SET s3_uploader_max_filesize = '50GB'")  # which makes its buffers 5 MB
            self._scan.attach(connection, workers)
        except Exception:
            connection.close()
            raise
        return connection

    # -- one chunk

    def _left(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The chunk's rows that the flow's WHERE takes no more, into a file of their own."""
        part = self._part.left
        if part is None:
            return []
        left = Schema(left_columns(self._flow, self._schema.columns))
        rows = chunks.left_sql(part, first, end, self._schema, left.columns, self._dialect)
        files = self._written(cursor, f"{first:013d}-{self._call}-left.parquet", rows, left)
        return [{**file, "rows": 0, "bytes": 0, "values": {}, "left": {"key": file["key"], "rows": file["rows"]}} for file in files]

    def _rows(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        name = f"{first:013d}-{self._call}.parquet"
        try:
            files = self._written(cursor, name, chunks.chunk_sql(self._part, first, end, self._schema, self._dialect), self._schema)
        except RowError as error:
            found = self._unreadable(cursor, first, end)
            if not found:
                raise
            if not self._tolerant:
                remedy = f"{TOLERATE}, or {self._dialect.as_text_remedy}"
                raise RowError(f"{self._table}: {', '.join(found)} cannot hold a value", place=self._place, remedy=remedy) from error
            return self._set_aside(cursor, first, end)
        empty = [key for key in keys_of(self._flow) if any(file["values"].get(key, [0])[0] for file in files)]
        if empty and not self._tolerant:
            what = f"{self._table}: the key {', '.join(empty)} is null in rows, which would all become one"
            raise RowError(what, place=self._place, remedy=f"{TOLERATE}, leave them out by WHERE, or MERGE ON what is never null")
        return self._set_aside(cursor, first, end) if empty else files

    def _unreadable(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[str]:
        """The columns with values that their types cannot hold."""
        columns = unreadable.checked(self._part, self._schema)
        if not columns:
            return []
        which = unreadable.which_sql(self._part, first, end, self._dialect)
        (answer,) = self._run(cursor, f"SELECT * FROM {self._dialect.answer(which)}", which)
        return [column for column, found in zip(columns, answer, strict=True) if found]

    def _set_aside(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The chunk into two files: the rows that can be read, and the others with their reasons."""
        name = f"{first:013d}-{self._call}-rejected.parquet"
        rows = unreadable.rejected_sql(self._part, first, end, self._schema, keys_of(self._flow), self._masks, self._dialect)
        copy = unreadable.copy_rejected(rows, to_text(self._batch), self._out.url(name), self._dialect)
        rejected = {"key": self._out.key(name), "rows": self._run(cursor, copy, rows)[0][0]}
        good = unreadable.readable_sql(self._part, first, end, self._schema, self._dialect)
        written = self._written(cursor, f"{first:013d}-{self._call}.parquet", good, self._schema)
        nothing = {"key": self._out.key(name), "rows": 0, "bytes": 0, "values": {}}
        return [{**(written[0] if written else nothing), "rejected": rejected, **self._there(cursor, first, end)}, *written[1:]]

    def _there(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> dict[str, Any]:
        """The keys of the rows that were set aside, where a batch may tell that the source has no others than its own."""
        if not self._flow.capture:
            return {}
        left = Schema(left_columns(self._flow, self._schema.columns))
        rows = unreadable.there_sql(self._part, first, end, self._schema, left.columns, self._dialect)
        found = self._written(cursor, f"{first:013d}-{self._call}-there.parquet", rows, left)
        return {"there": {"key": found[0]["key"], "rows": found[0]["rows"]}} if found else {}

    def _written(self, cursor: duckdb.DuckDBPyConnection, name: str, rows: str, schema: Schema) -> Files:
        url, row_bytes = self._out.url(name), self._part.row_bytes
        copy = chunks.copy_sql(rows, schema, self._hashing, self._batch, url, row_bytes, self._memory, self._dialect)
        return [
            {"key": self._out.key(name), "rows": count, "bytes": size, "values": file_values(statistics, schema)}
            for _, count, size, _, statistics, *_ in self._run(cursor, copy, rows)
        ]

    def _run(self, cursor: duckdb.DuckDBPyConnection, sql: str, asked: str) -> list[tuple[Any, ...]]:
        """One statement of DuckDB's, in a transaction of its own that sees the state. asked: what it asks of the source."""
        import duckdb

        try:
            cursor.execute("BEGIN")
            self._scan.settle(cursor, asked)
            found = cursor.execute(sql).fetchall()
            cursor.execute("COMMIT")
            return found
        except duckdb.OutOfMemoryException:
            raise MemoryError from None
        except duckdb.Error as error:
            if is_of_s3(error):
                remedy = "nothing, the batch is tried again"
                raise unreached(error, "S3 was not reached", place=self._place, remedy=remedy) from None
            raise self._scan.cause(error, asked) from None
        finally:
            # close rolls back too, but where the source has gone it fails, in a destructor, which ends the whole process
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
