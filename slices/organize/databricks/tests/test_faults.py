"""What goes wrong in Databricks or on the way there: nothing is lost, nothing half done, and the error names what to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Mode
from slices.organize.databricks.handlers import open_driver
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake, flights
from tests.memory.databricks import CATALOG, OPTIONS, WAREHOUSE, Served, databricks


class Warehouse(Lake):
    """The suite's warehouse, with Databricks beside it."""

    served: Served

    def ids(self, dataset: str = FLIGHTS) -> list[int]:
        _, schema, name = dataset.split(".")
        return sorted(row["id"] for row in self.served.asked(f"SELECT id FROM {table(DatabricksSql(), schema, name)}"))

    def fails(self, **staged: Any) -> Exception:
        """The error of a load, which leaves the table as it is."""
        interval = self.stage(flights((9, "ZZ")), **staged)
        (error,) = self.run(f"{FLIGHTS}:load", interval, record_errors=True).errors.values()
        return error


@pytest.fixture
def dwh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    for cloud in open_cloud(monkeypatch):
        served = databricks()
        served.empty(cloud.s3, cloud.bucket)
        cloud.put_secret("databricks", served.secret)
        made = Warehouse(cloud, SLICE, open_driver)
        made.served, made.options = served, OPTIONS
        made.collected(Mode.APPEND)
        yield made
        served.api.forget()


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("kind", "match", "more"),
    [
        ("lose_answer", "POST /api/2.0/sql/statements$", {"count": 2}),
        ("refuse", "POST /api/2.0/sql/statements$", {"status": 429}),
        ("refuse", "GET", {"status": 503}),
        ("refuse", "oidc", {"status": 503}),
        ("fail", "COPY INTO", {"code": "TEMPORARILY_UNAVAILABLE"}),
        ("lost_commit", "COPY INTO", {}),
        ("lost_commit", "BEGIN ATOMIC", {}),
        ("stops_inside", "BEGIN ATOMIC", {}),
        ("conflict", "BEGIN ATOMIC", {}),
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
    dwh.served.api.most_wait_seconds = 0.0
    dwh.served.api.faults.arm("slow", match="COPY INTO", seconds=8)
    interval = dwh.stage(flights((1, "AA")))
    assert dwh.run(f"{FLIGHTS}:load", interval).pauses
    assert dwh.ids() == [1]


TOLD = [
    ("SCHEMA_NOT_FOUND", "The schema `ops` cannot be found.", ["schema ops", "SCHEMA_NOT_FOUND", "grant it"]),
    (
        "INSUFFICIENT_PERMISSIONS",
        "Insufficient privileges: User does not have CREATE TABLE on Schema 'analytics.ops'.",
        ["CREATE TABLE", "grant"],
    ),
    (
        "MULTI_STATEMENT_TRANSACTION_NOT_SUPPORTED.PREVIEW_NOT_ENABLED",
        "They are not enabled for this workspace.",
        ["preview", "switched on"],
    ),
    ("CAST_INVALID_INPUT", "The value 'a-private-value' cannot be cast.", ["a text is no number"]),
    ("SOMETHING_NEW", "something about 'a-private-value'", ["may quote a row", "Query History"]),
    ("", "something about 'a-private-value'", ["may quote a row", "Query History"]),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("condition", "message", "told"), TOLD)
def test_an_error_names_the_object_the_right_or_the_limit_and_no_value(
    dwh: Warehouse, condition: str, message: str, told: list[str]
) -> None:
    dwh.load(flights((1, "AA")))
    dwh.served.api.faults.arm("fail", match="COPY INTO", condition=condition, message=message, code="BAD_REQUEST")
    said = str(dwh.fails())
    assert all(word in said for word in (*told, "Databricks query 01f0", "Remedy")) and "a-private-value" not in said
    assert dwh.ids() == [1]


def test_a_statement_that_an_administrator_cancels_is_told_by_its_id(dwh: Warehouse) -> None:
    dwh.served.api.faults.arm("fail", match="COPY INTO", condition="", message="Statement was canceled.", code="CANCELLED")
    said = str(dwh.fails())
    assert "Databricks query 01f0" in said and "was cancelled by somebody else" in said and "ask who administers it" in said


def test_a_warehouse_that_is_not_there_is_named(dwh: Warehouse) -> None:
    dwh.served.api.workspace.warehouses[WAREHOUSE] = "DELETED"
    error = dwh.fails()
    assert isinstance(error, DefinitionError) and WAREHOUSE in str(error) and "warehouse_id" in str(error)


def test_a_warehouse_that_may_not_be_used_is_named(dwh: Warehouse) -> None:
    dwh.served.api.workspace.may_use = False
    error = dwh.fails()
    assert isinstance(error, DefinitionError) and WAREHOUSE in str(error) and "CAN USE" in str(error)


def test_a_catalog_that_is_not_there_is_named(dwh: Warehouse) -> None:
    del dwh.served.api.workspace.catalogs[CATALOG]
    assert f"'{CATALOG}'" in str(dwh.fails())


def test_a_bucket_that_no_external_location_covers_is_told_with_what_to_grant(dwh: Warehouse) -> None:
    dwh.served.api.workspace.locations.clear()
    error = dwh.fails()
    assert "external location" in str(error).lower() and "README" in str(error)


def test_a_principal_that_is_refused_is_told_by_its_reference(dwh: Warehouse) -> None:
    dwh.cloud.put_secret("databricks", {**dwh.served.secret, "client_secret": "a-wrong-secret"})
    error = dwh.fails()
    assert isinstance(error, SecretError) and "'databricks'" in str(error) and "a-wrong-secret" not in str(error)


def test_a_token_that_is_withdrawn_is_asked_for_again(dwh: Warehouse) -> None:
    from shared_metadata.contract.runtime.services import Services
    from slices.organize.databricks.client import DatabricksDriver

    services: Services = dwh.cloud.services(SLICE.id)
    warehouse = dwh.cloud.reader.program(dwh.cloud.reader.active_version() or "").warehouses["lake"]
    service = DatabricksDriver(warehouse, services).service("here")
    first = service.submit('["SELECT 1 AS one"]', "a")
    dwh.served.api.withdraw()
    second = service.submit('["SELECT 2 AS two"]', "b")
    assert (service.rows(first, -1), service.rows(second, -1)) == ([[1]], [[2]])


def test_a_result_that_is_written_twice_beside_itself_takes_no_file_from_itself(dwh: Warehouse) -> None:
    service, bucket = dwh.driver().service("here"), dwh.cloud.bucket  # type: ignore[attr-defined]
    text = json.dumps(DatabricksSql().unload("SELECT 1 AS id", f"s3://{bucket}/staging/out/"))
    first, again = (service.submit(text, "a token") for _ in range(2))
    told = [url.removeprefix(f"s3://{bucket}/") for id in (first, again) for url, *_ in service.rows(id, -1)]
    assert {*told} < {*dwh.cloud.keys("staging/out/")} and len({*told}) == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"zone": "Asia/Kolkata"}, "are not in UTC; set TIMEZONE"), ({"ansi": False}, "are not in ANSI mode; set ANSI_MODE")],
)
def test_what_an_administrator_has_set_of_sessions_changes_no_value_but_is_told(
    dwh: Warehouse, setting: dict[str, Any], said: str
) -> None:
    dwh.load(flights((1, "AA")))
    dwh.served.api.workspace.catalogs[CATALOG].__dict__.update(setting)
    assert said in str(dwh.fails())
    assert dwh.ids() == [1]


def test_a_workspace_that_is_not_reached_is_later(dwh: Warehouse) -> None:
    dwh.cloud.put_secret("databricks", {**dwh.served.secret, "host": "127.0.0.1:1"})
    assert isinstance(dwh.fails(), RetryLater)


def test_a_table_that_atoll_did_not_make_is_left_alone(dwh: Warehouse) -> None:
    cursor = dwh.served.api.workspace.catalogs[CATALOG].connection.cursor()
    cursor.execute("CREATE SCHEMA ops; CREATE TABLE ops.flights (id BIGINT); INSERT INTO ops.flights VALUES (7)")
    assert "was not made by Atoll" in str(dwh.fails())
    assert dwh.ids() == [7]


def test_a_first_commit_that_stopped_after_it_made_the_table_is_taken_up(dwh: Warehouse) -> None:
    dwh.served.api.faults.arm(
        "stops_inside", match="BEGIN ATOMIC", condition="INSUFFICIENT_PERMISSIONS", message="stopped", code="BAD_REQUEST"
    )
    interval = dwh.stage(flights((1, "AA")))
    with pytest.raises(DefinitionError, match="stopped"):
        dwh.run(f"{FLIGHTS}:load", interval)
    assert dwh.ids() == []
    dwh.cloud.clock.advance(hours=1)  # the lease of the one that stopped
    dwh.run(f"{FLIGHTS}:load", interval)
    assert dwh.ids() == [1]


def test_commits_of_two_tables_run_beside_one_another(dwh: Warehouse) -> None:
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


def test_a_batch_records_what_its_statements_took(dwh: Warehouse) -> None:
    dwh.options = {**dwh.options, "dbus_an_hour": 6, "dbu_price": 0.7}
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load", 1)
    assert {one["purpose"] for one in found["statements"]} >= {"load", "commit 0"}
    assert all(one["id"].startswith("01f0") and one["bytes_scanned"] > 0 for one in found["statements"])
    load = found["statements"][0]
    assert load["bytes_written"] > 0
    dbus = 6 * load["run_seconds"] / 3600
    assert load["estimated"] == {"databricks_dbus": pytest.approx(dbus, abs=1e-6), "dollars": pytest.approx(0.7 * dbus, abs=1e-6)}


def test_dbus_are_estimated_where_the_program_says_what_an_hour_takes(dwh: Warehouse) -> None:
    dwh.load(flights((1, "AA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load", 1)
    assert found["statements"][0]["run_seconds"] > 0
    assert not any(one.get("estimated") for one in found["statements"])


def test_a_load_that_stopped_anywhere_leaves_no_table_that_is_not_tidied(dwh: Warehouse) -> None:
    interval = dwh.stage(flights((1, "AA")))
    for key in dwh.cloud.keys("staging/collect.fake/"):
        if key.endswith(".parquet"):
            dwh.cloud.s3.delete_object(Bucket=dwh.cloud.bucket, Key=key)
    (error,) = dwh.run(f"{FLIGHTS}:load", interval, record_errors=True).errors.values()
    assert "PATH_NOT_FOUND" in str(error) and "made again from its source" in str(error)
    asked = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'atoll_staging' ORDER BY 1"
    assert [row["name"].partition("_")[0] for row in dwh.served.asked(asked)] == ["made", "raw", "rows"]
    dwh.cloud.clock.advance(hours=24 * 3650)  # the double has a clock of its own
    warehouse = dwh.cloud.reader.program(dwh.cloud.reader.active_version() or "").warehouses["lake"]
    open_driver(warehouse, dwh.cloud.services(SLICE.id)).tidy()  # type: ignore[attr-defined]
    assert [row["name"] for row in dwh.served.asked(asked)] == ["made"]
