"""Lets DuckDB see one part in states of MySQL that sessions of ours show: of one session all of it, where it has to be one state."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError
from slices.collect.mysql import failures
from slices.collect.mysql.dialect import SOURCE
from slices.collect.mysql.door import Door
from systems.mysql import sessions
from systems.mysql.failures import ended

if TYPE_CHECKING:
    import duckdb
    from pymysql import Connection as Session

    from slices.collect.mysql.client import MysqlSource

SHORTEST_TIMEOUT_SECONDS = 5.0
SPARE_SECONDS = 10.0  # between a statement's timeout and the deadline
_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
_SETTINGS = (
    *("mysql_tinyint1_as_boolean = false", "mysql_bit1_as_boolean = false", "mysql_incomplete_dates_as_nulls = false"),
    "mysql_pool_acquire_mode = 'wait'",
)


class MysqlScan:
    """The Scan of systems/sql_source; its sessions end with the source's.

    Without a key by which a part is read in ranges there is one worker, and so one session: all statements see the state that its
    transaction began with. In ranges each session has a state of its own, and what changes in between comes again.
    """

    extensions: tuple[str, ...] = ("mysql_scanner",)
    state: Mapping[str, str] | None = None

    def __init__(self, source: MysqlSource, request: ExtractRequest, deadline: Deadline) -> None:
        self._source, self._deadline, self._place = source, deadline, str(request.flow.position)
        self._door: Door | None = None

    def attach(self, connection: duckdb.DuckDBPyConnection, workers: int) -> None:
        import duckdb

        with self._source.translated(self._place):
            self._door = Door([self._session() for _ in range(workers)], self._kill)
        address = f'host=localhost socket="{self._door.path}" user=atoll compression=disabled ssl_mode=disabled'
        try:
            for setting in (*_SETTINGS, f"mysql_pool_size = {workers}"):
                connection.execute(f"SET GLOBAL {setting}")
            connection.execute(f"ATTACH {literal(address)} AS {SOURCE} (TYPE mysql)")
        except duckdb.Error:
            raise ended(0, self._place) from None

    def settle(self, cursor: duckdb.DuckDBPyConnection, asked: str) -> None:
        """Does nothing: the sessions are settled, and in their transactions."""

    def check(self) -> None:
        """Does nothing: a transaction keeps the definition of what it has read, and a state that is gone is an error."""

    def close(self) -> None:
        if self._door is not None:
            self._door.close()

    def cause(self, error: duckdb.Error, asked: str) -> AtollError:
        """The cause of a failed statement. DuckDB gives only a text, which may quote a row: MySQL is asked for its number.

        What it does not refuse then has passed by itself, where it was the server's or the connection's, or DuckDB refuses the value.
        """
        import duckdb
        import pymysql

        if self._door is None or self._door.broken:
            return ended(0, self._place)
        if isinstance(error, (duckdb.InvalidInputException, duckdb.ConversionException)):
            return failures.unreadable(self._place)
        try:
            self._ask(asked)
        except pymysql.err.Error as refused:
            return failures.statement_error(refused, self._place)
        return ended(0, self._place) if isinstance(error, duckdb.IOException) else failures.unreadable(self._place)

    def _ask(self, asked: str) -> None:
        """Reads all of it, without keeping any. Raises pymysql.err.Error."""
        from pymysql.cursors import SSCursor

        session = self._session()
        session.decoders = {}
        with session.cursor(SSCursor) as cursor:
            cursor.execute(asked)
            while cursor.fetchmany(1000):
                pass

    def _session(self) -> Session[Any]:
        session = self._source.connect(self._seconds + SPARE_SECONDS)
        sessions.settle(session, sessions.time_limit(self._seconds))
        with session.cursor() as cursor:
            cursor.execute(_SNAPSHOT)
        return session

    def _kill(self, number: int) -> None:
        import pymysql

        with (
            contextlib.suppress(AtollError, pymysql.err.Error),  # then it is read to its end
            self._source.connect(SHORTEST_TIMEOUT_SECONDS).cursor() as cursor,
        ):
            cursor.execute(f"KILL QUERY {number}")

    @property
    def _seconds(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)
