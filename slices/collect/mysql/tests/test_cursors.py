"""No row is lost to its cursor: whatever value it has there, whenever it is committed, with and without the right PROCESS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared_metadata.program import Column, Mode
from slices.collect.mysql import horizon
from slices.collect.mysql.slice import SLICE
from tests.conformance.collect import Collecting
from tests.mariadb import Database

pytestmark = pytest.mark.sampled(3)

# Of each type of cursor the values that no window meets.
CURSORS: dict[str, tuple[str, ...]] = {
    "timestamp(6) null": ("NULL", "'0000-00-00'"),
    "datetime(6)": ("NULL", "'0000-00-00'", "'2999-01-01'"),
    "date": ("NULL", "'0000-00-00'", "'2999-01-01'"),
    "tinyint unsigned": ("NULL",),
    "int": ("NULL",),
    "bigint unsigned": ("NULL",),
    "float": ("NULL",),
    "double": ("NULL",),
    "decimal(12,3)": ("NULL",),
    "decimal(65,3)": ("NULL",),
}
NO_CURSORS = (
    *("enum('a', 'b')", "set('a', 'b')", "bit(4)", "boolean", "varbinary(9)", "point", "varchar(20)", "char(3)", "text", "json"),
    *("time", "year", "uuid", "inet6"),
)
MERGED: dict[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}
APPENDED: dict[str, Any] = {"mode": Mode.APPEND, "cursor": "at"}


def ordinary(kind: str, number: int, collecting: Collecting) -> str:
    """The number-th value of a cursor, in the batch to come where it is a time."""
    if kind.startswith(("timestamp", "date")):
        return f"'{collecting.at + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}'"
    return str(number + 100) + ".1" * (kind == "float")


def collect(collecting: Collecting, database: Database, how: dict[str, Any], **more: Any) -> None:
    collecting.collect(f"{database.name}.t", how=how, **more)


def ids(collecting: Collecting) -> list[int]:
    """What the next batch stages."""
    run = collecting.run()
    found = collecting.cloud.rows(collecting.dataset) if run.results else None
    return sorted(row["id"] for row in found.to_pylist()) if found else []


def write(database: Database, statement: str) -> None:
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = ''")
        cursor.execute(statement)


@pytest.mark.parametrize("more", ["more int DEFAULT 7", "more int NOT NULL", "more int AS (id * 2) VIRTUAL"])
def test_rows_of_before_have_the_value_of_a_column_that_comes(collecting: Collecting, database: Database, more: str) -> None:
    """risingwavelabs/risingwave#23320, apache/flink-cdc#2936: ADD COLUMN writes no row, and older ones stayed null at the target."""
    write(database, "CREATE TABLE t (id int PRIMARY KEY, at datetime(6), note text)")
    write(database, f"INSERT INTO t VALUES (1, {ordinary('datetime(6)', 0, collecting)}, 'x')")
    collect(collecting, database, MERGED)
    assert (ids(collecting), ids(collecting)) == ([1], [])
    write(database, "ALTER TABLE t ADD COLUMN nothing int")
    assert ids(collecting) == []
    write(database, f"ALTER TABLE t ADD COLUMN {more}")
    assert (ids(collecting), ids(collecting)) == ([1], [])
    write(database, "ALTER TABLE t DROP COLUMN more")
    write(database, "ALTER TABLE t ADD COLUMN more int AS (id * 3) VIRTUAL")
    assert ids(collecting) == [1]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horizon, "WAIT_SECONDS", 0.0)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", CURSORS)
def test_rows_whose_cursor_no_window_meets_are_read_all_the_same(collecting: Collecting, database: Database, kind: str) -> None:
    """At first, when they come, when they change, and never the end of all collecting."""
    nulls = [value for value in CURSORS[kind] if "0000" not in value]
    write(database, f"CREATE TABLE t (id int PRIMARY KEY, at {kind}, note text)")
    write(database, f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)}, 'first'), (1, {nulls[0]}, 'first')")
    collect(collecting, database, MERGED)
    assert ids(collecting) == ([1] if kind == "date" else [0, 1])  # a day is taken when it is over
    write(database, f"INSERT INTO t VALUES {', '.join(f'({10 + n}, {value}, 1)' for n, value in enumerate(nulls))}")
    assert set(ids(collecting)) >= {10 + number for number in range(len(nulls))}
    write(database, f"INSERT INTO t VALUES (50, {ordinary(kind, 1, collecting)}, 'late')")
    late = ids(collecting)
    while kind == "date" and 50 not in late and collecting.at.day < 25:
        late = ids(collecting)
    assert 50 in late


@pytest.mark.parametrize("kind", ["datetime(6)", "timestamp(6) null", "bigint"])
def test_append_refuses_them_by_name(collecting: Collecting, database: Database, kind: str) -> None:
    write(database, f"CREATE TABLE t (id int, at {kind})")
    for value in CURSORS.get(kind, ("NULL",)):
        if "2999" not in value:
            write(database, f"REPLACE INTO t VALUES (1, {value})")
            collect(collecting, database, APPENDED)
            said = collecting.refusal()
            assert said.startswith("DefinitionError") and "cursor at is null" in said and "MERGE" in said
            collecting.cloud.clock.advance(hours=6)


@pytest.mark.parametrize("kind", NO_CURSORS)
def test_what_has_no_order_of_its_own_is_no_cursor(collecting: Collecting, database: Database, kind: str) -> None:
    write(database, f"CREATE TABLE t (id int, at {kind})")
    collect(collecting, database, MERGED)
    said = collecting.refusal()
    assert said.startswith("DefinitionError") and "no CURSOR" in said and "program.atoll" in said


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", [MERGED, APPENDED], ids=["merge", "append"])
@pytest.mark.parametrize("told", [True, False], ids=["with PROCESS", "with a lag"])
@pytest.mark.parametrize("kind", ["timestamp(6) null", "datetime(6)", "bigint"])
def test_rows_that_are_committed_after_the_batch_has_read_past_them_come_with_a_later_one(
    collecting: Collecting, database: Database, kind: str, told: bool, how: dict[str, Any]
) -> None:
    if not told:
        with database.server.connect() as session, session.cursor() as cursor:
            cursor.execute(f"REVOKE PROCESS ON *.* FROM '{database.user}'@'%'")
    write(database, f"CREATE TABLE t (id int PRIMARY KEY, at {kind})")
    write(database, f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)})")
    collect(collecting, database, how, options={"lag": "0 seconds" if told else "1 hour"})
    held = ids(collecting)
    late, there = (ordinary(kind, number, collecting) for number in (1, 2))
    with database.connect() as slow, slow.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO t VALUES (1, {late})")
        write(database, f"INSERT INTO t VALUES (2, {there})")
        held += ids(collecting) + ids(collecting)
        assert 1 not in held
        slow.commit()
    held += ids(collecting)
    write(database, f"INSERT INTO t VALUES (3, {ordinary(kind, 3, collecting)})")
    held += ids(collecting) + ids(collecting)
    if told or how is MERGED:
        assert set(held) == {0, 1, 2, 3}
    if how is APPENDED:  # and what is not settled by the clock of the server within this test is not lost either
        assert len(held) == len(set(held)) and (told or held == [])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("kind", ["datetime(6)", "bigint"])
def test_a_distributed_transaction_that_is_prepared_is_one_that_is_open(
    collecting: Collecting, database: Database, kind: str, stays: bool
) -> None:
    """Whose session has ended, too: XA PREPARE outlasts it, and another one commits."""
    write(database, f"CREATE TABLE t (id int PRIMARY KEY, at {kind})")
    write(database, f"INSERT INTO t VALUES (0, {ordinary(kind, 0, collecting)})")
    collect(collecting, database, MERGED, options={"lag": "0 seconds"})
    held, branch, named = ids(collecting), database.connect(), f"'{database.name}'"
    with branch.cursor() as cursor:
        for statement in ("SET time_zone = '+00:00'", f"XA START {named}"):
            cursor.execute(statement)
        cursor.execute(f"INSERT INTO t VALUES (1, {ordinary(kind, 1, collecting)})")
        for statement in (f"XA END {named}", f"XA PREPARE {named}"):
            cursor.execute(statement)
    if not stays:
        branch.close()
    write(database, f"INSERT INTO t VALUES (2, {ordinary(kind, 2, collecting)})")
    held += ids(collecting) + ids(collecting)
    if stays:
        with branch.cursor() as cursor:
            cursor.execute(f"XA COMMIT {named}")
        branch.close()
    else:
        write(database, f"XA COMMIT {named}")
    held += ids(collecting)
    write(database, f"INSERT INTO t VALUES (3, {ordinary(kind, 3, collecting)})")
    held += ids(collecting) + ids(collecting)
    assert set(held) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["int", "decimal(12,3)", "float", "bigint unsigned"])
def test_rows_with_the_number_at_which_a_batch_ended_come_with_it(collecting: Collecting, database: Database, kind: str) -> None:
    """Also those that take another's place; and without any there is nothing to read."""
    write(database, f"CREATE TABLE t (id varchar(9) PRIMARY KEY, at {kind}, KEY (at))")
    write(database, "INSERT INTO t VALUES ('a', 4), ('b', 5)")
    collecting.collect(f"{database.name}.t", how=MERGED)
    assert labels(collecting) == ["a", "b"]
    assert labels(collecting) == []
    write(database, "INSERT INTO t VALUES ('c', 5)")
    assert labels(collecting) == ["b", "c"]
    write(database, "UPDATE t SET id = 'd' WHERE id = 'b'")
    assert labels(collecting) == ["c", "d"]
    assert labels(collecting) == []
    write(database, "INSERT INTO t VALUES ('e', 6), ('f', 5)")
    assert labels(collecting) == ["c", "d", "e", "f"]


def labels(collecting: Collecting) -> list[str]:
    run = collecting.run()
    found = collecting.cloud.rows(collecting.dataset) if run.results else None
    return sorted(row["id"] for row in found.to_pylist()) if found else []


def test_what_a_lag_has_settled_is_appended_once(collecting: Collecting, database: Database) -> None:
    write(database, "CREATE TABLE t (id int PRIMARY KEY, at bigint)")
    write(database, "INSERT INTO t VALUES (0, 5)")
    collect(collecting, database, APPENDED, options={"lag": "1 seconds"})
    import time

    assert ids(collecting) == []  # nothing is settled at the first look
    time.sleep(1.2)
    assert ids(collecting) == [0]
    write(database, "INSERT INTO t VALUES (1, 6)")
    assert ids(collecting) == []
    time.sleep(1.2)
    assert ids(collecting) in ([], [1])
    assert ids(collecting) + ids(collecting) in ([], [1])


def test_the_lag_is_told_by_plan() -> None:
    assert "`lag` (5 minutes)" in SLICE.capabilities.never_seen and "PROCESS" in SLICE.capabilities.never_seen


def test_rows_that_leave_the_where_are_told_by_key_and_cursor_alone(collecting: Collecting, database: Database) -> None:
    write(database, "CREATE TABLE t (id int PRIMARY KEY, at datetime, note text, secret text)")
    for number, note in enumerate(("open", "open", "lost")):
        write(database, f"INSERT INTO t VALUES ({number}, {ordinary('datetime', number, collecting)}, '{note}', 'private')")
    columns = tuple(Column(name, f"`{name}`") for name in ("id", "at", "note", "secret"))
    collect(collecting, database, MERGED, columns=columns, filter="note = 'open' -- not null")
    assert ids(collecting) == [0, 1]
    write(database, f"UPDATE t SET note = NULL, at = {ordinary('datetime', 5, collecting)} WHERE id = 0")
    assert ids(collecting) == []
    import io

    import pyarrow.parquet as pq

    (file,) = collecting.cloud.manifest(collecting.dataset)["left"]
    (gone,) = pq.read_table(io.BytesIO(collecting.cloud.body(file["key"]))).to_pylist()
    assert gone.keys() == {"id", "at", "_batch"} and gone["id"] == 0


def test_a_snapshot_is_of_one_moment_though_rows_are_set_aside_from_it(
    collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is mended between the two statements that tell rows apart is in neither twice nor in none."""
    from shared_metadata.program import BadRows
    from systems.sql_source.reading import Reading

    write(database, "CREATE TABLE t (id int PRIMARY KEY, day date)")
    write(database, "INSERT INTO t VALUES (1, '2026-01-01'), (2, '0000-00-00'), (3, '2026-01-03')")
    run, done = Reading._run, []

    def changed_after(self: Reading, cursor: Any, sql: str, asked: str) -> Any:
        found = run(self, cursor, sql, asked)
        if "CONCAT_WS" in asked:
            done.append(write(database, "UPDATE t SET day = IF(id = 2, '2026-02-02', '0000-00-00')"))
        return found

    monkeypatch.setattr(Reading, "_run", changed_after)
    collecting.collect(f"{database.name}.t", incremental=False, bad_rows=BadRows(1))
    assert ids(collecting) == [1, 3] and len(done) == 1
    assert [row["data"]["id"] for row in collecting.rejected()] == [2]


def test_a_table_is_read_in_ranges_of_its_key_beside_one_another(database: Database, collecting: Collecting) -> None:
    """Keys with gaps, below zero and beyond those of the plan; a range of a key that is unsigned."""
    for kind, keys in {"int": (-5, 0, 7, 2_000_000), "bigint unsigned": (0, 1, 2**64 - 1), "tinyint": (1,)}.items():
        write(database, f"CREATE OR REPLACE TABLE t (id {kind} PRIMARY KEY, at datetime NOT NULL, note text)")
        rows = ", ".join(f"({key}, {ordinary('datetime', 1, collecting)}, repeat('x', 9000))" for key in keys)
        write(database, f"INSERT INTO t VALUES {rows}")
        write(database, "ANALYZE TABLE t")
        collect(collecting, database, MERGED, options={"max_parts": 3})
        assert ids(collecting) == sorted(keys)
        collecting.cloud.clock.advance(hours=2)


def test_a_table_of_another_engine_is_collected(database: Database, collecting: Collecting) -> None:
    write(database, "CREATE TABLE t (id int PRIMARY KEY, at datetime) ENGINE = MyISAM")
    write(database, f"INSERT INTO t VALUES (1, {ordinary('datetime', 1, collecting)})")
    collect(collecting, database, MERGED)
    assert ids(collecting) == [1]
