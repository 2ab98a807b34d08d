"""A database of one test's own, as the conformance suite and the slice's tests use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymysql.cursors import DictCursor

from shared_metadata.program.schema import SchemaColumn
from slices.harness.mysql import column_types, session
from slices.harness.mysql.handlers import open_catalog, open_target
from slices.harness.mysql.logic import UTC as MOMENTS
from slices.harness.mysql.logic import MysqlDialect
from slices.harness.mysql.statements import quote
from tests import mariadb
from tests.conformance import hostile
from tests.conformance.harness import Limits, Rows

# As the README lists them.
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE"
GRANTS = (f"{RIGHTS} ON {{name}}.*", f"{RIGHTS}, DROP ON {{name}}_atoll.*")
LIMITS = Limits(
    described={
        "time": "string",  # MySQL's is a span of up to 838 hours
        "timestamptz": "timestamp",  # its own ends in 2038
        "uuid": "string",
        **dict.fromkeys(("list<int>", "list<string>"), "string"),
    },
    infinity=False,
    names=frozenset(n for n in hostile.NAMES if n.endswith(" ") or any(ord(c) > 0xFFFF for c in n)),
)


class Database:
    """A database of one test's own, with a user who publishes; the suite's TargetUnderTest."""

    slice_id, connection, sessions = "harness.mysql", "ops", session
    open_target, open_catalog = staticmethod(open_target), staticmethod(open_catalog)

    def __init__(self, of: mariadb.Database) -> None:
        self.of, self.name, self.receipts_schema = of, of.name, f"{of.name}_atoll"
        self.table, self.options = f"{of.name}.scorecard", {"receipts_schema": self.receipts_schema}
        self.secret = of.secret
        self.refused = {**self.secret, "password": "wr0ng-passw0rd"}
        self.down = {**self.secret, "port": 1}
        self.dialect = MysqlDialect(of.name, "utf8mb4_nopad_bin")

    def drop_receipts(self) -> None:
        self.of.server.run(f"DROP DATABASE IF EXISTS {self.receipts_schema}")

    def execute(self, statement: str, values: Sequence[Any] | None = None) -> Rows:
        """As root, in a session that takes zero dates and the like."""
        with self.of.connect() as root, root.cursor(DictCursor) as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        plain = [{"name": c.name, "type": c.type} for c in columns]
        self.execute(self.dialect.create_table(self.dialect.new_table(self.name, "scorecard", plain, key), key))

    def make(self, definition: str) -> None:
        self.execute(f"CREATE TABLE {definition}")

    def tables_of_receipts(self) -> list[str]:
        said = "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s ORDER BY 1"
        return [row["name"] for row in self.execute(said, [self.receipts_schema])]

    @contextmanager
    def transaction(self) -> Iterator[tuple[Callable[[str], Any], Callable[[], None]]]:
        with self.of.connect() as connection, connection.cursor() as cursor:
            connection.begin()
            yield cursor.execute, connection.commit

    def insert(self, rows: Rows) -> None:
        for row in rows:
            listed, marks = ", ".join(map(quote, row)), ", ".join(["%s"] * len(row))
            self.execute(f"INSERT INTO scorecard ({listed}) VALUES ({marks})", list(row.values()))

    def rows(self) -> Rows:
        said = "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND COLUMN_COMMENT = %s"
        moments = {row["name"] for row in self.execute(said, (self.name, MOMENTS))}
        found = self.execute("SELECT * FROM scorecard")
        return [{name: _told(value, name in moments) for name, value in row.items()} for row in found]

    def widen(self, column: str, type: str) -> None:
        self.execute(f"ALTER TABLE scorecard MODIFY COLUMN {quote(column)} {column_types.made(type)}")

    def read_while(self, during: Callable[[], Any]) -> list[int]:
        seen: list[int] = []
        stop, started = threading.Event(), threading.Event()

        def read() -> None:
            with self.of.connect() as root, root.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("SELECT count(*) FROM scorecard")
                    seen.append(cursor.fetchone()[0])
                    started.set()

        reader = threading.Thread(target=read)
        reader.start()
        started.wait(10)
        try:
            during()
        finally:
            stop.set()
            reader.join()
        return seen


def _told(value: Any, moment: bool) -> Any:
    if isinstance(value, timedelta):
        return (datetime.min + value).time()
    return value.replace(tzinfo=UTC) if moment and isinstance(value, datetime) else value
