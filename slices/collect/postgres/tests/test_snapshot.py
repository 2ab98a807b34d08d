"""What is read in one snapshot is there as the snapshot shows it, whatever is done to its files meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection, Mode, Position
from slices.collect.postgres import snapshot
from slices.collect.postgres.client import open_source
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_source import collect, near_its_end_at_first, staged
from systems.sql_source import chunks as sql_chunks
from systems.sql_source import parts as sql_parts
from systems.sql_source.parts import LINES
from tests.conformance.collect import Collecting

BASE = "CREATE TABLE b (id int, note text); INSERT INTO b SELECT i, repeat('x', 400) FROM generate_series(1, 2000) i;"
TABLE = BASE.replace(" b ", " t ")
# What others wait to do while a table is read ▸ what is there, and what they do. None of it keeps to snapshots (baserow #1190), and
# behind a lock against it nobody of ours may wait (gpbackup #434, #479).
REWRITES = {
    "TRUNCATE": (TABLE, "TRUNCATE t; INSERT INTO t VALUES (-1, 'new')"),
    "VACUUM FULL": (f"{TABLE} DELETE FROM t WHERE id % 2 = 0;", "VACUUM FULL t"),
    "a changed type": (TABLE, "ALTER TABLE t ALTER id TYPE bigint"),
    "CLUSTER": (f"{TABLE} CREATE INDEX by_number ON t ((-id));", "CLUSTER t USING by_number"),
    "REFRESH": (
        f"{BASE} CREATE MATERIALIZED VIEW t AS SELECT * FROM b;",
        "UPDATE b SET id = -id; REFRESH MATERIALIZED VIEW t",
    ),
    "a partition's TRUNCATE": (
        (
            f"{BASE} CREATE TABLE t (LIKE b) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (1500);"
            "CREATE TABLE q PARTITION OF t DEFAULT; INSERT INTO t SELECT * FROM b;"
        ),
        "TRUNCATE p",
    ),
}


class Meanwhile:
    """Before the chunk of this number is read another session begins a statement, and goes on as soon as it may."""

    def __init__(self, database: Database, statements: str, chunk: int) -> None:
        self._database, self._statements, self._chunk, self._chunks = database, statements, chunk, 0
        self._thread: threading.Thread | None = None

    def __call__(self, made: Callable[..., str]) -> Callable[..., str]:
        def making(*arguments: Any) -> str:
            self._chunks += 1
            if self._chunks == self._chunk:
                self._thread = threading.Thread(target=self._work)
                self._thread.start()
                self._wait()
            return made(*arguments)

        return making

    def _work(self) -> None:
        with suppress(psycopg.Error):
            for statement in self._statements.split(";"):
                self._database.run(statement)

    def _wait(self) -> None:
        """Until it waits for a lock, or is done."""
        assert self._thread is not None
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while self._thread.is_alive() and self._database.run(waiting) == [(0,)]:
            self._thread.join(0.02)

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("what", REWRITES)
def test_a_table_is_not_rewritten_below_a_snapshot(
    collecting: Collecting, database: Database, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the read; the read does not wait for it: it ends, what was waiting is done, and the batch says why it failed."""
    setup, statements = REWRITES[what]
    for statement in setup.split(";"):
        database.run(statement)
    before = sorted(row for (row,) in database.run("SELECT id FROM t"))
    meanwhile = Meanwhile(database, statements, chunk=4)
    monkeypatch.setattr(snapshot, "LOCK_SECONDS", 1)
    monkeypatch.setattr(sql_chunks, "chunk_sql", meanwhile(sql_chunks.chunk_sql))
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    collect(collecting, "public.t")
    run = collecting.run(record_errors=True)
    meanwhile.join()
    error = run.errors[collecting.dataset]
    assert isinstance(error, DefinitionError) and "was written to while it was read" in str(error)
    collecting.cloud.clock.advance(hours=1)
    collecting.run()
    after = sorted(row for (row,) in database.run("SELECT id FROM t"))
    assert sorted(row["id"] for row in staged(collecting)) == after and (after != before or what not in ("TRUNCATE", "REFRESH"))


def test_a_table_with_a_cursor_is_let_through_and_read_to_its_end(
    collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(TABLE)
    meanwhile = Meanwhile(database, "ALTER TABLE t ADD COLUMN more int DEFAULT 1", chunk=4)
    monkeypatch.setattr(snapshot, "LOCK_SECONDS", 1)
    monkeypatch.setattr(sql_chunks, "chunk_sql", meanwhile(sql_chunks.chunk_sql))
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    collect(collecting, "public.t", mode=Mode.MERGE, key=("id",), cursor="id")
    assert collecting.run().calls["extract"] > 1
    meanwhile.join()
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 2001))


class Between:
    """A session before whose first reading statement, when its snapshot is taken, somebody else does something, so many times."""

    def __init__(self, session: Any, database: Database, statement: str, times: int) -> None:
        self._session, self._database, self._statement, self._times = session, database, statement, times

    def execute(self, statement: str, *values: Any) -> Any:
        if statement.startswith("SELECT 1 FROM") and self._times:
            self._times -= 1
            self._database.run(self._statement)
        return self._session.execute(statement, *values)


def test_a_table_that_is_rewritten_between_snapshot_and_lock_is_looked_at_again(database: Database) -> None:
    database.run(TABLE)
    source = open_source(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), database.secret, aws=None)
    session = source.connect()
    try:
        again = "TRUNCATE t; INSERT INTO t SELECT generate_series(1, 3)"
        snapshot.begin(Between(session, database, again, 1), ["t"], 10.0, "here")  # type: ignore[arg-type]
        assert session.execute("SELECT count(*) FROM t").fetchone() == (3,)
        session.execute("ROLLBACK")
        with pytest.raises(RetryLater, match="again and again"):
            snapshot.begin(Between(session, database, again, 99), ["t"], 10.0, "here")  # type: ignore[arg-type]
    finally:
        source.close()


def test_rows_of_an_heir_that_move_between_calls_are_noticed(collecting: Collecting, database: Database) -> None:
    """pgcopydb #33: the rows of tables that inherit are in files of their own."""
    database.run(f"CREATE TABLE t (id int, note text); {BASE} ALTER TABLE b INHERIT t")
    collect(collecting, "public.t")
    run = collecting.run(context=near_its_end_at_first(database, "VACUUM FULL b"), record_errors=True)
    assert "was written to while it was read" in str(run.errors[collecting.dataset])


@pytest.mark.parametrize("cursor", [{}, {"mode": Mode.MERGE, "key": ("id",), "cursor": "id"}], ids=["no cursor", "a cursor"])
def test_a_partition_that_is_attached_while_its_table_is_read_is_read_whole(
    collecting: Collecting, database: Database, cursor: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ATTACH PARTITION waits for no reader: chunks before it pass over its first pages, and those after it read the others."""
    database.run(
        f"{BASE} CREATE TABLE t (LIKE b) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2001)"
    )
    database.run("INSERT INTO t SELECT * FROM b; CREATE TABLE q AS SELECT id + 2000 AS id, note FROM b")
    attach = Meanwhile(database, "ALTER TABLE t ATTACH PARTITION q FOR VALUES FROM (2001) TO (9999)", chunk=4)
    monkeypatch.setattr(sql_chunks, "chunk_sql", attach(sql_chunks.chunk_sql))
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    collect(collecting, "public.t", **cursor)
    with pytest.raises(RetryLater, match="was given a partition"):
        collecting.run()
    attach.join()
    collecting.cloud.clock.advance(hours=2)
    collecting.run()
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 4001))
