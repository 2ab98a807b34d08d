"""What publishing to MySQL does beyond what every harness slice does: names, permissions, locks, staging tables, lost answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater, RowError
from shared_metadata.program import BadRows, Mode
from slices.harness.mysql import session as sessions
from slices.harness.mysql.session import MysqlSession
from slices.harness.mysql.tests.database import Database
from slices.harness.mysql.tests.direct import Direct
from systems.mysql.address import Address
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns

pytestmark = pytest.mark.sampled(3)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


def way(cloud: Cloud, target: Database, key: tuple[str, ...] = ("id",), **options: Any) -> Way:
    shape = columns(**options.pop("shape", {"id": "long", "x": "string"}))
    return HarnessConformance().way(cloud, target, shape, key=key, **options)


# -- the table


@pytest.mark.parametrize(
    ("table", "shape", "said", "remedy"),
    [
        ("id bigint", {"x": "string"}, "has no column x", "ADD COLUMN `x` longtext"),
        ("id bigint, x boolean, y text NOT NULL", {"x": "string"}, r"x of type tinyint\(1\), which takes no string", "CAST"),
        ("id bigint, x text, y text NOT NULL", {"x": "string"}, "requires column y", "default"),
        ("id bigint, x text GENERATED ALWAYS AS ('a') STORED", {"x": "string"}, "computes column x", "leave x out"),
        ("id bigint, x decimal(9,1)", {"x": "decimal(9,2)"}, r"takes no decimal\(9,2\)", "CAST"),
        ("id bigint, x double", {"x": "long"}, "takes no long", "CAST"),
        ("id bigint, x binary(4)", {"x": "binary"}, "takes no binary", "CAST"),
        ("id bigint, x int", {"x": "string"}, "takes no string", "CAST"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_anything_is_written(
    cloud: Cloud, target: Database, table: str, shape: dict[str, str], said: str, remedy: str
) -> None:
    target.execute(f"CREATE TABLE scorecard ({table})")
    publishing = way(cloud, target, shape={"id": "long", **shape})
    with pytest.raises(DefinitionError, match=said) as caught:
        publishing.run(publishing.put_result([]))
    assert remedy in caught.value.remedy


def test_a_table_made_by_atoll_has_the_results_types_and_the_key_as_primary_key(cloud: Cloud, target: Database) -> None:
    shape = {
        "id": "string",
        "m": "decimal(12,2)",
        "at": "timestamptz",
        "tags": "list<string>",
        "u": "uuid",
        "b": "binary",
        "x": "string",
    }
    way(cloud, target, shape=shape).publish([])
    said = "SELECT COLUMN_NAME AS name, COLUMN_TYPE AS kind, IS_NULLABLE AS nulls FROM information_schema.COLUMNS"
    found = {
        row["name"]: (row["kind"], row["nulls"])
        for row in target.execute(f"{said} WHERE TABLE_SCHEMA = %s AND TABLE_NAME = 'scorecard'", [target.name])
    }
    assert {name: kind for name, (kind, _) in found.items()} == {
        "id": "varchar(768)", "m": "decimal(12,2)", "at": "datetime(6)", "tags": "longtext", "u": "char(36)", "b": "longblob",
        "x": "longtext",
    }  # fmt: skip
    assert [name for name, (_, nulls) in found.items() if nulls == "NO"] == ["id"]


def test_names_of_tables_and_columns_match_without_regard_to_case(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TABLE `ScoreCard` (`Id` bigint PRIMARY KEY, `X` text, other int DEFAULT 7)")
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}, {"id": 2, "x": "b"}])
    publishing.publish([{"id": 2, "x": "c"}])
    assert target.execute("SELECT * FROM `ScoreCard`") == [{"Id": 2, "X": "c", "other": 7}]


def test_numbers_that_the_table_counts_are_taken_as_they_are(cloud: Cloud, target: Database) -> None:
    """Zero too, for which MySQL would count on."""
    target.execute("CREATE TABLE scorecard (id bigint AUTO_INCREMENT PRIMARY KEY, x text, y int GENERATED ALWAYS AS (id + 1))")
    way(cloud, target).publish([{"id": 0, "x": "a"}, {"id": 5, "x": "b"}])
    assert target.execute("SELECT * FROM scorecard ORDER BY id") == [{"id": 0, "x": "a", "y": 1}, {"id": 5, "x": "b", "y": 6}]


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE])
def test_rows_that_did_not_change_are_not_written(cloud: Cloud, target: Database, mode: Mode) -> None:
    target.execute("CREATE TABLE scorecard (id bigint, x double, at datetime(6) DEFAULT now(6) ON UPDATE now(6))")
    publishing = way(cloud, target, mode=mode, shape={"id": "long", "x": "double"})
    first = publishing.publish([{"id": 1, "x": 0.1}, {"id": 2, "x": None}, {"id": 2, "x": None}][: 3 if mode == Mode.REPLACE else 2])
    before = target.execute("SELECT * FROM scorecard ORDER BY id")
    more = [{"id": 1, "x": 0.1}, {"id": 2, "x": None}, {"id": 2, "x": None}, {"id": 3, "x": 1.0}]
    publishing.publish(more if mode == Mode.REPLACE else [more[0], more[1], more[3]], interval=first)
    assert target.execute("SELECT * FROM scorecard WHERE id < 3 ORDER BY id") == before
    assert len(target.rows()) == len(before) + 1


def test_of_like_rows_as_many_stay_as_the_result_has_with_what_they_have_beside(cloud: Cloud, target: Database) -> None:
    target.execute("CREATE TABLE scorecard (id bigint, x text, number int AUTO_INCREMENT PRIMARY KEY)")
    publishing = way(cloud, target, mode=Mode.REPLACE)
    publishing.publish([{"id": 1, "x": "a"}] * 5)
    numbers = {row["number"] for row in target.rows()}
    publishing.publish([{"id": 1, "x": "a"}] * 2)
    left = target.rows()
    assert len(left) == 2 and {row["number"] for row in left} < numbers


# -- rights


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_right_that_is_missing_is_named_with_the_grant(cloud: Cloud, target: Database, right: str) -> None:
    target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY, x text)")
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}, {"id": 2, "x": "a"}])
    target.of.revoke(f"{right} ON {{name}}.*")
    interval = publishing.put_result([{"id": 2, "x": "b"}, {"id": 3, "x": "b"}])
    with pytest.raises(DefinitionError, match="the user may not write of") as caught:
        publishing.run(interval)
    assert target.execute("SELECT id, x FROM scorecard ORDER BY id") == [{"id": 1, "x": "a"}, {"id": 2, "x": "a"}]
    target.execute(f"{caught.value.remedy}@'%'")
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.execute("SELECT id, x FROM scorecard ORDER BY id") == [{"id": 2, "x": "b"}, {"id": 3, "x": "b"}]


def test_a_user_who_may_not_create_the_receipts_is_told_what_to_run(cloud: Cloud, target: Database) -> None:
    target.execute(f"REVOKE ALL ON {target.receipts_schema}.* FROM '{target.of.user}'@'%'")
    publishing = way(cloud, target)
    interval = publishing.put_result([{"id": 1, "x": "a"}])
    with pytest.raises(DefinitionError, match="receipts") as caught:
        publishing.run(interval)
    create, grant = caught.value.remedy.split("; ")
    target.execute(create)
    target.execute(f"{grant}@'%'")
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "a"}]


# -- locks and lost answers


def test_a_table_locked_by_others_is_tried_again_later(cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LOCK_SECONDS", 1)
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}])
    interval = publishing.put_result([{"id": 1, "x": "b"}])
    with target.of.connect() as holder, holder.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM scorecard FOR UPDATE")
        with pytest.raises(RetryLater, match="1205"):
            publishing.run(interval)
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert target.rows() == [{"id": 1, "x": "b"}]


def test_a_transaction_that_the_server_broke_off_is_run_again(target: Database) -> None:
    """Another's that holds one row and wants the next, which ours holds, and ours the first."""
    target.execute("CREATE TABLE scorecard (id int PRIMARY KEY, x varchar(9))")
    with closing(Direct(target, {"id": "int", "x": "string"})) as publishing:
        tries = []

        def work() -> str:
            tries.append(1)
            with publishing.session.transaction():
                if len(tries) < 3:
                    raise pymysql.err.OperationalError(1213, "Deadlock found")
            return "done"

        assert publishing.session.retried(work) == "done" and len(tries) == 3
        with pytest.raises(pymysql.err.OperationalError):
            publishing.session.retried(_deadlock)


def _deadlock() -> None:
    raise pymysql.err.OperationalError(1213, "Deadlock found")


def test_a_worker_that_stands_still_in_its_transaction_does_not_hold_up_the_next(
    cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a Lambda whose machine has gone: nobody closes its connection, and MySQL would keep its locks for hours."""
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 1)
    publishing = way(cloud, target)
    publishing.publish([{"id": 1, "x": "a"}])
    interval = publishing.put_result([{"id": 1, "x": "b"}])
    with closing(MysqlSession(Address(**target.secret), "here", "target", Deadline(time.monotonic() + 900))) as standing:
        with pytest.raises(pymysql.err.Error), standing.transaction():
            standing.run(f"SELECT * FROM {target.name}.scorecard FOR UPDATE")
            publishing.run(interval)
            standing.run("SELECT 1")
        assert target.rows() == [{"id": 1, "x": "b"}]


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.APPEND])
def test_an_answer_that_is_lost_after_the_commit_is_looked_up(
    cloud: Cloud, target: Database, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing = way(cloud, target, mode=mode)
    interval = publishing.put_result([{"id": 1, "x": "a"}])
    state = publishing.steps.plan(cloud.event(publishing.flow.id, interval=interval), FakeContext())["work"][0]
    state = publishing.steps.diff(state, FakeContext())
    run, lost = MysqlSession.run, iter([True])

    def losing(self: MysqlSession, statement: str, *values: Any) -> int:
        done = run(self, statement, *values)
        published = statement == "COMMIT" and target.execute(f"SELECT 1 FROM {target.receipts_schema}.receipts")
        if published and next(lost, False):
            raise pymysql.err.OperationalError(2013, "Lost connection to server during query")
        return done

    monkeypatch.setattr(MysqlSession, "run", losing)
    with pytest.raises(RetryLater, match="2013"):
        publishing.steps.publish(state, FakeContext())
    assert publishing.steps.publish(state, FakeContext())["done"]
    assert target.rows() == [{"id": 1, "x": "a"}] and not target.tables_of_receipts()[2:]


# -- packets


@pytest.mark.parametrize("tolerated", [None, BadRows(1)])
def test_a_row_larger_than_a_packet_is_refused_by_name_and_others_come_in_packets(
    cloud: Cloud, target: Database, tolerated: BadRows | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PACKET_BYTES", 100_000)
    publishing = way(cloud, target, bad_rows=tolerated)
    rows = [{"id": n, "x": "é'\\" * 10_000} for n in range(20)]
    large = {"id": 99, "x": "x" * (17 << 20)}
    run = publishing.run(interval := publishing.put_result([*rows, large]), record_errors=True)
    if tolerated:
        assert sorted(target.rows(), key=lambda row: row["id"]) == rows
        ((_, why, data),) = publishing.rejected(interval)
        assert "max_allowed_packet" in why and data["id"] == 99
    else:
        (error,) = run.errors.values()
        assert isinstance(error, RowError) and "max_allowed_packet" in str(error)
