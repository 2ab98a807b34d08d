"""No row is lost to its cursor: whatever value it has there, whenever it is committed, whatever the statement's WHERE says of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from shared_metadata.program import BadRows, Column, Mode
from shared_metadata.program.intervals import Interval
from slices.collect.postgres import horizon
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_source import collect, refusal, staged
from tests.conformance.collect import FLOW, Collecting
from tests.conformance.fixtures import run_batch

# Of each type of cursor: a value in a batch's time, or above the last one, and those that no window meets.
TIMES = ("'infinity'", "'-infinity'", "NULL", "'2999-01-01'")
CURSORS: dict[str, tuple[str, ...]] = {
    "timestamptz": TIMES,
    "timestamp": TIMES,
    "date": TIMES,
    "smallint": ("NULL",),
    "integer": ("NULL",),
    "bigint": ("NULL",),
    "real": ("'NaN'", "'Infinity'", "'-Infinity'", "NULL"),
    "double precision": ("'NaN'", "'Infinity'", "'-Infinity'", "NULL"),
    "numeric": ("'NaN'", "'Infinity'", "'-Infinity'", "NULL"),
    "numeric(12,3)": ("NULL",),
    "oid": ("NULL",),
    "rising": ("'NaN'", "'Infinity'", "NULL"),
}
NO_CURSORS = (
    *(
        "boolean",
        "time",
        "timetz",
        "interval",
        "uuid",
        "jsonb",
        "xml",
        "integer[]",
        "timestamp[]",
        "int4range",
        "text",
        "varchar(20)",
    ),
    *("money", "bytea", "mood"),
)
MERGED: dict[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}
VIEWED = "SELECT id, at, note FROM public.t LIMIT 1000"  # no table: which transaction wrote a row is not told


def ordinary(kind: str, number: int, collecting: Collecting) -> str:
    """The number-th value of a cursor, in the batch to come where it is a time."""
    if kind in ("timestamptz", "timestamp", "date"):
        return f"'{collecting.at + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}+00'"
    return str(number + 100)


@pytest.fixture
def table(database: Database) -> Database:
    database.run("CREATE DOMAIN rising AS double precision")
    return database


@pytest.mark.sampled(4)
@pytest.mark.parametrize("as_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize("kind", CURSORS)
def test_rows_whose_cursor_no_window_meets_are_read_all_the_same(
    collecting: Collecting, table: Database, kind: str, as_query: bool
) -> None:
    """At first, when they come, when they change, and never the end of all collecting."""
    unmet = CURSORS[kind]
    table.run(f"CREATE TABLE t (id int, at {kind}, note text)")
    table.run(f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)}, 'first')")
    table.run(f"INSERT INTO t SELECT i, {unmet[0]}, 'first' FROM generate_series(1, 1) i")
    collect(collecting, "" if as_query else "public.t", **MERGED, query=VIEWED if as_query else "")
    held: dict[int, str] = {}

    def batch() -> None:
        run = collecting.run()
        held.update({row["id"]: row["note"] for row in staged(collecting)} if run.results else {})

    batch()
    for number, value in enumerate(unmet):
        table.run(f"INSERT INTO t VALUES ({10 + number}, {value}, 'late')")
    batch()
    table.run("UPDATE t SET note = 'changed' WHERE id >= 10")
    table.run(f"INSERT INTO t VALUES (50, {ordinary(kind, 1, collecting)}, 'late')")
    batch()
    table.run(f"UPDATE t SET at = {unmet[-1]}, note = 'changed' WHERE id = 50")
    table.run(f"INSERT INTO t VALUES (60, {ordinary(kind, 2, collecting)}, 'last')")
    batch()
    while kind == "date" and 60 not in held and collecting.at.day < 25:  # a day is taken when it is over
        batch()
    assert held == {int(row[0]): row[1] for row in table.run("SELECT id, note FROM t")}


def test_rows_that_no_window_meets_are_read_again_only_when_they_were_written(collecting: Collecting, table: Database) -> None:
    table.run("CREATE TABLE t (id int, at timestamptz, note text); INSERT INTO t SELECT i, NULL FROM generate_series(1, 9) i")
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    assert collecting.run().planned["committed"] == [collecting.dataset]  # an empty batch
    table.run("UPDATE t SET note = 'x' WHERE id = 3")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [3]


# Of each type that rises where the program says so: two values that rise, by their bytes.
RISING = {
    "text": ("Zb", "aa"),  # in the other order where people sort
    'text COLLATE "POSIX"': ("01JDZ0000000000000000000AA", "01JDZ00000000000000000ZZAA"),
    "varchar(20)": ("2Zc'x", "2aa"),
    "char(26)": ("01_Z", "01a"),
    "uuid": ("01936e4e-0000-7000-8000-000000000001", "f1936e4e-0000-7000-8000-000000000000"),
}


def test_texts_are_compared_by_their_bytes_whatever_their_collation() -> None:
    from slices.collect.postgres.cursor_column import CursorColumn

    for kind in ("text", "character varying(20)", "character(26)", "varchar"):
        column = CursorColumn("at", "at", "string", kind, 180000)
        assert column.expression == '(at) COLLATE "C"' and column.unmet == '(at) COLLATE "C" IS NULL'
    assert CursorColumn("at", "at", "uuid", "uuid", 180000).expression == "at"


@pytest.mark.parametrize("source", ["table", "query"])
@pytest.mark.parametrize("mode", [MERGED, {"mode": Mode.APPEND, "cursor": "at"}], ids=["merge", "append"])
@pytest.mark.parametrize("kind", RISING)
@pytest.mark.sampled(4)
def test_texts_and_uuids_rise_by_their_bytes_where_the_program_says_so(
    collecting: Collecting, database: Database, kind: str, mode: dict[str, Any], source: str
) -> None:
    first, second = RISING[kind]
    database.run(f"CREATE TABLE t (id int, at {kind})")
    database.run("INSERT INTO t VALUES (1, %s), (2, %s)", (first, first))
    query = "SELECT id, at FROM public.t LIMIT 1000" if source == "query" else ""
    collect(collecting, "" if query else "public.t", query=query, rising=True, **mode)
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [1, 2]
    assert collecting.run().planned["committed"] == [collecting.dataset]  # an empty batch
    database.run("INSERT INTO t VALUES (3, %s)", (second,))
    collecting.run()
    again = [1, 2] if query and mode is MERGED else []  # which of a query's rows are new at the last value, nothing tells
    assert [row["id"] for row in staged(collecting)] == [*again, 3]


@pytest.mark.parametrize("mode", [MERGED, {"mode": Mode.APPEND, "cursor": "at"}], ids=["merge", "append"])
def test_what_does_not_rise_is_no_cursor(collecting: Collecting, database: Database, mode: dict[str, Any]) -> None:
    database.run("CREATE TYPE mood AS ENUM ('a', 'b')")
    for number, kind in enumerate(NO_CURSORS):
        database.run(f"CREATE TABLE t{number} (id int, at {kind})")
        collect(collecting, f"public.t{number}", **mode)
        said = refusal(collecting)
        assert said.startswith("DefinitionError") and "no CURSOR: its values do not rise" in said and "name another" in said


def test_rows_whose_key_is_null_do_not_become_one(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (code text, day date, note text)")
    rows = ("('a', '2026-01-01', 'x')", "(NULL, '2026-01-01', 'y')", "(NULL, '2026-01-01', 'z')", "('b', 'infinity', 'x')")
    database.run(f"INSERT INTO t VALUES {', '.join(rows)}, (NULL, '0044-01-01 BC', 'w')")
    how: dict[str, Any] = {"mode": Mode.MERGE, "key": ("code",)}
    columns = tuple(Column(name, name) for name in ("code", "note"))
    collect(collecting, "public.t", columns=columns, **how)
    said = refusal(collecting)
    assert said.startswith("RowError") and "public.t: the key code is null in rows" in said and "BAD ROWS" in said
    collecting.cloud.clock.advance(hours=6)
    collect(collecting, "public.t", bad_rows=BadRows(3), **how)
    collecting.run()
    assert [row["code"] for row in staged(collecting)] == ["a", "b"]
    reasons = sorted((row["reason"], row["data"]["note"]) for row in collecting.rejected())
    null = "code is null, or no string"
    assert reasons == [(null, "y"), (null, "z"), (f"{null}, day is no date", "w")]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", [kind for kind in CURSORS if kind != "numeric(12,3)"])
def test_append_refuses_them_by_name_in_the_first_batch_that_meets_one(collecting: Collecting, table: Database, kind: str) -> None:
    for number, value in enumerate(value for value in CURSORS[kind] if "2999" not in value):
        table.run(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, at {kind})")
        table.run(f"INSERT INTO t VALUES (1, {ordinary(kind, number, collecting)})")
        collect(collecting, "public.t", mode=Mode.APPEND, cursor="at")
        assert not collecting.run(record_errors=True).planned["failed"]
        table.run(f"INSERT INTO t VALUES (2, {value})")
        said = refusal(collecting)
        assert said.startswith("DefinitionError") and "cursor at is null, NaN or infinite" in said and "MERGE" in said
        collecting.cloud.clock.advance(hours=6)
        table.run("DELETE FROM t WHERE id = 2")
        collecting.run(record_errors=True)


def test_a_backfill_has_them_too(collecting: Collecting, table: Database) -> None:
    start = collecting.at - timedelta(minutes=20)
    table.run("CREATE TABLE t (id int, at timestamptz)")
    table.run("INSERT INTO t VALUES (1, NULL), (2, 'infinity'), (3, %s)", (collecting.at,))
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    event = collecting.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
    run_batch(collecting.steps(), event)
    assert [row["id"] for row in staged(collecting)] == [1, 2, 3]


# -- transactions that commit late


@contextmanager
def open_transaction(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(host=database.host, port=database.port, dbname=database.name, user="postgres") as session:
        yield session


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horizon, "WAIT_SECONDS", 0.0)


@pytest.mark.sampled(4)
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [True, False], ids=["over the first batch", "over a later one"])
@pytest.mark.parametrize("source", ["table", "query"])
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "bigint"])
def test_rows_that_are_committed_after_the_batch_has_read_past_them_come_with_a_later_one(
    collecting: Collecting, table: Database, kind: str, source: str, first: bool
) -> None:
    table.run(f"CREATE TABLE t (id int, at {kind}, note text)")
    table.run(f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)})")
    collect(collecting, "" if source == "query" else "public.t", **MERGED, query=VIEWED if source == "query" else "")
    held: set[int] = set()

    def batch() -> None:
        run = collecting.run()
        held.update(row["id"] for row in (staged(collecting) if run.results else []))

    if not first:
        batch()
    late, there = (ordinary(kind, number, collecting) for number in (1, 2))
    with open_transaction(table) as slow:
        slow.execute(f"INSERT INTO t VALUES (1, {late})")
        table.run(f"INSERT INTO t VALUES (2, {there})")
        batch()
        batch()  # still open
        assert 1 not in held
    batch()
    table.run(f"INSERT INTO t VALUES (3, {ordinary(kind, 3, collecting)})")
    batch()
    assert held == {0, 1, 2, 3}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["timestamptz", "bigint"])
def test_append_waits_for_transactions_that_are_open_and_takes_each_row_once(
    collecting: Collecting, table: Database, kind: str
) -> None:
    table.run(f"CREATE TABLE t (id int, at {kind}, note text)")
    table.run(f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)})")
    collect(collecting, "public.t", mode=Mode.APPEND, cursor="at")
    held: list[int] = []

    def batch() -> None:
        run = collecting.run()
        held.extend(row["id"] for row in (staged(collecting) if run.results else []))

    batch()
    late, there = (ordinary(kind, number, collecting) for number in (1, 2))
    with open_transaction(table) as slow:
        slow.execute(f"INSERT INTO t VALUES (1, {late})")
        table.run(f"INSERT INTO t VALUES (2, {there})")
        batch()
        assert held == [0]
    table.run(f"INSERT INTO t VALUES (3, {ordinary(kind, 3, collecting)})")
    batch()
    batch()
    assert sorted(held) == [0, 1, 2, 3]


def test_a_transaction_that_ends_soon_is_waited_for(collecting: Collecting, table: Database) -> None:
    import threading

    table.run("CREATE TABLE t (id int, at timestamptz)")
    collect(collecting, "public.t", mode=Mode.APPEND, cursor="at")
    with open_transaction(table) as soon:
        soon.execute("INSERT INTO t VALUES (1, %s)", (collecting.at,))
        threading.Timer(0.5, soon.commit).start()
        collecting.run()
    assert [row["id"] for row in staged(collecting)] == [1]


def test_a_server_that_counts_its_transactions_anew_is_read_from_the_beginning(collecting: Collecting, table: Database) -> None:
    import json

    from slices.collect.postgres.cursor_column import CursorColumn
    from systems.sql_source.cursor_window import Past, merge_bounds
    from systems.sql_source.horizon import Seen

    past = Past("2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z", 9_000_000, ())
    column = CursorColumn("at", "at", "timestamptz", "timestamp with time zone", 180000)
    bounds = merge_bounds(column, past, "2026-11-23T13:00:00Z", Seen(700, 700), timedelta(0), horizon.written_since)
    assert "xmin" not in bounds.where and "at < TIMESTAMPTZ '2026-11-23 12:00:00.000000+00'" in bounds.where
    assert json.loads(bounds.cursor)["ended"] == 700


# -- rows that leave the WHERE


def left(collecting: Collecting) -> list[dict[str, Any]]:
    """What the latest batch tells of rows that left."""
    found = [
        pq.read_table(io.BytesIO(collecting.cloud.body(file["key"]))).to_pylist()
        for file in collecting.cloud.manifest(collecting.dataset)["left"]
    ]
    return sorted((row for rows in found for row in rows), key=lambda row: str(row["id"]))


@pytest.mark.parametrize("source", ["table", "query", "computed"])
@pytest.mark.parametrize("kind", ["timestamptz", "bigint"])
def test_rows_that_leave_the_where_are_told_by_key_and_cursor_alone(
    collecting: Collecting, table: Database, kind: str, source: str
) -> None:
    table.run(f"CREATE TABLE t (id int, at {kind}, note text, secret text)")
    for number, note in enumerate(("open", "open", "lost")):
        table.run(f"INSERT INTO t VALUES ({number}, {ordinary(kind, number, collecting)}, '{note}', 'private')")
    columns = (Column("id", "id"), Column("at", "at"), Column("note", "note"), Column("secret", "secret"))
    query = "SELECT id, at, upper(note) AS note, secret FROM public.t WHERE "
    how: dict[str, Any] = (
        {"columns": columns, "filter": "note = 'open' -- not null"}
        if source == "table"
        else {"query": query + "(note = 'open')", "left_out": query + "(note = 'open'\n) IS NOT TRUE"}
    )
    collect(collecting, "public.t" if source == "table" else "", **MERGED, **how)
    collecting.run()
    assert ([row["id"] for row in staged(collecting)], left(collecting)) == ([0, 1], [])
    table.run(f"UPDATE t SET note = NULL, at = {ordinary(kind, 5, collecting)} WHERE id = 0")
    collecting.run()
    gone = left(collecting)
    again = [2] if kind == "bigint" and source != "table" else []  # the row with the last value, which never was taken
    assert {*gone[0]} == {"id", "at", "_batch"} and [row["id"] for row in gone] == [0, *again]
    assert staged(collecting) == []


def test_collected_rows_say_that_they_are_there(collecting: Collecting, table: Database) -> None:
    table.run("CREATE TABLE t (id int, at bigint); INSERT INTO t VALUES (1, 1)")
    collect(collecting, "public.t", **MERGED, filter="id > 0")
    collecting.run()
    assert staged(collecting) == [{"id": 1, "at": 1, "_deleted": False}]


@pytest.mark.parametrize("name", ["_batch", "_deleted", "_Deleted"])
def test_columns_of_atolls_own_names_are_refused(collecting: Collecting, table: Database, name: str) -> None:
    table.run(f'CREATE TABLE t (id int, "{name}" boolean)')
    collect(collecting, "public.t")
    said = refusal(collecting)
    assert said.startswith("DefinitionError") and "AS another_name" in said
