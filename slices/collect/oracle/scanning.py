"""Lets DuckDB read what sessions of ours are answered, batch by batch, as Arrow."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError
from slices.collect.oracle import failures
from slices.collect.oracle.dialect import ANSWER
from systems.sql_source.parts import Part

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from oracledb import Connection as Session

    from slices.collect.oracle.client import OracleSource

SHORTEST_TIMEOUT_SECONDS, SPARE_SECONDS = 5.0, 10.0  # the latter between an answer's end and the deadline
BATCH_BYTES, MOST_ROWS, ROWS_OF_LARGE = 2**22, 20_000, 100  # of rows that are held at once
_LARGE = ("CLOB", "NCLOB", "BLOB", "LONG", "LONG RAW", "XMLTYPE", "JSON", "VECTOR")
_ONE_STATE = "SET TRANSACTION READ ONLY"


class OracleScan:
    """The Scan of systems/sql_source; its sessions end with the source's.

    A part whose statements say as of which change they read is of one state, whatever session reads, and whatever call. Any other is
    read in the state that each session's transaction began with.
    """

    extensions: tuple[str, ...] = ()
    state: Mapping[str, str] | None = None

    def __init__(self, source: OracleSource, request: ExtractRequest, deadline: Deadline, part: Part) -> None:
        self._source, self._deadline, self._place = source, deadline, str(request.flow.position)
        self._of_one_state = " AS OF SCN " in part.reads.rpartition('"')[2]
        large = any(column.source_type.rpartition(".")[2].startswith(_LARGE) for column in request.schema.columns)
        self._rows_at_once = ROWS_OF_LARGE if large else max(ROWS_OF_LARGE, min(MOST_ROWS, BATCH_BYTES // part.row_bytes))
        self._free: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self._own = threading.local()
        self._refused: dict[str, Exception] = {}

    def attach(self, connection: duckdb.DuckDBPyConnection, workers: int) -> None:
        import oracledb

        try:
            for _ in range(workers):
                self._free.put(self._session())
        except oracledb.Error as error:
            raise failures.statement_error(error, self._place) from None

    def settle(self, cursor: duckdb.DuckDBPyConnection, asked: str) -> None:
        """Has the statement run, and its answer known to this session of DuckDB."""
        import pyarrow as pa

        self._refused.pop(asked, None)
        batches = self._batches(asked)
        try:
            first = next(batches)
        except Exception as error:
            raise self._meant(error) from None
        cursor.register(ANSWER, pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches)))

    def check(self) -> None:
        """Does nothing: a state that is gone is an error."""

    def close(self) -> None:
        """Does nothing: sessions end with the source's."""

    def cause(self, error: duckdb.Error, asked: str) -> AtollError:
        """Why a statement failed: what broke the answer off, or else a value that DuckDB refuses."""
        import duckdb

        refused = self._refused.pop(asked, None)
        if refused is not None:
            return self._meant(refused)
        return failures.ended("", self._place) if isinstance(error, duckdb.IOException) else failures.unreadable(self._place)

    def _meant(self, error: Exception) -> AtollError:
        """The driver also raises Python's own errors, of a value that it cannot read."""
        import oracledb

        if isinstance(error, AtollError):
            return error
        return failures.statement_error(error, self._place) if isinstance(error, oracledb.Error) else failures.unreadable(self._place)

    def _batches(self, asked: str) -> Iterator[pa.RecordBatch]:
        """The answer, of which one batch is held at a time, and no more than another is made meanwhile."""
        import pyarrow as pa

        if not hasattr(self._own, "session"):
            self._own.session = self._free.get_nowait()
        session: Session = self._own.session
        session.call_timeout = int(self._seconds * 1000)
        try:
            for frame in session.fetch_df_batches(asked, size=self._rows_at_once, fetch_decimals=True):
                yield from _batches_of(pa.table(frame))
        except Exception as error:
            self._refused[asked] = error
            raise

    def _session(self) -> Session:
        session = self._source.connect(self._seconds)
        if not self._of_one_state:
            with session.cursor() as cursor:
                cursor.execute(_ONE_STATE)
        return session

    @property
    def _seconds(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)


def _batches_of(table: Any) -> list[pa.RecordBatch]:
    """Gives at least one, which tells the types."""
    import pyarrow as pa

    return table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
