"""A captured table of a PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg

from shared_metadata.contract.collect import OpenSource
from slices.collect.postgres.client import open_source
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.tests.database import Database
from tests.conformance.capturing import STAGED, CapturingSource, begun, staged
from tests.databases import lent

__all__ = ["STAGED", "begun", "staged"]
SETTINGS = ("wal_level = 'logical'", "synchronous_commit = on", "max_replication_slots = 20")


class Capturing(CapturingSource):
    declaration, table = SLICE, "public.thing"

    def make(self, columns: str = "id int PRIMARY KEY, name text, big text", *, publish: bool = True) -> None:
        """Makes the table, gives the user the right to read the log, and publishes the table."""
        self.database.run(f"CREATE TABLE thing ({columns})")
        self.database.run(f'ALTER ROLE "{self.database.user}" REPLICATION')
        if publish:
            self.database.run("CREATE PUBLICATION atoll FOR TABLE thing")

    def opened(self) -> OpenSource:
        return partial(open_source, aws=self.cloud.session, owner="a bucket")

    def source(self, columns: str = "*") -> list[dict[str, Any]]:
        found = self.database.run(f"SELECT to_json(every.*) FROM (SELECT {columns} FROM thing ORDER BY 1) AS every")
        return [row if isinstance(row, dict) else json.loads(row) for (row,) in found]

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
