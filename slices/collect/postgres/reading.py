"""Reads one part's chunks in one snapshot: DuckDB streams each from the source into Parquet files of its own."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.column_values import file_values
from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.duckdb_session import function_memory_mb, literal, open_duckdb, unreached
from shared_metadata.contract.left_rows import left_columns
from shared_metadata.contract.steps import Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from shared_metadata.intervals import to_text
from shared_metadata.records import Schema
from slices.collect.postgres import failures, logic, one_state, snapshot, unreadable
from slices.collect.postgres.logic import Part
from slices.collect.postgres.memory import Memory
from slices.collect.postgres.one_state import state
from systems.postgres.failures import is_away

if TYPE_CHECKING:
    import duckdb
    from psycopg import Connection as Session

    from slices.collect.postgres.client import PostgresSource

TOLERATE = "mend it at the source, set such rows aside with TOLERATE … BAD ROWS"
SHORTEST_TIMEOUT_SECONDS = 5.0
SPARE_SECONDS = 10.0  # between a statement's timeout and the deadline
Files = list[dict[str, Any]]


class Reading:
    """A part in one snapshot; `close` it.

    state: of a table that must not change while it is read, what it was when the read began.
    """

    def __init__(
        self, source: PostgresSource, request: ExtractRequest, deadline: Deadline, workers: int, before: Mapping[str, str] | None
    ) -> None:
        self._source, self._deadline, self._part = source, deadline, Part.from_plain(request.part)
        self._schema, self._batch, self._out = request.schema, request.window.interval.start, request.out
        self._flow, self._hashing, self._masks = request.flow, request.hashing, request.table.masks
        self._tolerant = request.flow.bad_rows is not None
        self._place, self._table = str(request.flow.position), request.table.source or request.table.dataset.removesuffix(":staged")
        self._memory = Memory.of_function(function_memory_mb())
        self._call = secrets.token_hex(4)  # in the files' names: what a thread writes after it was given up is nobody's
        self.state = before
        self._snapshot = self._take_snapshot(one_state=bool(self._part.end_page) and not request.flow.cursor)
        self._duckdb = self._open(workers)

    def close(self) -> None:
        self._duckdb.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """For `copy`, by one thread."""
        return self._duckdb.cursor()

    def copy(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The positions [first, end) into files. Values that their types cannot hold are looked for only when one has made that fail.

        Raises MemoryError for rows that do not fit.
        """
        try:
            return [*self._rows(cursor, first, end), *self._left(cursor, first, end)]
        finally:
            cursor.close()

    def check_tree(self) -> None:
        """Raises RetryLater where a partition or an heir has come or gone meanwhile, which no lock of a reader keeps away: chunks
        have read a part of it."""
        if not self._files:
            return
        with self._source.translated(self._place):
            if state(self._source.connect(), self._part)["files"] != self._files:
                what = f"{self._part.reads} was given a partition, or lost one, while it was read"
                raise RetryLater(what, place=self._place, remedy="nothing, it is read again")

    # -- the snapshot, and DuckDB's sessions

    def _take_snapshot(self, *, one_state: bool) -> str:
        """A snapshot that other sessions can read as well while this one's transaction is open."""
        with self._source.translated(self._place):
            session = self._source.connect()
            reads = dict.fromkeys(source for source in (self._part.reads, self._part.left_reads) if source)
            snapshot.begin(session, tuple(reads), self._statement_seconds, self._place)
            self._files = state(session, self._part)["files"] if self._part.end_page else ""
            if one_state:
                self._check_state(session)
            return snapshot.export(session)

    def _check_state(self, session: Session[Any]) -> None:
        if self.state and one_state.changed(session, self._part, self.state):
            raise DefinitionError(
                f"{self._part.reads} was written to while it was read in more than one call: rows could be missing or double",
                place=self._place,
                remedy="give it a CURSOR (and MERGE ON its key), read fewer columns, or collect it from a replica that stands still",
            )
        self.state = one_state.state(session, self._part)

    @property
    def _statement_seconds(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)

    def _open(self, workers: int) -> duckdb.DuckDBPyConnection:
        """DuckDB with no threads of its own: each worker runs its statement itself, and idle ones would spin."""
        import duckdb

        address = self._source.address
        memory_mb = self._memory.mb + workers * len(self._schema.columns)
        connection = open_duckdb(self._source.aws, extensions=("postgres_scanner",), memory_mb=memory_mb, threads=1)
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET pg_connection_limit = {workers + 1}")
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

    # -- one chunk

    def _left(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The chunk's rows that the flow's WHERE takes no more, into a file of their own."""
        part = self._part.left
        if part is None:
            return []
        left = Schema(left_columns(self._flow, self._schema.columns))
        rows = logic.left_sql(part, first, end, self._schema, left.columns)
        files = self._written(cursor, f"{first:013d}-{self._call}-left.parquet", rows, left)
        return [{**file, "rows": 0, "bytes": 0, "values": {}, "left": {"key": file["key"], "rows": file["rows"]}} for file in files]

    def _rows(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        name = f"{first:013d}-{self._call}.parquet"
        try:
            return self._written(cursor, name, logic.chunk_sql(self._part, first, end), self._schema)
        except RowError as error:
            found = self._unreadable(cursor, first, end)
            if not found:
                raise
            if not self._tolerant:
                remedy = f"{TOLERATE}, or SELECT column::text, of an array to_json(column)::text"
                raise RowError(f"{self._table}: {', '.join(found)} cannot hold a value", place=self._place, remedy=remedy) from error
            return self._set_aside(cursor, first, end)

    def _unreadable(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> list[str]:
        """The columns with values that their types cannot hold."""
        columns = unreadable.checked(self._part, self._schema)
        if not columns:
            return []
        which = unreadable.which_sql(self._part, first, end)
        (answer,) = self._run(cursor, f"SELECT * FROM postgres_query('source', {literal(which)})", which)
        return [column for column, found in zip(columns, answer, strict=True) if found]

    def _set_aside(self, cursor: duckdb.DuckDBPyConnection, first: int, end: int) -> Files:
        """The chunk into two files: the rows that can be read, and the others with their reasons."""
        name = f"{first:013d}-{self._call}-rejected.parquet"
        rows = unreadable.rejected_sql(self._part, first, end, self._schema, self._masks)
        copy = unreadable.copy_rejected("source", rows, to_text(self._batch), self._out.url(name))
        rejected = {"key": self._out.key(name), "rows": self._run(cursor, copy, rows)[0][0]}
        good = unreadable.readable_sql(self._part, first, end)
        written = self._written(cursor, f"{first:013d}-{self._call}.parquet", good, self._schema)
        nothing = {"key": self._out.key(name), "rows": 0, "bytes": 0, "values": {}}
        return [{**(written[0] if written else nothing), "rejected": rejected}, *written[1:]]

    def _written(self, cursor: duckdb.DuckDBPyConnection, name: str, rows: str, schema: Schema) -> Files:
        url, row_bytes = self._out.url(name), self._part.row_bytes
        copy = logic.copy_sql("source", rows, schema, self._hashing, self._batch, url, row_bytes, self._memory)
        return [
            {"key": self._out.key(name), "rows": count, "bytes": size, "values": file_values(statistics, schema)}
            for _, count, size, _, statistics, *_ in self._run(cursor, copy, rows)
        ]

    def _run(self, cursor: duckdb.DuckDBPyConnection, sql: str, asked: str) -> list[tuple[Any, ...]]:
        """One statement of DuckDB's, in a transaction of its own on the snapshot. asked: what it asks of the source."""
        import duckdb

        settled = f"SET TRANSACTION SNAPSHOT {literal(self._snapshot)}; {self._source.settling(self._limits, local=True)}"
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
                remedy = "nothing, the batch is tried again"
                raise unreached(error, "S3 was not reached", place=self._place, remedy=remedy) from None
            raise self._cause(self._source.scrub(str(error)), asked) from None
        finally:
            # close rolls back too, but where the source has gone it fails, in a destructor, which ends the whole process
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")

    @property
    def _limits(self) -> dict[str, str]:
        return {"statement_timeout": f"{self._statement_seconds * 1000:.0f}", "lock_timeout": f"{snapshot.LOCK_SECONDS}s"}

    def _cause(self, said: str, asked: str) -> AtollError:
        """Why a statement failed. DuckDB passes on a text only, so PostgreSQL is asked once more, for its SQLSTATE."""
        import psycopg

        if is_away(said):
            return failures.ended(said, self._place)
        try:
            session = self._source.connect()
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.execute(f"SET TRANSACTION SNAPSHOT {literal(self._snapshot)}")
            session.execute(self._source.settling(self._limits, local=True))
            with session.cursor().copy(f"COPY ({asked}\n) TO STDOUT (FORMAT binary)") as answer:
                while answer.read():
                    pass
        except (psycopg.errors.QueryCanceled, psycopg.errors.InvalidParameterValue) as error:
            gone = "snapshot" in str(error) or "ERROR:" not in said
            return failures.ended(said, self._place) if gone else failures.unreadable(said, self._place)
        except psycopg.Error as error:
            return failures.statement_error(error, self._place)
        return failures.unreadable(said, self._place)
