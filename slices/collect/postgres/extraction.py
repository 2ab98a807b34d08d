"""Runs one part's chunks side by side: DuckDB streams each from the source into a Parquet file of its own."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.duckdb_session import literal, open_duckdb
from shared_metadata.contract.steps import MARGIN_SECONDS, Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater
from slices.collect.postgres import failures, logic
from slices.collect.postgres.logic import SETTINGS, Part

if TYPE_CHECKING:
    import duckdb

    from slices.collect.postgres.client import PostgresSource

MEMORY_MB = 256  # of DuckDB's; the process with its libraries takes 100 more
MOST_WORKERS = 4
SHORTEST_TIMEOUT_SECONDS = 5.0
SPARE_SECONDS = 10.0  # between a statement's timeout and the deadline


class Extraction:
    """One call of extract. All its chunks see the same snapshot of the database: that of the session that `run` holds open."""

    def __init__(self, source: PostgresSource, request: ExtractRequest, deadline: Deadline) -> None:
        self._source, self._deadline, self._part = source, deadline, Part.from_plain(request.part)
        self._schema, self._batch, self._out = request.schema, request.window.interval.start, request.out
        self._hashing = request.hashing
        self._place = str(request.flow.position)
        several = self._part.end_page and len(self._part.columns) <= logic.WIDE_COLUMNS
        self._workers = min(MOST_WORKERS, os.cpu_count() or 1) if several else 1
        self._lock = threading.Lock()
        self._ranges: list[list[int]] = []
        self._files: list[dict[str, Any]] = []
        self._errors: list[AtollError] = []
        self._started, self._bytes_per_second, self._most = 0, 0.0, sys.maxsize

    def run(self, resume: Mapping[str, Any] | None) -> Extracted:
        """Works until the part is done, the deadline is near or a chunk fails; what was done before a failure counts if it passes."""
        self._ranges = [list(r) for r in resume["ranges"]] if resume else [self._whole()]
        snapshot = self._snapshot()
        self._duckdb = self._open()
        try:
            with ThreadPoolExecutor(self._workers) as pool:
                for worker in [pool.submit(self._work, snapshot) for _ in range(self._workers)]:
                    worker.result()
        finally:
            self._duckdb.close()
        lasting = [error for error in self._errors if not isinstance(error, RetryLater)]
        if lasting or (self._errors and not self._files):
            raise (lasting or self._errors)[0]
        return Extracted(tuple(self._files), {"ranges": sorted(self._ranges)} if self._ranges else None)

    def _whole(self) -> list[int]:
        return [self._part.first_page * logic.LINES, self._part.end_page * logic.LINES]

    def _snapshot(self) -> str:
        """A snapshot that other sessions can read as well while this one's transaction is open."""
        session = self._source.connect()
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = session.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        return str(row[0])

    def _open(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with no threads of its own: each worker runs its statement itself, and idle ones would spin."""
        import duckdb

        address = self._source.address
        memory_mb = MEMORY_MB + self._workers * len(self._schema.columns)
        connection = open_duckdb(self._source.aws, extensions=("postgres_scanner",), memory_mb=memory_mb, threads=1)
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET pg_connection_limit = {self._workers + 1}")
        self._hashing.prepare(connection)
        if self._source.aws:
            connection.execute("SET s3_uploader_max_filesize = '50GB'")  # which makes its buffers 5 MB
        try:
            connection.execute(f"CREATE SECRET source (TYPE postgres, PASSWORD {literal(address.password)})")
            connection.execute(
                f"ATTACH {literal(address.conninfo(password=False))} AS source (TYPE postgres, SECRET source, READ_ONLY)"
            )
        except duckdb.Error as error:
            connection.close()
            raise self._source.connection_error(str(error)) from None
        return connection

    # -- the workers

    def _work(self, snapshot: str) -> None:
        while (chunk := self._take()) is not None:
            started = time.monotonic()
            try:
                self._copy(snapshot, *chunk)
            except AtollError as error:
                self._give_back(chunk, error)
                return
            except MemoryError:
                self._halve(chunk)
            else:
                seconds, pages = max(time.monotonic() - started, 0.001), (chunk[1] - chunk[0]) / logic.LINES
                self._bytes_per_second, self._most = pages * self._part.page_bytes / seconds, min(self._most * 2, sys.maxsize)

    def _take(self) -> tuple[int, int] | None:
        """The next positions to read; None when there are none, no time is left, or a chunk has failed. The first is always given."""
        with self._lock:
            if not self._ranges or self._errors or (self._started and self._deadline.near):
                return None
            self._started += 1
            first, end = self._ranges.pop(0)
            if not self._part.end_page:
                return first, end
            seconds_left = self._deadline.seconds_left - MARGIN_SECONDS
            length = logic.chunk_positions(end - first, self._workers, self._part, self._bytes_per_second or None, seconds_left)
            stop = first + min(length, self._most)
            if stop < end:
                self._ranges.insert(0, [stop, end])
            return first, stop

    def _give_back(self, chunk: tuple[int, int], error: AtollError) -> None:
        with self._lock:
            self._errors.append(error)
            self._ranges.append(list(chunk))

    def _halve(self, chunk: tuple[int, int]) -> None:
        """The chunk's rows are larger than the table's others and did not fit in memory: reads fewer of them at once."""
        first, end = chunk
        if end - first < 2:
            what, remedy = (
                "the rows are too large to be held in memory",
                "collect fewer of the columns, or shorten the values in the query",
            )
            self._give_back(chunk, DefinitionError(what, place=self._place, remedy=remedy))
            return
        with self._lock:
            self._most = min(self._most, (end - first) // 2)
            self._ranges.insert(0, [first, end])

    def _copy(self, snapshot: str, first: int, end: int) -> None:
        """One chunk into one file, in one transaction on the snapshot."""
        import duckdb

        name = f"{first:013d}.parquet"
        timeout_seconds = max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)
        settings = [f"SET TRANSACTION SNAPSHOT {literal(snapshot)}", f"SET LOCAL statement_timeout = {int(timeout_seconds * 1000)}"]
        settings += [f"SET LOCAL {name} = {literal(value)}" for name, value in SETTINGS.items()]
        sql = logic.copy_sql(
            "source",
            logic.chunk_sql(self._part, first, end),
            self._schema,
            self._hashing,
            self._batch,
            self._out.url(name),
            logic.row_group_rows(self._part.row_bytes),
        )
        cursor = self._duckdb.cursor()
        try:
            cursor.execute("BEGIN")
            cursor.execute(f"CALL postgres_execute('source', {literal('; '.join(settings))})")
            written = cursor.execute(sql).fetchall()
            cursor.execute("COMMIT")
        except duckdb.Error as error:
            if "Out of Memory Error" in str(error):
                raise MemoryError from None
            if isinstance(error, duckdb.HTTPException) or " HTTP " in str(error):
                raise RetryLater("S3 was not reached", place=self._place, remedy="nothing, the batch is tried again") from None
            raise failures.statement_error(self._source.scrub(str(error)), self._place) from None
        finally:
            cursor.close()
        with self._lock:
            self._files += [{"key": self._out.key(name), "rows": rows, "bytes": size} for _, rows, size, *_ in written]
