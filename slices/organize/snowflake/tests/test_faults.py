"""What goes wrong in Snowflake or on the way there: nothing is lost, nothing half done, and the error names what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Mode
from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.service import SETTLING, arranged
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.dialect import table
from systems.sql_warehouse.session import GUARD
from tests.conformance.fixtures import FakeContext, open_cloud
from tests.conformance.organize import FLIGHTS, VIEW, Lake, Row, flights
from tests.conformance.upgrades import after_one_that_died, are_taken_up
from tests.memory.snowflake import OPTIONS, STAGE, WAREHOUSE, Served, snowflake


class Warehouse(Lake):
    """The suite's warehouse, with Snowflake beside it."""

    served: Served

    def ids(self, dataset: str = FLIGHTS) -> list[int]:
        return sorted(row["id"] for row in self.rows(dataset))

    def rows(self, dataset: str) -> list[Row]:
        _, schema, name = dataset.split(".")
        found = self.served.asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
        return [{folded(column): value for column, value in row.items()} for row in found]

    def fails(self, **staged: Any) -> Exception:
        """The error of a load, which leaves the table as it is."""
        interval = self.stage(flights((9, "ZZ")), **staged)
        (error,) = self.run(f"{FLIGHTS}:load", interval, record_errors=True).errors.values()
        return error


@pytest.fixture
def dwh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    for cloud in open_cloud(monkeypatch):
        served = snowflake()
        served.empty(cloud.s3, cloud.bucket)
        cloud.put_secret("snowflake", served.secret)
        made = Warehouse(cloud, SLICE, open_driver)
        made.served, made.options = served, OPTIONS
        made.collected(Mode.APPEND)
        yield made
        served.api.sync_seconds = 45.0


@pytest.mark.parametrize(
    ("kind", "match", "more"),
    [
        ("lose_answer", "POST", {"count": 2}),
        ("refuse", "POST", {"status": 429}),
        ("refuse", "GET", {"status": 503}),
        ("fail", "COPY INTO", {"code": "000625"}),
        ("lost_commit", "COPY INTO", {"code": "300002"}),
        ("lost_commit", "BEGIN", {"code": "300002"}),
        ("stops_inside", "BEGIN", {"code": "000625"}),
    ],
)
def test_what_is_lost_late_or_has_to_be_done_again_changes_nothing(
    dwh: Warehouse, kind: str, match: str, more: dict[str, Any]
) -> None:
    dwh.load(flights((1, "AA")))
    dwh.served.api.faults.arm(kind, match=match, **more)
    dwh.load(flights((2, "UA")))
    assert dwh.ids() == [1, 2]


def test_a_statement_that_takes_long_is_paid_by_no_function(dwh: Warehouse) -> None:
    dwh.served.api.sync_seconds = 0.0
    dwh.served.api.faults.arm("slow", match="COPY INTO", seconds=8)
    interval = dwh.stage(flights((1, "AA")))
    assert dwh.run(f"{FLIGHTS}:load", interval).pauses
    assert dwh.ids() == [1]


def test_every_session_is_settled(dwh: Warehouse) -> None:
    """What an account or a user has set of types, weeks, names and texts decides over no load, no view and no maintenance."""
    dwh.served.api.requests.clear()
    dwh.load(flights((1, "AA"), (2, "UA")))
    dwh.view(f"SELECT id FROM {FLIGHTS}")
    dwh.run(VIEW)
    MaintainStep(SLICE, dwh.cloud.services(SLICE.id), open_driver)({"dataset": FLIGHTS}, FakeContext())
    requests = [*dwh.served.api.requests.values()]
    assert requests and all(request.texts[0] == SETTLING and len(request.texts) > 1 for request in requests)
    assert dwh.ids() == dwh.ids(VIEW) == [1, 2]


TOLD = [
    ("000606", "No active warehouse selected in the current session.", ["000606", "USAGE on the warehouse"]),
    ("090073", "Warehouse 'ATOLL_WH' cannot be resumed because resource monitor 'M' has exceeded its quota.", ["'m'", "quota"]),
    ("003001", "SQL access control error:\nInsufficient privileges to operate on schema 'OPS'", ["Insufficient privileges", "'ops'"]),
    ("000604", "SQL execution canceled", ["was cancelled by somebody else", "who administers it"]),
    (
        "000630",
        "Statement reached its timeout of 10 second(s) and was canceled.",
        ["10 second", "allow it more"],
    ),
    ("100038", "Numeric value 'a-private-value' is not recognized", ["a text is no number"]),
    ("100090", "Duplicate row detected during DML action\nRow Values: ['a-private-value']", ["met by several"]),
    ("999999", "something about 'a-private-value'", ["may quote a row", "Query History"]),
]


@pytest.mark.parametrize(("code", "message", "told"), TOLD)
def test_an_error_names_the_object_the_right_or_the_limit_and_no_value(
    dwh: Warehouse, code: str, message: str, told: list[str]
) -> None:
    dwh.load(flights((1, "AA")))
    dwh.served.api.faults.arm("fail", match="COPY INTO", code=code, message=message)
    said = str(dwh.fails())
    assert all(word in said for word in (*told, "Snowflake query 01b", "Remedy")) and "a-private-value" not in said
    assert dwh.ids() == [1]


def test_a_warehouse_that_is_suspended_is_named(dwh: Warehouse) -> None:
    dwh.served.api.account.warehouses[WAREHOUSE] = "SUSPENDED"
    error = dwh.fails()
    assert isinstance(error, DefinitionError) and "atoll_wh" in str(error) and "resume the warehouse" in str(error)


def test_a_stage_that_is_not_there_is_named(dwh: Warehouse) -> None:
    del dwh.served.api.account.stages[STAGE]
    error = dwh.fails()
    assert isinstance(error, DefinitionError) and STAGE.lower() in str(error) and "grant it to the role" in str(error)


def test_a_key_that_is_refused_is_told_by_its_reference(dwh: Warehouse) -> None:
    dwh.cloud.put_secret("snowflake", {**dwh.served.secret, "user": "somebody"})
    error = dwh.fails()
    assert isinstance(error, SecretError) and "'snowflake'" in str(error) and "PRIVATE KEY" not in str(error)


def test_an_account_that_is_not_reached_is_later(dwh: Warehouse) -> None:
    dwh.cloud.put_secret("snowflake", {**dwh.served.secret, "host": "127.0.0.1:1"})
    assert isinstance(dwh.fails(), RetryLater)


def test_a_table_that_atoll_did_not_make_is_left_alone(dwh: Warehouse) -> None:
    cursor = dwh.served.api.account.databases["ANALYTICS"].connection.cursor()
    cursor.execute('CREATE SCHEMA "OPS"; CREATE TABLE "OPS"."FLIGHTS" ("ID" DECIMAL(19, 0)); INSERT INTO "OPS"."FLIGHTS" VALUES (7)')
    assert "was not made by Atoll" in str(dwh.fails())
    assert dwh.ids() == [7]


def test_a_first_commit_that_stopped_after_it_made_the_table_is_taken_up(dwh: Warehouse) -> None:
    dwh.served.api.faults.arm("stops_inside", match="BEGIN", code="003001", message="stopped")
    interval = dwh.stage(flights((1, "AA")))
    with pytest.raises(DefinitionError, match="stopped"):
        dwh.run(f"{FLIGHTS}:load", interval)
    assert dwh.ids() == []
    dwh.cloud.clock.advance(hours=1)  # the lease of the one that stopped
    dwh.run(f"{FLIGHTS}:load", interval)
    assert dwh.ids() == [1]


def test_two_commits_of_a_table_come_one_after_the_other(dwh: Warehouse) -> None:
    dwh.load(flights((1, "AA")))
    dwh.collected(Mode.APPEND, "lake.ops.others")
    intervals = [
        (FLIGHTS, dwh.stage(flights((2, "AA")))),
        ("lake.ops.others", dwh.stage(flights((3, "AA")), dataset="lake.ops.others")),
    ]
    workers = [threading.Thread(target=dwh.run, args=(f"{name}:load", interval)) for name, interval in intervals]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (dwh.ids(), dwh.ids("lake.ops.others")) == ([1, 2], [3])


def test_what_makes_a_table_stands_before_the_transaction_and_what_drops_one_after_it() -> None:
    texts = ["UPDATE lock", f"{GUARD} SELECT 1", "CREATE TABLE a", "INSERT a", "DROP TABLE b", "SELECT total"]
    assert arranged(texts) == [
        *(
            "CREATE TABLE IF NOT EXISTS a",
            "BEGIN TRANSACTION",
            "UPDATE lock",
            f"{GUARD} SELECT 1",
            "INSERT a",
            "COMMIT",
            "DROP TABLE b",
            "SELECT total",
        )
    ]
    assert arranged(["CREATE TABLE a", "SELECT 1"]) == ["CREATE OR REPLACE TABLE a", "SELECT 1"]


@pytest.mark.budget(30)
def test_a_query_at_its_limit_is_cancelled_and_told_with_what_to_do(dwh: Warehouse) -> None:
    dwh.options, dwh.served.api.sync_seconds = {**OPTIONS, "statement_minutes": 1}, 0.1
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.served.api.faults.arm("slow", match="COPY INTO", seconds=600)
    (state,) = dwh.steps().plan(dwh.cloud.event(f"{FLIGHTS}:load"), FakeContext())["work"]
    waits = dwh.steps().load(state, FakeContext())
    dwh.cloud.clock.advance(minutes=2)
    with pytest.raises(DefinitionError, match=r"Snowflake query .* within 60 s, and is cancelled") as told:
        dwh.steps().load(waits, FakeContext())
    assert "have the statement do less" in str(told.value)
    request = dwh.served.api.requests[waits["waiting"]["resume"]["load"]["id"]]
    assert request.done.wait(10) and request.error is not None and request.error.code == "000604"


def test_a_batch_records_what_its_statements_took(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA"), (2, "UA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load")
    load = found["statements"][0]
    assert load["bytes_scanned"] > 4096 and load["run_seconds"] > 0, "of all queries of its request"
    assert load["estimated"] == {"snowflake_credits": pytest.approx(load["run_seconds"] / 3600, abs=1e-6)}
    assert "figures" not in {one["purpose"] for one in found["statements"]}


def test_credits_have_dollars_where_the_program_says_their_price(dwh: Warehouse) -> None:
    dwh.options = {**dwh.options, "credit_price": 3}
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load")
    load = found["statements"][0]
    assert load["estimated"]["dollars"] == pytest.approx(3 * load["run_seconds"] / 3600, abs=1e-5)


def test_a_history_that_is_not_told_fails_no_batch(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    snowflake().api.faults.arm("fail", match="QUERY_HISTORY_BY_USER")
    dwh.load(flights((1, "AA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load")
    load = found["statements"][0]
    assert load["purpose"] == "load" and "estimated" not in load


FORMS = ((), (SETTLING,))  # what versions have their requests begin with


@pytest.mark.deep  # the quick suite tries it over Redshift
def test_statements_that_another_version_has_submitted_are_taken_up(dwh: Warehouse) -> None:
    are_taken_up(dwh, open_driver, FORMS, dwh.rows)


def test_one_whose_answer_is_lost_is_taken_up_by_another_version_too(dwh: Warehouse) -> None:
    state = after_one_that_died(dwh, open_driver, *FORMS)
    assert len(dwh.served.api.requests) == 1
    dwh.steps().commit(state, FakeContext())
    assert dwh.ids() == [1]
