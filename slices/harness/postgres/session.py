"""A session with PostgreSQL, as systems/sql_target asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError
from shared_metadata.program import Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import receipts, refusals
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.defaults import Defaults
from slices.harness.postgres.kept import KeptRows
from slices.harness.postgres.logic import PostgresDialect
from systems.postgres.address import Address
from systems.sql_target.dialect import Dialect, Values
from systems.sql_target.table import TargetColumn, TargetTable

T = TypeVar("T")
_TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)"


class PostgresSession:
    """The Session of systems/sql_target. origin: where the connection is declared."""

    error: type[Exception] = psycopg.Error

    def __init__(self, address: Address, origin: str, reference: str, deadline: Deadline) -> None:
        self.dialect: Dialect = PostgresDialect()
        self._user, self._origin = address.username, origin
        with refusals.translated(origin, None, address.username):
            self.connection = db.connect(address, origin, reference, deadline)
        self._defaults = Defaults(self.connection)

    def ask(self, question: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(question, values or None).fetchall()

    def run(self, statement: str, values: Values = ()) -> int:
        return self.connection.execute(statement, values or None).rowcount

    def insert(self, statement: str, rows: Sequence[Values]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def transaction(self) -> AbstractContextManager[Any]:
        return self.connection.transaction()

    def retried(self, work: Callable[[], T]) -> T:
        return db.retried(work)

    @contextmanager
    def wait(self) -> Iterator[None]:
        self.connection.execute("SET LOCAL lock_timeout = 0")
        yield
        self.connection.execute(f"SET LOCAL lock_timeout = {int(db.LOCK_SECONDS * 1000)}")

    def copy(self, stage: str, columns: Sequence[str], blocks: Iterable[bytes]) -> None:
        into = f"COPY {stage} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
        with self.connection.cursor() as cursor, cursor.copy(into) as rows:
            for block in blocks:
                rows.write(block)

    def analyze(self, stage: str) -> None:
        self.connection.execute(f"ANALYZE {stage}")

    def tables(self, schema: str, prefix: str) -> list[str]:
        return [name for (name,) in self.ask(_TABLES, (schema, prefix))]

    def read_table(self, schema: str, name: str) -> TargetTable | None:
        return read_table(self.connection, schema, name)

    def check_table(self, table: TargetTable, place: str) -> None:
        if table.guarded:
            raise refusals.row_security(table, place, self._user)

    def ensure_receipts(self, schema: str, table: str) -> None:
        receipts.ensure(self.connection, schema, table, self.dialect.receipts, self._user, self._origin)

    def lock(self, schema: str, flow: str) -> None:
        self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number(flow),))

    def kept(
        self, table: TargetTable, mode: Mode, stage: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn], place: str
    ) -> KeptRows | None:
        return KeptRows(self.connection, table, mode, stage, columns, key, place) if table.before else None

    def is_of_uniqueness(self, error: Exception) -> bool:
        return isinstance(error, (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation))

    def refusal(self, error: Exception, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
        if not isinstance(error, psycopg.Error) or refusals.refers_to_what_goes(error, table):
            return ""
        why = refusals.refusal(error, table, columns)
        return "" if why and self._defaults.failing(error, table) else why

    def explained(self, error: Exception, place: str, table: TargetTable | None, columns: Sequence[str]) -> AtollError:
        assert isinstance(error, psycopg.Error)
        if refusals.refusal(error, table, columns) and table and (column := self._defaults.failing(error, table)):
            return refusals.failing_default(error, table, column, place)
        return refusals.explained(error, place, table, self._user, columns)

    def missing_parent(self, error: Exception, table: TargetTable | None) -> str:
        return refusals.missing_parent(error, table) if isinstance(error, psycopg.Error) else ""

    def close(self) -> None:
        self.connection.close()


def lock_number(flow: str) -> int:
    """A flow's number for pg_advisory_xact_lock, a signed 64-bit integer."""
    return int.from_bytes(hashlib.sha256(f"atoll {flow}".encode()).digest()[:8], "big", signed=True)
