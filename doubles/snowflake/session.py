"""The statements of one request in a session of their own, as Snowflake runs them.

Without BEGIN each commits by itself; what defines something commits what is open; who changes a table's rows locks it until the
transaction ends; a session that ends with an open transaction rolls it back. https://docs.snowflake.com/en/sql-reference/transactions
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
from sqlglot import exp

from doubles.interrupts import Interrupts
from doubles.snowflake import files, words
from doubles.snowflake.calls import MACROS
from doubles.snowflake.errors import StatementFailed, cancelled, failed
from doubles.snowflake.words import Said

LOCK_SECONDS = 30.0  # https://docs.snowflake.com/en/sql-reference/parameters, LOCK_TIMEOUT is 12 hours there


@dataclass
class Outcome:
    """What a statement gave.  columns: name and DuckDB's type of each."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    count: int = 0


@dataclass
class Database:
    """A database: DuckDB in memory.  stages: 'S3 bucket/prefix' by their written names."""

    connection: duckdb.DuckDBPyConnection = field(default_factory=lambda: _with_macros(duckdb.connect(":memory:")))
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, table: str) -> threading.Lock:
        with self.guard:
            return self.locks.setdefault(table, threading.Lock())


def _with_macros(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute(MACROS)
    return connection


class Session:
    """stage: a stage's name ▸ S3's client, the bucket and the prefix. Raises StatementFailed for one that is not there."""

    def __init__(self, database: Database, stage: Callable[[str], tuple[Any, str, str]]) -> None:
        self._database, self._stage = database, stage
        self._cursor = database.connection.cursor()
        self._cursor.execute("SET TimeZone = 'UTC'")
        self._open, self._begun, self._held = False, False, dict[str, threading.Lock]()
        self._interrupts = Interrupts(self._cursor)
        self.stopped, self.stop = self._interrupts.asked, self._interrupts.ask

    def run(self, said: Said) -> Outcome:
        """Raises StatementFailed; then the transaction, if one is open, stays so."""
        if self.stopped.is_set():
            raise cancelled()
        try:
            return self._run(said)
        except duckdb.Error as error:
            raise failed(error) from None
        except OverflowError:
            raise StatementFailed("100035", "22007", "Timestamp is out of range") from None

    def end(self) -> None:
        """What is not committed is rolled back."""
        self._interrupts.end()
        self._finish("ROLLBACK")
        self._cursor.close()

    def _run(self, said: Said) -> Outcome:
        if said.kind == words.BEGIN:
            self._finish("COMMIT")
            self._open = True
            return _message("Statement executed successfully.")
        if said.kind == words.SESSION:  # what DuckDB has not, whose casts, weeks and names are those that are asked for
            return _message("Statement executed successfully.")
        if said.kind in (words.COMMIT, words.ROLLBACK):
            self._finish(said.kind)
            return _message("Statement executed successfully.")
        if said.kind == words.DDL:
            self._finish("COMMIT")  # "DDL statements … commit an open transaction"
            if said.text.startswith("CREATE TABLE IF NOT EXISTS") and self._there(said.table):
                return _message("already exists, statement succeeded.")
            if said.text:
                self._cursor.execute(said.text)
            for column, comment in said.comments:
                quoted = column.replace('"', '""')
                self._cursor.execute(f"COMMENT ON COLUMN {said.table}.\"{quoted}\" IS '{comment}'")
            return _message("Statement executed successfully.")
        try:
            self._begin(said.writes)
            with self._interrupts.apply():
                found = self._changed(said)
        finally:
            if not self._open:
                self._finish("ROLLBACK" if self.stopped.is_set() else "COMMIT")
        return found

    def _there(self, table: str) -> bool:
        try:
            self._cursor.execute(f"SELECT 1 FROM {table} LIMIT 0")
        except duckdb.CatalogException:
            return False
        return True

    def _changed(self, said: Said) -> Outcome:
        if said.kind == words.COPY:
            assert isinstance(said.tree, exp.Copy)
            return Outcome(*files.copied(self._cursor, said.tree, self._stage))
        result = self._cursor.execute(said.text)
        columns = [(str(name), str(kind)) for name, kind, *_ in result.description or ()]
        found = result.to_arrow_table() if columns else None
        rows = [*zip(*(column.to_pylist() for column in found.columns), strict=True)] if found is not None else []
        if said.kind == words.DML:
            count = int(rows[0][0]) if rows else 0
            return Outcome([("number of rows changed", "BIGINT")], [(count,)], count)
        return Outcome(columns, rows, len(rows))

    def _begin(self, writes: str) -> None:
        if writes and writes not in self._held:
            lock = self._database.lock(writes)
            if not lock.acquire(timeout=LOCK_SECONDS):
                raise StatementFailed("000625", "57014", f"a transaction has locked table '{writes}', not yet released.")
            self._held[writes] = lock
        if not self._begun:
            self._cursor.execute("BEGIN TRANSACTION")
            self._begun = True

    def _finish(self, how: str) -> None:
        try:
            if self._begun:
                try:
                    self._cursor.execute(how)
                except duckdb.Error as error:
                    if how == "COMMIT":
                        raise failed(error) from None
        finally:
            self._open = self._begun = False
            while self._held:
                self._held.popitem()[1].release()


def _message(text: str) -> Outcome:
    return Outcome([("status", "VARCHAR")], [(text,)])
