"""A captured table of a PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from shared_metadata.contract.collect import OpenSource
from shared_metadata.contract.parquet.duckdb_session import identifier
from slices.collect.postgres.capture.table_log import PostgresLog
from slices.collect.postgres.capture.watching import bounds_of
from slices.collect.postgres.client import open_source
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_types import CASES
from tests.conformance.capturing import CapturingSource
from tests.databases import lent

SETTINGS = ("wal_level = 'logical'", "synchronous_commit = on", "max_replication_slots = 20")


EXECUTE = psycopg.Cursor.execute
TYPES = (
    *("CREATE TYPE mood AS ENUM ('sad', 'très content')", "CREATE TYPE pair AS (first int, second text)"),
    *("CREATE DOMAIN email AS text CHECK (value LIKE '%@%')", "CREATE DOMAIN price AS numeric(8, 3)"),
)
VALUES = {kind: [*values] for kind, (_, values) in CASES.items() if values}
# Of `CapturingSource.done`.
DONE = {
    "insert": ("INSERT INTO thing VALUES ({0}, 'made {1}', repeat('{1}', 9000)) ON CONFLICT (id) DO UPDATE SET name = 'met {1}'",),
    "update": ("UPDATE thing SET name = 'changed {1}' WHERE id = {0}",),
    "large": ("UPDATE thing SET big = repeat('{1}', 8000) WHERE id = {0}",),
    "delete": ("DELETE FROM thing WHERE id = {0}",),
    "move": ("UPDATE thing SET id = {1} WHERE id = {0} AND NOT EXISTS (SELECT FROM thing WHERE id = {1})",),
    "truncate": ("TRUNCATE thing",),
    "abort": ("BEGIN", "DELETE FROM thing WHERE id = {0}", "INSERT INTO thing VALUES ({1} + 100, 'lost')", "ROLLBACK"),
}


class Capturing(CapturingSource):
    """Large values that do not change the log leaves out."""

    declaration, table, log = SLICE, "public.thing", PostgresLog
    values = VALUES
    no_day, done = "10000-01-01", DONE

    def make(self, columns: str = "id int PRIMARY KEY, name text, big text", *, publish: bool = True) -> None:
        """Makes the table, gives the user the right to read the log, and publishes the table."""
        if " mood" in columns:
            self.all(*TYPES)
        self.database.run(f"CREATE TABLE thing ({columns})")
        if "big text" in columns:
            self.database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
        self.database.run(f'ALTER ROLE "{self.database.user}" REPLICATION')
        if publish:
            self.database.run("CREATE PUBLICATION atoll FOR TABLE thing")

    def opened(self) -> OpenSource:
        cloud, owner = self.cloud, "a bucket"
        bounds = lambda: bounds_of(cloud.reader.programs(), cloud.clock(), owner)  # noqa: E731
        return partial(open_source, aws=self.cloud.session, owner=owner, bounds=bounds)

    def source(self, columns: str = "*") -> list[dict[str, Any]]:
        found = self.database.run(f"SELECT to_json(every.*) FROM (SELECT {columns} FROM thing ORDER BY 1) AS every")
        return [row if isinstance(row, dict) else json.loads(row) for (row,) in found]

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[..., None]]:
        with connected(self) as session:

            def run(*statements: str) -> None:
                for statement in statements:
                    session.execute(statement)  # type: ignore[call-overload]

            yield run

    def quoted(self, name: str) -> str:
        return identifier(name)

    def forget(self) -> None:
        forget_slots(self.database)

    def lost(self) -> Exception:
        return psycopg.OperationalError("server closed the connection unexpectedly")

    @contextlib.contextmanager
    def striking(self, striking: Any) -> Iterator[None]:
        """The statements of the slice's sessions."""

        def execute(cursor: Any, *given: Any, **more: Any) -> Any:
            if cursor.connection.info.get_parameters().get("application_name") != "atoll":
                return EXECUTE(cursor, *given, **more)
            return striking.does(lambda: EXECUTE(cursor, *given, **more), cursor.connection.close)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(psycopg.Cursor, "execute", execute)
            yield

    def slot(self) -> dict[str, Any]:
        """The table's slot, '' for none."""
        found = self.database.run("SELECT to_json(s) FROM pg_replication_slots s WHERE database = current_database()")
        return found[0][0] if found else {}


@contextlib.contextmanager
def lent_captured(server: tuple[str, int]) -> Iterator[Database]:
    with lent(*server, "read", lambda name: Database(*server, name).create(), lambda name: Database(*server, name).drop()) as name:
        database = Database(*server, name)
        try:
            yield database
        finally:
            ended(database)
            forget_slots(database)


def forget_slots(database: Database) -> None:
    database.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")


def ended(database: Database) -> None:
    """Ends all other sessions, and those that read its log."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    database.run(f"SELECT pg_terminate_backend(pid, 5000) {others}")


def connected(capturing: Capturing) -> psycopg.Connection[Any]:
    d = capturing.database
    return psycopg.connect(host=d.host, port=d.port, dbname=d.name, user="postgres", autocommit=True)
