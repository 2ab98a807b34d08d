"""Lets DuckDB see one part in one snapshot of PostgreSQL, which a session of ours keeps open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater
from slices.collect.postgres import consistency, failures, snapshot
from slices.collect.postgres.consistency import state
from slices.collect.postgres.dialect import SOURCE
from systems.sql_source.parts import Part, comes_again

if TYPE_CHECKING:
    import duckdb
    from psycopg import Connection as Session

    from slices.collect.postgres.client import PostgresSource

SHORTEST_TIMEOUT_SECONDS = 5.0
SPARE_SECONDS = 10.0  # between a statement's timeout and the deadline


class PostgresScan:
    """The Scan of systems/sql_source; its sessions end with the source's."""

    extensions: tuple[str, ...] = ("postgres_scanner",)

    def __init__(
        self, source: PostgresSource, request: ExtractRequest, deadline: Deadline, part: Part, before: Mapping[str, str] | None
    ) -> None:
        self._source, self._deadline, self._part, self._place = source, deadline, part, str(request.flow.position)
        self.state = before
        self._snapshot = self._take_snapshot(unchanged=bool(part.end_page) and not comes_again(request.flow))

    def attach(self, connection: duckdb.DuckDBPyConnection, workers: int) -> None:
        import duckdb

        address = self._source.address
        connection.execute(f"SET pg_connection_limit = {workers + 1}")
        try:
            connection.execute(f"CREATE SECRET source (TYPE postgres, PASSWORD {literal(address.password)})")
            connection.execute(
                f"ATTACH {literal(address.conninfo(password=False))} AS {SOURCE} (TYPE postgres, SECRET source, READ_ONLY)"
            )
        except duckdb.Error as error:
            raise self._source.connection_error(str(error)) from None

    def settle(self, cursor: duckdb.DuckDBPyConnection, asked: str) -> None:
        settled = f"SET TRANSACTION SNAPSHOT {literal(self._snapshot)}; {self._source.settling(self._limits, local=True)}"
        cursor.execute(f"CALL postgres_execute({literal(SOURCE)}, {literal(settled)})")

    def check(self) -> None:
        """Raises RetryLater where a partition or an heir has come or gone meanwhile, which no lock of a reader keeps away: chunks
        have read a part of it."""
        if not self._files:
            return
        with self._source.translated(self._place):
            if state(self._source.connect(), self._part)["files"] != self._files:
                what = f"{self._part.reads} was given a partition, or lost one, while it was read"
                raise RetryLater(what, place=self._place, remedy="nothing, it is read again")

    def close(self) -> None:
        """Does nothing: the source closes its sessions."""

    def _take_snapshot(self, *, unchanged: bool) -> str:
        """A snapshot that other sessions can read as well while this one's transaction is open."""
        with self._source.translated(self._place):
            session = self._source.connect()
            reads = dict.fromkeys(source for source in (self._part.reads, self._part.left_reads) if source)
            snapshot.begin(session, tuple(reads), self._statement_seconds, self._place)
            self._files = state(session, self._part)["files"] if self._part.end_page else ""
            if unchanged:
                self._check_state(session)
            return snapshot.export(session)

    def _check_state(self, session: Session[Any]) -> None:
        if self.state and consistency.changed(session, self._part, self.state):
            raise DefinitionError(
                f"{self._part.reads} was written to while it was read in more than one call: rows could be missing or double",
                place=self._place,
                remedy="give it a CURSOR and MERGE ON its key, read fewer columns, or collect it from a replica that stands still",
            )
        self.state = consistency.state(session, self._part)

    @property
    def _statement_seconds(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, SHORTEST_TIMEOUT_SECONDS)

    @property
    def _limits(self) -> dict[str, str]:
        return {"statement_timeout": f"{self._statement_seconds * 1000:.0f}", "lock_timeout": f"{snapshot.LOCK_SECONDS}s"}

    def cause(self, error: duckdb.Error, asked: str) -> AtollError:
        """The cause of a failed statement. DuckDB gives only a text, which may quote a row: PostgreSQL is asked for its SQLSTATE.

        What it does not refuse then has passed by itself, where it was the server's or the connection's, or DuckDB refuses the value.
        """
        import duckdb
        import psycopg

        text = str(error)
        broke_off, state = isinstance(error, duckdb.IOException), failures.state_of(text)
        if broke_off and state == failures.CANCELLED and self._deadline.seconds_left <= SPARE_SECONDS:
            return failures.ended(state, self._place)
        try:
            self._ask(asked)
        except psycopg.errors.QueryCanceled as cancelled:
            known = broke_off and failures.is_of_server(text) and not state
            return failures.unreadable(self._place) if known else failures.ended(cancelled.sqlstate or "", self._place)
        except psycopg.Error as refused:
            return failures.statement_error(refused, self._place)
        if broke_off:
            return failures.ended(state, self._place)
        if isinstance(error, duckdb.InvalidInputException) and text.startswith("Invalid Input Error: Expected an array with "):
            return failures.of_more_dimensions(self._place)
        return failures.unreadable(self._place)

    def _ask(self, asked: str) -> None:
        """Reads all of it in the snapshot, without keeping any. Raises psycopg.Error, and RetryLater where the snapshot is gone."""
        import psycopg

        session = self._source.connect()
        try:
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.execute(f"SET TRANSACTION SNAPSHOT {literal(self._snapshot)}")
        except psycopg.Error:
            raise failures.ended("", self._place) from None
        session.execute(self._source.settling(self._limits, local=True))
        with session.cursor().copy(f"COPY ({asked}\n) TO STDOUT (FORMAT binary)") as answer:
            while answer.read():
                pass
