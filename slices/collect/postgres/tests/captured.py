"""A captured table of a PostgreSQL whose log tells what changes: its batches, and what a warehouse would make of them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pyarrow.parquet as pq

from shared_metadata.contract.collect import CollectSteps, OpenSource
from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import TableState
from slices.collect.postgres.client import open_source
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.tests.database import Database
from tests.conformance.fixtures import BatchRun, Cloud, run_batch
from tests.databases import lent

HOUR, FLOW, HERE = 3600, "lake.raw.thing", Position("program.atoll", 7, 3)
STAGED = f"{FLOW}:staged"
SETTINGS = ("wal_level = 'logical'", "synchronous_commit = on", "max_replication_slots = 20")


@dataclass
class Capturing:
    """One captured table `thing` of the database, and the state that its batches have come to.

    key: of the MERGE.  stands: by key, what a warehouse has of the rows that are there.
    """

    cloud: Cloud
    database: Database
    key: tuple[str, ...] = ("id",)
    stands: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def make(self, columns: str = "id int PRIMARY KEY, name text, big text", *, publish: bool = True) -> None:
        """Makes the table, gives the user the right to read the log, and publishes the table."""
        self.database.run(f"CREATE TABLE thing ({columns})")
        self.database.run(f'ALTER ROLE "{self.database.user}" REPLICATION')
        if publish:
            self.database.run("CREATE PUBLICATION atoll FOR TABLE thing")

    def apply(self, columns: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Applies a program that captures the table. columns: of a query, name ▸ the source's; None for all."""
        self.cloud.put_secret("thing", self.database.secret)
        named = tuple(Column(name, source) for name, source in (columns or {}).items())
        how = {"mode": Mode.MERGE, "key": self.key, "capture": True, **more}
        masks = how.pop("masks", {})
        tables = (Table(STAGED, "public.thing", masks=masks),)
        flow = Flow(FLOW, Kind.COLLECT, SLICE.id, "lake", HOUR, tables, HERE, connection="out", columns=named, **how)
        connection = Connection("out", SLICE.system, {"secret": "thing", **(options or {})}, HERE)
        self.cloud.apply(Program({"out": connection}, {}, {FLOW: flow}))

    def steps(self, wrapped: Any = None) -> CollectSteps:
        """As a fresh process makes them."""
        opened: OpenSource = partial(open_source, aws=self.cloud.session, owner="a bucket")
        return CollectSteps(SLICE, self.cloud.services(SLICE.id), wrapped(opened) if wrapped else opened)

    def run(self, wrapped: Any = None, **how: Any) -> BatchRun:
        """The next batch, and what becomes of the warehouse by it."""
        before = self.version()
        found = run_batch(self.steps(wrapped), self.cloud.event(FLOW), **how)
        if self.version() != before:
            self.merge()
        return found

    def run_again(self, interval: Interval) -> None:
        """A batch that was made, once more."""
        run_batch(self.steps(), self.cloud.event(FLOW, rerun=True, interval=interval))
        self.merge()

    def later(self) -> None:
        """Until the lease of a batch that did not end is over."""
        self.cloud.clock.now += timedelta(hours=1)

    def state(self) -> TableState:
        return self.cloud.reader.states_of({FLOW: [STAGED]})[FLOW].tables[STAGED]

    def cursor(self) -> str:
        return self.state().cursor

    def last_interval(self) -> Interval:
        end = self.state().watermark
        return Interval(end - timedelta(seconds=HOUR), end)

    def version(self) -> Any:
        return self.cloud.reader.latest_version(STAGED)

    def merge(self) -> None:
        """Does with the latest batch what a load does."""
        manifest = self.cloud.manifest(STAGED)
        rows = [row for file in manifest["files"] for row in self._read(file["key"])]
        gone = [row for file in manifest["left"] for row in self._read(file["key"])]
        keys = [self._key(row) for row in rows]
        if manifest.get("whole"):
            self.stands.clear()
        for row in gone:
            self.stands.pop(self._key(row), None)
        self.stands |= dict(zip(keys, rows, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """What a warehouse has, by key, without Atoll's columns."""
        return [{n: v for n, v in self.stands[key].items() if n not in ("_batch", "_deleted")} for key in sorted(self.stands)]

    def source(self, columns: str = "*") -> list[dict[str, Any]]:
        """What the database has, by its first column."""
        found = self.database.run(f"SELECT to_json(every.*) FROM (SELECT {columns} FROM thing ORDER BY 1) AS every")
        return [row if isinstance(row, dict) else json.loads(row) for (row,) in found]

    def slot(self) -> dict[str, Any]:
        """The table's slot, '' for none."""
        found = self.database.run("SELECT to_json(s) FROM pg_replication_slots s WHERE database = current_database()")
        return found[0][0] if found else {}

    def manifest(self) -> dict[str, Any]:
        return self.cloud.manifest(STAGED)

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def _read(self, key: str) -> list[dict[str, Any]]:
        return pq.read_table(io.BytesIO(self.cloud.body(key))).to_pylist()


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


def begun(capturing: Capturing, rows: str) -> None:
    """The first batch, over these rows."""
    capturing.database.run(f"INSERT INTO thing VALUES {rows}")
    capturing.apply()
    capturing.run()
    assert capturing.rows() == capturing.source()


def staged(capturing: Capturing) -> tuple[int, int]:
    """How many rows the latest batch brought, and how many keys that are gone."""
    manifest = capturing.manifest()
    return sum(file["rows"] for file in manifest["files"]), sum(file["rows"] for file in manifest["left"])


def connected(capturing: Capturing) -> psycopg.Connection[Any]:
    d = capturing.database
    return psycopg.connect(host=d.host, port=d.port, dbname=d.name, user="postgres", autocommit=True)
