"""Runs one part's chunks side by side: DuckDB streams each from the source into a Parquet file of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.column_values import file_values
from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.duckdb_session import literal, open_duckdb
from shared_metadata.contract.left_rows import left_columns
from shared_metadata.contract.steps import MARGIN_SECONDS, Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from shared_metadata.intervals import to_text
from shared_metadata.records import Schema
from slices.collect.postgres import failures, logic, one_state, unreadable
from slices.collect.postgres.answering import ANSWER_SECONDS, silent
from slices.collect.postgres.logic import Part

if TYPE_CHECKING:
    import duckdb
    from psycopg import Connection as Session

    from slices.collect.postgres.client import PostgresSource

TOLERATE = "mend it at the source, set such rows aside with TOLERATE … BAD ROWS"
MEMORY_MB = 256  # of DuckDB's; the process with its libraries takes 100 more
MOST_WORKERS = 4
SHORTEST_TIMEOUT_SECONDS = 5.0
SPARE_SECONDS = 10.0  # between a statement's timeout and the deadline
LEAST_SECONDS = 60.0  # a source that is silent is waited for so long at least


class Extraction:
    """One call of extract. All its chunks see the same snapshot of the database: that of the session that stays open meanwhile.

    The reading is done by threads that the call does not wait for when its time is up: a source that neither answers nor closes
    the connection would hold it beyond its deadline, and what was read before would be lost.
    """

    def __init__(self, source: PostgresSource, request: ExtractRequest, deadline: Deadline) -> None:
        self._source, self._deadline, self._part = source, deadline, Part.from_plain(request.part)
        self._schema, self._batch, self._out = request.schema, request.window.interval.start, request.out
        self._flow, self._hashing, self._tolerant = request.flow, request.hashing, request.flow.bad_rows is not None
        self._place, self._table = str(request.flow.position), request.table.source or request.table.dataset.removesuffix(":staged")
        several = self._part.end_page and len(self._part.columns) <= logic.WIDE_COLUMNS
        self._workers = min(MOST_WORKERS, os.cpu_count() or 1) if several else 1
        self._one_state = bool(self._part.end_page) and not request.flow.cursor
        self._state: Mapping[str, str] | None = None
        self._call = secrets.token_hex(4)  # in the files' names: what a thread writes after it was given up is nobody's
        self._lock = threading.Lock()
        self._ranges: list[list[int]] = []
        self._reading: dict[tuple[int, int], duckdb.DuckDBPyConnection] = {}
        self._files: list[dict[str, Any]] = []
        self._errors: list[Exception] = []
        self._given_up = False
        self._started, self._bytes_per_second, self._most = 0, 0.0, sys.maxsize

    def run(self, resume: Mapping[str, Any] | None) -> Extracted:
        """Works until the part is done, the deadline is near or a chunk fails; what was done before a failure counts if it passes."""
        self._ranges = [list(r) for r in resume["ranges"]] if resume else [self._whole()]
        self._state = resume.get("state") if resume else None
        reading = threading.Thread(target=self._read, daemon=True)
        reading.start()
        reading.join(max(self._deadline.seconds_left - ANSWER_SECONDS, LEAST_SECONDS))
        with self._lock:
            if reading.is_alive():
                self._give_up()
            lasting = [error for error in self._errors if not isinstance(error, RetryLater)]
            if lasting or (self._errors and not self._files):
                raise (lasting or self._errors)[0]
            return Extracted(tuple(self._files), {"ranges": sorted(self._ranges), "state": self._state} if self._ranges else None)

    def _give_up(self) -> None:
        """Leaves the threads to themselves; they end when the source answers or the connection breaks."""
        import duckdb

        self._given_up = True
        self._ranges += [list(chunk) for chunk in self._reading]
        for cursor in self._reading.values():
            with contextlib.suppress(duckdb.ConnectionException):  # its chunk has just ended
                cursor.interrupt()
        self._errors.append(silent(self._place))

    def _read(self) -> None:
        try:
            snapshot = self._snapshot()
            self._duckdb = self._open()
            try:
                workers = [threading.Thread(target=self._work, args=(snapshot,), daemon=True) for _ in range(self._workers)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
            finally:
                self._duckdb.close()
        except Exception as error:
            self._failed(error)

    def _whole(self) -> list[int]:
        return [self._part.first_page * logic.LINES, self._part.end_page * logic.LINES]

    def _snapshot(self) -> str:
        """A snapshot that other sessions can read as well while this one's transaction is open."""
        with self._source.translated(self._place):
            session = self._source.connect()
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if self._one_state:
                self._check_state(session)
            row = session.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        return str(row[0])

    def _check_state(self, session: Session[Any]) -> None:
        session.execute("SELECT set_config('statement_timeout', %s, true)", (f"{self._statement_seconds:.0f}s",))
        if self._state and one_state.changed(session, self._part, self._state):
            raise DefinitionError(
                f"{self._part.reads} was written to while it was read in more than one call: rows could be missing or double",
                place=self._place,
                remedy="give it a CURSOR (and MERGE ON its key), read fewer columns, or collect it from a replica that stands still",
            )
        self._state = one_state.state(session, self._part)

    @property
    def _statement_seconds(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)

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
                self._finished(chunk, self._copy(snapshot, *chunk))
            except MemoryError:
                self._halve(chunk)
            except Exception as error:
                self._failed(error, chunk)
            else:
                seconds, pages = max(time.monotonic() - started, 0.001), (chunk[1] - chunk[0]) / logic.LINES
                self._bytes_per_second, self._most = pages * self._part.page_bytes / seconds, min(self._most * 2, sys.maxsize)

    def _take(self) -> tuple[int, int] | None:
        """The next positions to read; None when there are none, no time is left, or a chunk has failed. The first is always given."""
        with self._lock:
            if not self._ranges or self._errors or (self._started and self._deadline.near):
                return None
            self._started += 1
            cursor = self._duckdb.cursor()
            first, end = self._ranges.pop(0)
            if self._part.end_page:
                seconds_left = self._deadline.seconds_left - MARGIN_SECONDS
                length = logic.chunk_positions(end - first, self._workers, self._part, self._bytes_per_second or None, seconds_left)
                stop = first + min(length, self._most)
                if stop < end:
                    self._ranges.insert(0, [stop, end])
                    end = stop
            self._reading[first, end] = cursor
            return first, end

    def _finished(self, chunk: tuple[int, int], files: list[dict[str, Any]]) -> None:
        with self._lock:
            if not self._given_up:
                del self._reading[chunk]
                self._files += files

    def _failed(self, error: Exception, chunk: tuple[int, int] | None = None) -> None:
        with self._lock:
            if self._given_up:
                return
            self._errors.append(error)
            if chunk:
                del self._reading[chunk]
                self._ranges.append(list(chunk))

    def _halve(self, chunk: tuple[int, int]) -> None:
        """The chunk's rows are larger than the table's others and did not fit in memory: reads fewer of them at once."""
        first, end = chunk
        if end - first < 2:
            what, remedy = (
                "the rows are too large to be held in memory",
                "collect fewer of the columns, or shorten the values in the query",
            )
            self._failed(DefinitionError(what, place=self._place, remedy=remedy), chunk)
            return
        with self._lock:
            if not self._given_up:
                del self._reading[chunk]
                self._most = min(self._most, (end - first) // 2)
                self._ranges.insert(0, [first, end])

    def _copy(self, snapshot: str, first: int, end: int) -> list[dict[str, Any]]:
        """One chunk into one file. Values that their types cannot hold are looked for only when one has made that fail."""
        cursor = self._reading[first, end]
        try:
            return [*self._rows(snapshot, cursor, first, end), *self._left(snapshot, cursor, first, end)]
        finally:
            cursor.close()

    def _left(self, snapshot: str, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[dict[str, Any]]:
        """The chunk's rows that the flow's WHERE takes no more, into a file of their own."""
        part = self._part.left
        if part is None:
            return []
        left = Schema(left_columns(self._flow, self._schema.columns))
        rows = logic.left_sql(part, first, end, self._schema, left.columns)
        files = self._written(snapshot, cursor, f"{first:013d}-{self._call}-left.parquet", rows, left)
        return [{**file, "rows": 0, "bytes": 0, "values": {}, "left": {"key": file["key"], "rows": file["rows"]}} for file in files]

    def _rows(self, snapshot: str, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[dict[str, Any]]:
        name = f"{first:013d}-{self._call}.parquet"
        try:
            return self._written(snapshot, cursor, name, logic.chunk_sql(self._part, first, end), self._schema)
        except RowError as error:
            found = self._unreadable(snapshot, cursor, first, end)
            if not found:
                raise
            if not self._tolerant:
                remedy = f"{TOLERATE}, or SELECT column::text, of an array to_json(column)::text"
                raise RowError(f"{self._table}: {', '.join(found)} cannot hold a value", place=self._place, remedy=remedy) from error
            return self._set_aside(snapshot, cursor, first, end)

    def _unreadable(self, snapshot: str, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[str]:
        """The columns with values that their types cannot hold."""
        columns = unreadable.checked(self._part, self._schema)
        if not columns:
            return []
        which = unreadable.which_sql(self._part, first, end)
        (answer,) = self._run(snapshot, cursor, f"SELECT * FROM postgres_query('source', {literal(which)})", which)
        return [column for column, found in zip(columns, answer, strict=True) if found]

    def _set_aside(self, snapshot: str, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[dict[str, Any]]:
        """The chunk into two files: the rows that can be read, and the others with their reasons."""
        name = f"{first:013d}-{self._call}-rejected.parquet"
        rows = unreadable.rejected_sql(self._part, first, end, self._schema, self._hashing.columns)
        copy = unreadable.copy_rejected("source", rows, to_text(self._batch), self._out.url(name))
        rejected = {"key": self._out.key(name), "rows": self._run(snapshot, cursor, copy, rows)[0][0]}
        good = unreadable.readable_sql(self._part, first, end)
        written = self._written(snapshot, cursor, f"{first:013d}-{self._call}.parquet", good, self._schema)
        nothing = {"key": self._out.key(name), "rows": 0, "bytes": 0, "values": {}}
        return [{**(written[0] if written else nothing), "rejected": rejected}, *written[1:]]

    def _written(
        self, snapshot: str, cursor: duckdb.DuckDBPyConnection, name: str, rows: str, schema: Schema
    ) -> list[dict[str, Any]]:
        copy = logic.copy_sql(
            "source",
            rows,
            schema,
            self._hashing,
            self._batch,
            self._out.url(name),
            logic.row_group_rows(self._part.row_bytes),
        )
        return [
            {"key": self._out.key(name), "rows": count, "bytes": size, "values": file_values(statistics, schema)}
            for _, count, size, _, statistics, *_ in self._run(snapshot, cursor, copy, rows)
        ]

    def _run(self, snapshot: str, cursor: duckdb.DuckDBPyConnection, sql: str, asked: str) -> list[tuple[Any, ...]]:
        """One statement of DuckDB's, in a transaction of its own on the snapshot. asked: what it asks of the source."""
        import duckdb

        timeout = {"statement_timeout": str(int(self._statement_seconds * 1000))}
        settled = f"SET TRANSACTION SNAPSHOT {literal(snapshot)}; {self._source.settling(timeout, local=True)}"
        try:
            cursor.execute("BEGIN")
            cursor.execute(f"CALL postgres_execute('source', {literal(settled)})")
            found = cursor.execute(sql).fetchall()
            cursor.execute("COMMIT")
            return found
        except duckdb.Error as error:
            if "Out of Memory Error" in str(error):
                raise MemoryError from None
            if isinstance(error, duckdb.HTTPException) or " HTTP " in str(error):
                raise RetryLater("S3 was not reached", place=self._place, remedy="nothing, the batch is tried again") from None
            raise self._cause(self._source.scrub(str(error)), snapshot, asked) from None
        finally:
            # close rolls back too, but where the source has gone it fails, in a destructor, which ends the whole process
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")

    def _cause(self, said: str, snapshot: str, asked: str) -> AtollError:
        """Why a statement failed. DuckDB passes on a text only, so PostgreSQL is asked once more, for its SQLSTATE."""
        import psycopg

        if failures.is_away(said):
            return failures.ended(said, self._place)
        try:
            session = self._source.connect()
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            session.execute(self._source.settling({"statement_timeout": str(int(self._statement_seconds * 1000))}, local=True))
            with session.cursor().copy(f"COPY ({asked}\n) TO STDOUT (FORMAT binary)") as answer:
                while answer.read():
                    pass
        except (psycopg.errors.QueryCanceled, psycopg.errors.InvalidParameterValue) as error:
            gone = "snapshot" in str(error) or "ERROR:" not in said
            return failures.ended(said, self._place) if gone else failures.unreadable(said, self._place)
        except psycopg.Error as error:
            return failures.statement_error(error, self._place)
        return failures.unreadable(said, self._place)
