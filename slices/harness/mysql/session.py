"""A session with MySQL or MariaDB, as systems/sql_target asks for it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pymysql

from shared_metadata.contract.results.records import fields_of
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError
from shared_metadata.program import Mode
from slices.harness.mysql import receipts, refusals
from slices.harness.mysql.catalog import read_table
from slices.harness.mysql.logic import MysqlDialect
from systems.mysql import sessions
from systems.mysql.address import Address
from systems.mysql.failures import PASSING, number_of
from systems.sql_target.dialect import Dialect, Values
from systems.sql_target.table import TargetColumn, TargetTable

LOCK_SECONDS = 15
IDLE_SECONDS = 60  # in a transaction, between two statements: then its worker is gone, and what it locked is free again
PACKET_BYTES = 4 << 20  # of rows at a time
PACKET_SPARE = 4096
TRIES = 4
BROKEN_OFF = (1213,)  # for another transaction's sake
T = TypeVar("T")
# Collations that know spaces at the end, and every letter's case: MySQL's, MariaDB's.
_EXACT = ("utf8mb4_0900_bin", "utf8mb4_nopad_bin")
_COLLATIONS = "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN %s"
_TABLES = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND LEFT(TABLE_NAME, CHAR_LENGTH(%s)) = %s"


class MysqlSession:
    """The Session of systems/sql_target. origin: where the connection is declared."""

    error: type[Exception] = pymysql.err.Error

    def __init__(self, address: Address, origin: str, reference: str, deadline: Deadline) -> None:
        seconds = max(deadline.seconds_left, 1.0)
        self._user, self._origin, self._deadline, self._depth = address.username, origin, deadline, 0
        self.connection = sessions.connect(address, reference=reference, place=origin, seconds=seconds)
        try:
            self._packet, collation = self._settle(seconds)
        except pymysql.err.Error as error:
            self.close()
            raise self.explained(error, origin, None, ()) from None
        self.dialect: Dialect = MysqlDialect(address.dbname, collation)

    def _settle(self, seconds: float) -> tuple[int, str]:
        """The bytes of a packet, and the collation of tables that are made."""
        modes = f"{sessions.SETTINGS['sql_mode']},NO_AUTO_VALUE_ON_ZERO"
        locks: dict[str, str | int] = {"innodb_lock_wait_timeout": LOCK_SECONDS, "lock_wait_timeout": LOCK_SECONDS}
        sessions.settle(self.connection, {"sql_mode": modes, **locks, **sessions.time_limit(seconds)})
        (packet,) = self.ask("SELECT @@max_allowed_packet")[0]
        exact = [name for (name,) in self.ask(_COLLATIONS, (_EXACT,))]
        return int(packet), exact[0] if exact else "utf8mb4_bin"

    def ask(self, question: str, values: Values = ()) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            cursor.execute(question, tuple(values) or None)
            return list(cursor.fetchall())

    def run(self, statement: str, values: Values = ()) -> int:
        with self._cursor() as cursor:
            return int(cursor.execute(statement, tuple(values) or None))

    def insert(self, statement: str, rows: Sequence[Values]) -> None:
        with self._cursor() as cursor:
            cursor.executemany(statement, rows)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """A cursor whose errors tell whether a trigger met them."""
        with self.connection.cursor() as cursor:
            try:
                yield cursor
            except pymysql.err.Error as error:
                if trigger := self._trigger() if number_of(error) not in PASSING else "":
                    raise refusals.InTrigger(number_of(error), str(error.args[-1]), trigger) from None
                raise

    def _trigger(self) -> str:
        with contextlib.suppress(pymysql.err.Error), self.connection.cursor() as cursor:
            cursor.execute("SHOW WARNINGS")
            return refusals.trigger_of(cursor.fetchall())
        return ""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Where the server has undone all of it (deadlock), or is gone, there is nothing to undo."""
        self._depth += 1
        within, name = self._depth > 1, f"s{self._depth}"
        if not within:
            self.run(f"SET SESSION wait_timeout = {IDLE_SECONDS}")
        self.run(f"SAVEPOINT {name}" if within else "START TRANSACTION")
        try:
            yield
            self.run(f"RELEASE SAVEPOINT {name}" if within else "COMMIT")
        except BaseException:
            with contextlib.suppress(pymysql.err.Error):
                self.run(f"ROLLBACK TO SAVEPOINT {name}" if within else "ROLLBACK")
            raise
        finally:
            self._depth -= 1
            if not within:
                with contextlib.suppress(pymysql.err.Error):
                    self.run(f"SET SESSION wait_timeout = {sessions.SETTINGS['wait_timeout']}")

    def retried(self, work: Callable[[], T]) -> T:
        for attempt in range(1, TRIES + 1):
            try:
                return work()
            except pymysql.err.Error as error:
                if number_of(error) not in BROKEN_OFF or attempt == TRIES:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def wait(self) -> Iterator[None]:
        self.run(f"SET SESSION innodb_lock_wait_timeout = {max(int(self._deadline.seconds_left), 1)}")
        try:
            yield
        finally:
            with contextlib.suppress(pymysql.err.Error):
                self.run(f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}")

    def copy(self, stage: str, columns: Sequence[str], blocks: Iterable[bytes]) -> None:
        """Inserts by statements of many rows each. What does not fit into a packet is refused before the server would hang up."""
        into = f"INSERT INTO {stage} ({', '.join(columns)}) VALUES ".encode()
        most = min(PACKET_BYTES, self._packet - PACKET_SPARE)
        rows, size = list[bytes](), len(into)
        for row in _rows(blocks):
            if rows and size + len(row) > most:
                self._send(into, rows)
                rows, size = [], len(into)
            rows.append(row)
            size += len(row) + 1
        if rows:
            self._send(into, rows)

    def _send(self, into: bytes, rows: Sequence[bytes]) -> None:
        statement = into + b",".join(rows)
        if len(statement) > self._packet - PACKET_SPARE:
            raise pymysql.err.DataError(refusals.TOO_LARGE, "")
        with self._cursor() as cursor:
            cursor.execute(statement)

    def analyze(self, stage: str) -> None:
        self.run(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {stage}")

    def tables(self, schema: str, prefix: str) -> list[str]:
        return [name for (name,) in self.ask(_TABLES, (schema, prefix, prefix))]

    def read_table(self, schema: str, name: str) -> TargetTable | None:
        return read_table(self.ask, schema, name)

    def check_table(self, table: TargetTable, place: str) -> None:
        """No policy hides rows here."""

    def ensure_receipts(self, schema: str, table: str) -> None:
        receipts.ensure(self, schema, table, self._user, self._origin)

    def lock(self, schema: str, flow: str) -> None:
        """A row of the table of locks, which is made with the receipts."""
        locks = f"{self.dialect.quote(schema)}.{receipts.LOCKS}"
        digest = hashlib.sha256(flow.encode()).hexdigest()
        self.run(f"INSERT INTO {locks} (flow) VALUES (%s) ON DUPLICATE KEY UPDATE flow = flow", (digest,))

    def kept(
        self, table: TargetTable, mode: Mode, stage: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn], place: str
    ) -> None:
        """No trigger leaves a row out without an error."""

    def is_of_uniqueness(self, error: Exception) -> bool:
        return number_of(error) in refusals.DOUBLES and not isinstance(error, refusals.InTrigger)

    def refusal(self, error: Exception, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
        return refusals.refusal(error, table, columns)

    def explained(self, error: Exception, place: str, table: TargetTable | None, columns: Sequence[str]) -> AtollError:
        return refusals.explained(error, place, table, self._user, columns)

    def missing_parent(self, error: Exception, table: TargetTable | None) -> str:
        return refusals.missing_parent(error)

    def close(self) -> None:
        with contextlib.suppress(pymysql.err.Error):
            self.connection.close()


def _rows(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Each record of a CSV of literals as a row of VALUES."""
    for record in fields_of(blocks):
        yield f"({','.join(value or 'NULL' for value in record)})".encode()
