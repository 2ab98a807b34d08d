"""What publishing to PostgreSQL does beyond what every harness slice does: its types, constraints, permissions and locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.results.results import END_SECONDS, Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater, RowError
from shared_metadata.program import Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import refusals
from slices.harness.postgres.column_types import csv_value
from slices.harness.postgres.tests.database import Database
from systems.postgres.address import Address
from systems.sql_target.batch import Batch
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns

SECRET_VALUE = "v4lue-nobody-may-see"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


def way(cloud: Cloud, target: Database, key: tuple[str, ...] = ("id",), **options: Any) -> Way:
    shape = columns(**options.pop("shape", {"id": "long", "x": "string"}))
    return HarnessConformance().way(cloud, target, shape, key=key, **options)  # type: ignore[arg-type]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("column", "kind", "value", "said"),
    [
        ("x varchar(3)", "string", SECRET_VALUE, "too long in column x of public.scorecard"),
        ("x smallint", "long", 40_000, "out of range in column x"),
        ("x bigint", "decimal(38,0)", Decimal(2**63), "out of range in column x"),
        ("x numeric(4,2)", "decimal(7,2)", Decimal(12345), "out of range in column x"),
        ("x uuid", "string", SECRET_VALUE, "cannot be read as the column's type in column x"),
        ("x jsonb", "string", SECRET_VALUE, "column x"),
        ("x text", "string", f"{SECRET_VALUE}\0", r"U\+0000 in column x"),
        ("x text NOT NULL", "string", None, "null in column x"),
        ("x text CONSTRAINT short CHECK (length(x) < 5)", "string", SECRET_VALUE, r"check constraint \(short\)"),
        ("x text UNIQUE DEFAULT 'd'", "string", "taken", r"unique constraint \(scorecard_x_key\)"),
        ("x bigint CONSTRAINT known REFERENCES parents", "long", 404, r"foreign key \(known\)"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_table_and_column_and_not_shown(
    cloud: Cloud, target: Database, column: str, kind: str, value: Any, said: str
) -> None:
    user = target.secret["username"]
    target.execute("CREATE TABLE parents (id bigint PRIMARY KEY)")
    target.execute(f"CREATE TABLE scorecard (id bigint PRIMARY KEY, {column})")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{user}"; ALTER TABLE parents OWNER TO "{user}"')
    if "UNIQUE" in column:
        target.execute("INSERT INTO scorecard VALUES (99, 'taken')")
    before = target.rows()
    publishing = way(cloud, target, shape={"id": "long", "x": kind})
    run = publishing.run(publishing.put_result([{"id": 1, "x": value}, {"id": 2, "x": value}][:1]), record_errors=True)
    error = run.errors["ops.public.scorecard"]
    assert isinstance(error, RowError)
    assert error.remedy and "program.sql:1:1" in str(error)
    with pytest.raises(RowError, match=said):
        raise error
    stored = cloud.reader.flow_states(["ops.public.scorecard"])["ops.public.scorecard"].tables["ops.public.scorecard"].error
    assert SECRET_VALUE not in str(error) + stored and "12345" not in str(error) and "404" not in str(error)
    assert target.rows() == before


@pytest.mark.parametrize(
    ("table", "said", "remedy"),
    [
        ("id bigint", "has no column x", 'ALTER TABLE "public"."scorecard" ADD COLUMN "x" text'),
        ("id bigint, x boolean, y text NOT NULL", "x of type boolean, which takes no string|y", "CAST"),
        ("id bigint, x text, y text NOT NULL", "requires column y", "default"),
        ("id bigint, x text GENERATED ALWAYS AS ('a') STORED", "computes column x", "leave x out"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_anything_is_written(
    cloud: Cloud, target: Database, table: str, said: str, remedy: str
) -> None:
    target.execute(f"CREATE TABLE scorecard ({table})")
    publishing = way(cloud, target)
    if "boolean" in table:  # a text may be read as a boolean, so only types that never fit are refused
        publishing = way(cloud, target, shape={"id": "long", "x": "binary"})
        said = "takes no binary"
    with pytest.raises(DefinitionError, match=said) as caught:
        publishing.run(publishing.put_result([]))
    assert remedy in caught.value.remedy


def test_a_view_is_refused(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE VIEW scorecard AS SELECT 1::bigint AS id, ''::text AS x")
    publishing = way(cloud, target)
    with pytest.raises(DefinitionError, match="view"):
        publishing.run(publishing.put_result([]))


def test_a_table_made_by_atoll_has_the_results_types_and_the_key_as_primary_key(cloud: Cloud, target: Database) -> None:
    shape = {"id": "long", "m": "decimal(12,2)", "at": "timestamptz", "tags": "list<string>", "deep": "list<list<int>>", "u": "uuid"}
    publishing = way(cloud, target, shape=shape)
    publishing.publish([])
    found = target.execute(
        "SELECT attname, format_type(atttypid, atttypmod) AS kind, attnotnull FROM pg_attribute "
        "WHERE attrelid = 'scorecard'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert {row["attname"]: row["kind"] for row in found} == {
        "id": "bigint", "m": "numeric(12,2)", "at": "timestamp with time zone", "tags": "text[]", "deep": "jsonb", "u": "uuid",
    }  # fmt: skip
    assert [row["attname"] for row in found if row["attnotnull"]] == ["id"]


def test_names_of_tables_and_columns_match_without_regard_to_case(cloud: Cloud, target: Database) -> None:
    target.execute('CREATE TABLE "ScoreCard" ("Id" bigint PRIMARY KEY, "X" text, other int DEFAULT 7)')
    target.execute(f'ALTER TABLE "ScoreCard" OWNER TO "{target.secret["username"]}"')
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}, {"id": 2, "x": "b"}])
    publishing.publish([{"id": 2, "x": "c"}])
    assert target.execute('SELECT * FROM "ScoreCard"') == [{"Id": 2, "X": "c", "other": 7}]


def test_lists_become_arrays_or_json(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY, a text[], b bigint[], j jsonb)")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"')
    publishing = way(cloud, target, shape={"id": "long", "a": "list<string>", "b": "list<long>", "j": "list<string>"})
    texts = ['a"b', "c\\d", "", "NULL", None, "x,{y}", "ü\n"]
    rows = [{"id": 1, "a": texts, "b": [1, None, -(2**63)], "j": texts}, {"id": 2, "a": [], "b": None, "j": []}]
    publishing.publish(rows)
    assert sorted(target.rows(), key=lambda row: row["id"]) == rows


def test_texts_become_what_the_column_is(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN code AS varchar(3); CREATE DOMAIN word AS code")
    target.execute("CREATE TYPE pair AS (a word, b int)")
    texts = {
        "mood": "good", "code": "abc", "word": "ab", "pair": "(ab,2)", "inet": "10.0.0.1", "interval": "1 day", "int4range": "[1,5)",
        "jsonb": '{"a": [1, null]}', "json": '{"a":1}', "uuid": "6f1c2d3e-0000-4000-8000-00000000000a", "integer[]": "{1,NULL}",
        "word[]": '{ab,"c,"}', "numeric": "12345678901234567890.1234", "bit(3)": "101", "macaddr": "08:00:2b:01:02:03",
        "boolean": "true", "bytea": "\\x00ff",
        "tsvector": "'a' 'b'",
        "point": "(1,2)", "char(4)": "ab  ", "bigint": "9223372036854775807", "float8": "NaN", "mood[]": "{good}",
    }  # fmt: skip
    kinds = ", ".join(f"c{number} {kind}" for number, kind in enumerate(texts))
    target.execute(
        f'CREATE TABLE scorecard (id bigint PRIMARY KEY, {kinds}); ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"'
    )
    names = [f"c{number}" for number in range(len(texts))]
    publishing = way(cloud, target, shape={"id": "long", **dict.fromkeys(names, "string")})
    publishing.publish([{"id": 1, **dict(zip(names, texts.values(), strict=True))}, {"id": 2, **dict.fromkeys(names)}])
    casts = ", ".join(f"c{number}::text AS c{number}" for number in range(len(texts)))
    found = target.execute(f"SELECT {casts} FROM scorecard ORDER BY id")
    told = dict(zip(texts, found[0].values(), strict=True))
    assert told == {**texts, "inet": "10.0.0.1/32", "char(4)": "ab"} and set(found[1].values()) == {None}


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE])
def test_rows_that_did_not_change_are_not_written(cloud: Cloud, target: Database, mode: Mode) -> None:
    publishing = way(cloud, target, mode=mode, shape={"id": "long", "x": "double"})
    first = publishing.publish([{"id": 1, "x": 0.1}, {"id": 2, "x": None}])
    before = target.execute("SELECT xmin::text, * FROM scorecard ORDER BY id")
    publishing.publish([{"id": 1, "x": 0.1}, {"id": 2, "x": None}, {"id": 3, "x": 1.0}], interval=first)
    assert target.execute("SELECT xmin::text, * FROM scorecard ORDER BY id")[:2] == before


def test_columns_without_equality_are_compared_as_text(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY, x json)")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"')
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": '{"a": 1}'}])
    publishing.publish([{"id": 1, "x": '{"a": 2}'}])
    assert target.rows() == [{"id": 1, "x": {"a": 2}}]


def test_a_user_who_may_not_create_the_receipts_is_told_what_to_run(cloud: Cloud, target: Database) -> None:
    target.execute(f'ALTER DATABASE "{target.secret["dbname"]}" OWNER TO postgres')
    publishing = way(cloud, target)
    interval = publishing.put_result([{"id": 1, "x": "a"}])
    with pytest.raises(DefinitionError, match="receipts") as caught:
        publishing.run(interval)
    assert caught.value.remedy.startswith('CREATE SCHEMA "atoll" AUTHORIZATION')
    target.execute(caught.value.remedy)
    cloud.clock.advance(hours=1)
    with pytest.raises(DefinitionError, match="may not write") as caught:
        publishing.run(interval)
    assert caught.value.remedy.startswith('GRANT CREATE ON SCHEMA "public" TO')
    target.execute(caught.value.remedy.partition(",")[0])
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "a"}]


def test_a_user_who_may_not_use_the_receipts_schema_is_told_what_to_grant(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE SCHEMA atoll")
    publishing = way(cloud, target)
    interval = publishing.put_result([{"id": 1, "x": "a"}])
    with pytest.raises(DefinitionError, match="receipts") as caught:
        publishing.run(interval)
    assert caught.value.remedy.startswith('GRANT USAGE, CREATE ON SCHEMA "atoll"')
    target.execute(caught.value.remedy)
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "a"}]


def test_a_user_who_may_not_write_the_table_is_told_what_to_grant(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY, x text)")
    publishing = way(cloud, target)
    interval = publishing.put_result([{"id": 1, "x": "a"}])
    with pytest.raises(DefinitionError) as caught:
        publishing.run(interval)
    assert caught.value.remedy.startswith('GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."scorecard" TO')
    target.execute(caught.value.remedy)
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "a"}]


def test_a_table_locked_by_others_is_tried_again_later(cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_SECONDS", 0.2)
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}])
    interval = publishing.put_result([{"id": 1, "x": "b"}])
    with psycopg.connect(target.admin) as holder:
        holder.execute("LOCK TABLE scorecard IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RetryLater, match="LockNotAvailable"):
            publishing.run(interval)
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "b"}]


def test_a_worker_that_stands_still_in_its_transaction_does_not_hold_up_the_next(
    cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a Lambda whose machine has gone: nobody closes its connection, and PostgreSQL would keep its locks for hours."""
    monkeypatch.setattr(db, "IDLE_SECONDS", 0.2)
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}])
    interval = publishing.put_result([{"id": 1, "x": "b"}])
    credentials = Address(**target.secret)
    standing = db.connect(credentials, "here", "target", Deadline(time.monotonic() + 900))
    try:
        standing.execute("BEGIN; LOCK TABLE scorecard IN ACCESS EXCLUSIVE MODE")
        publishing.run(interval)
        assert target.rows() == [{"id": 1, "x": "b"}]
        with pytest.raises(RetryLater), refusals.translated("here", None, ""):
            standing.execute("COMMIT")
    finally:
        standing.close()


def test_a_transaction_that_the_server_broke_off_is_run_again() -> None:
    failures: list[Exception] = [psycopg.errors.DeadlockDetected(), psycopg.errors.SerializationFailure()]

    def work() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert db.retried(work) == "done"
    with pytest.raises(psycopg.errors.DeadlockDetected):
        db.retried(_deadlock)


def _deadlock() -> None:
    raise psycopg.errors.DeadlockDetected


def test_a_staging_table_emptied_by_a_crash_of_the_server_is_filled_again(cloud: Cloud, target: Database) -> None:
    publishing = way(cloud, target)
    interval = publishing.put_result([{"id": n, "x": "a"} for n in range(40)], files=4)
    state = publishing.steps.plan(cloud.event(publishing.flow.id, interval=interval), FakeContext())["work"][0]
    state = publishing.steps.diff(state, FakeContext())
    for _ in range(2):
        state = publishing.steps.publish(state, FakeContext(remaining_seconds=20))
    for name in _staging_tables(target):
        target.execute(f'TRUNCATE atoll."{name}"')  # as PostgreSQL does with unlogged tables
    while not state["done"]:
        state = publishing.steps.publish(state, FakeContext(remaining_seconds=20))
    assert len(target.rows()) == 40


def test_dates_before_christ_and_infinite_ones_arrive(cloud: Cloud, target: Database) -> None:
    values = {
        "date": "DATE '0044-03-15 (BC)'",
        "timestamp": "TIMESTAMP '0044-03-15 (BC) 12:00:00'",
        "timestamptz": "TIMESTAMPTZ 'infinity'",
    }
    read = []
    for base, value in values.items():
        kind = duckdb.sql(f"SELECT typeof({value})").fetchall()[0][0]
        written = duckdb.sql(f"SELECT {csv_value('v', kind, base)} FROM (SELECT {value} AS v)").fetchall()[0][0]
        read.append(target.execute(f"SELECT %s::{base}::text AS v", [written])[0]["v"])
    assert read == ["0044-03-15 BC", "0044-03-15 12:00:00 BC", "infinity"]


def _staging_tables(target: Database) -> list[str]:
    rows = target.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'atoll' AND tablename LIKE 'stage%%'", [])
    return [row["tablename"] for row in rows]


def test_a_file_of_many_rows_is_brought_a_part_at_a_time_and_as_a_whole(
    cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Batch, "csv_rows", 3)
    published = way(cloud, target)
    published.publish([{"id": number, "x": f"{number}\n'"} for number in range(10)])
    assert sorted((row["id"], row["x"]) for row in target.rows()) == [(number, f"{number}\n'") for number in range(10)]
    interval = published.put_result(
        [{"id": 1, "x": "fits"}, *({"id": number, "x": "a\0" if number == 8 else "b"} for number in range(2, 9))]
    )
    run = published.run(interval, record_errors=True)
    assert "U+0000 in column x" in str(run.errors["ops.public.scorecard"])
    assert len(target.rows()) == 10


class _SlowToInterrupt:
    """A DuckDB connection whose `interrupt` goes on until somebody waits for it to end, so for longer than the interrupted query."""

    interrupting = False

    def __init__(self, connection: duckdb.DuckDBPyConnection, waited_for: threading.Event) -> None:
        self.execute, self.close, self._interrupt = connection.execute, connection.close, connection.interrupt
        self._waited_for = waited_for

    def interrupt(self) -> None:
        self.interrupting = True
        tries = iter(range(1000))
        while next(tries, None) is not None and not self._waited_for.wait(0.01):
            self._interrupt()  # again, since DuckDB forgets one that comes just before its query begins
        self.interrupting = False


def test_a_comparison_that_does_not_end_in_time_says_so_before_the_function_is_ended(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_for, join = threading.Event(), threading.Thread.join

    def joined(thread: threading.Thread, timeout: float | None = None) -> None:
        waited_for.set()
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", joined)
    opened = Results(cloud.services("harness.postgres"), "p.sql:1:1: ops.public.t", Deadline(time.monotonic() + END_SECONDS))
    opened._duckdb = connection = _SlowToInterrupt(open_duckdb(), waited_for)  # type: ignore[assignment]  # opened before the time is up
    long = "SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000) b"  # ten seconds, if nothing ended it
    with pytest.raises(DefinitionError, match=r"p.sql:1:1.*too large to be worked through in one call.*batch_start\(\)"):
        opened.write(long, str(tmp_path / "never.parquet"))
    assert not connection.interrupting  # nothing touches the connection any more when it is closed
    opened.close()


def test_a_table_is_as_the_last_result_where_its_rows_are_matched_by_another_key(cloud: Cloud, target: Database) -> None:
    """Rows that did not change come again: the table may have been made anew for the key."""
    shape = {"id": "long", "code": "long", "x": "string"}
    first = [{"id": number, "code": number, "x": "a"} for number in (1, 2, 3)]
    way(cloud, target, shape=shape).publish(first)
    target.execute("ALTER TABLE scorecard DROP CONSTRAINT IF EXISTS scorecard_pkey; DELETE FROM scorecard WHERE id = 1")
    second = [first[0], {"id": 20, "code": 2, "x": "a"}]
    way(cloud, target, ("code",), shape=shape).publish(second)
    assert sorted(target.rows(), key=lambda row: row["id"]) == second
