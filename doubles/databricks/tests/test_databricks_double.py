"""The double itself: its calls as the API's reference has them, scripts and transactions as the language manual does."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doubles.databricks.service import DatabricksApi, Workspace
from doubles.databricks.session import Catalog
from tests.memory.s3 import MemoryS3

WAREHOUSE, BUCKET, PASSED = "a1b234c567d8e9fa", "data", "what me knows"
MANAGED = "USING DELTA TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported')"


class Files(MemoryS3):
    """What a client of S3 gives: a body is read."""

    def get_object(self, **asked: Any) -> dict[str, Any]:
        found = super().get_object(**asked)
        return {**found, "Body": io.BytesIO(found["Body"])}


class Caller:
    """Calls the API as a client with a token."""

    def __init__(self) -> None:
        self.s3 = Files()
        self.s3.create_bucket(Bucket=BUCKET)
        locations: dict[str, Callable[[], Any]] = {f"s3://{BUCKET}/": lambda: self.s3}
        self.api = DatabricksApi(Workspace({"me": PASSED}, {WAREHOUSE: "STOPPED"}, {"main": Catalog()}, locations))
        self.headers = {"Authorization": f"Bearer {self.token()[1]['access_token']}"}

    def token(self, secret: str = PASSED) -> tuple[int, dict[str, Any]]:
        who = base64.b64encode(f"me:{secret}".encode()).decode()
        asked = {"grant_type": "client_credentials", "scope": "all-apis"}
        return self.api.answer("POST", "/oidc/v1/token", {}, {"Authorization": f"Basic {who}"}, asked)

    def post(self, text: str, wait: str = "50s", **more: str) -> tuple[int, dict[str, Any]]:
        body = {"statement": text, "warehouse_id": WAREHOUSE, "catalog": "main", "wait_timeout": wait, **more}
        return self.api.answer("POST", "/api/2.0/sql/statements", {}, self.headers, body)

    def get(self, path: str, method: str = "GET", query: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        return self.api.answer(method, f"/api/2.0/sql/{path}", query or {}, self.headers, {})

    def rows(self, text: str) -> list[list[str | None]]:
        status, told = self.post(text)
        assert (status, told["status"]["state"]) == (200, "SUCCEEDED"), told
        return told["result"]["data_array"]  # type: ignore[no-any-return]

    def fails(self, text: str) -> str:
        _, told = self.post(text)
        assert told["status"]["state"] == "FAILED", told
        return str(told["status"]["error"]["message"])


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_every_value_is_a_text_and_its_type_stands_beside_it(caller: Caller) -> None:
    at = "TIMESTAMP '2026-01-02 03:04:05+00:00'"
    _, told = caller.post(f"SELECT CAST(7 AS BIGINT) AS n, CAST(1.50 AS DECIMAL(5,2)) AS d, true AS b, {at} AS t, NULL AS x")
    assert told["result"]["data_array"] == [["7", "1.50", "true", "2026-01-02T03:04:05.000Z", None]]
    kinds = [column["type_name"] for column in told["manifest"]["schema"]["columns"]]
    assert kinds[:4] == ["LONG", "DECIMAL", "BOOLEAN", "TIMESTAMP"]


def test_a_result_comes_in_chunks(caller: Caller) -> None:
    _, told = caller.post("SELECT n.a FROM (SELECT explode(sequence(1, 2500)) AS a) AS n")
    found, chunk = list(told["result"]["data_array"]), told["result"]
    while (following := chunk.get("next_chunk_index")) is not None:
        _, chunk = caller.get(f"statements/{told['statement_id']}/result/chunks/{following}")
        found += chunk["data_array"]
    assert told["manifest"]["total_chunk_count"] == 3 and sorted(int(a) for (a,) in found) == [*range(1, 2501)]


def test_a_statement_that_is_not_waited_for_is_pending_or_running_and_is_cancelled(caller: Caller) -> None:
    caller.api.faults.arm("slow", seconds=20)
    _, told = caller.post("SELECT 1 AS one", wait="0s")
    assert set(told) == {"statement_id", "status"} and told["status"]["state"] in ("PENDING", "RUNNING")
    statement = caller.api.statements[told["statement_id"]]
    while statement.session is None:
        assert not statement.done.is_set()
    assert caller.get(f"statements/{statement.id}/cancel", "POST") == (200, {})
    statement.done.wait(10)
    assert caller.get(f"statements/{statement.id}")[1]["status"] == {"state": "CANCELED"}


def test_query_history_tells_of_a_statement_by_its_id(caller: Caller) -> None:
    _, told = caller.post("SELECT 1 AS one")
    _, found = caller.get("history/queries", query={"filter_by.statement_ids": told["statement_id"]})
    assert [one["query_id"] for one in found["res"]] == [told["statement_id"]]


def test_a_token_ends(caller: Caller) -> None:
    caller.api.token_seconds = 0.0
    caller.headers = {"Authorization": f"Bearer {caller.token()[1]['access_token']}"}
    assert caller.post("SELECT 1 AS one")[0] == 401


def test_a_wrong_secret_gets_no_token(caller: Caller) -> None:
    assert caller.token("another")[0] == 401


def test_what_is_not_there_is_told_by_name(caller: Caller) -> None:
    assert caller.post("SELECT 1 AS one", warehouse_id="0000000000000000")[1]["error_code"] == "NOT_FOUND"
    assert caller.get("statements/01f0")[0] == 404
    assert caller.post("SELECT 1 AS one", wait="3s")[0] == 400
    assert caller.fails("SELECT 1 AS one FROM ops.nothing").startswith("[TABLE_OR_VIEW_NOT_FOUND]")
    assert caller.fails("SELECT 1 AS a; SELECT 2 AS b").startswith("[PARSE_SYNTAX_ERROR]")


def made(caller: Caller, name: str, properties: str = MANAGED) -> None:
    caller.rows(
        f"BEGIN CREATE SCHEMA IF NOT EXISTS `ops`; CREATE TABLE `ops`.`{name}` (`id` BIGINT) {properties}; SELECT 1 AS done; END"
    )


def test_a_transaction_is_done_whole_or_not_at_all(caller: Caller) -> None:
    made(caller, "a")
    made(caller, "b")
    atomic = "BEGIN ATOMIC INSERT INTO `ops`.`a` SELECT 1; INSERT INTO `ops`.`b` SELECT {}; END"
    assert caller.fails(atomic.format("CAST('x' AS BIGINT)")).startswith("[CAST_INVALID_INPUT]")
    assert caller.rows("SELECT count(*) AS n FROM `ops`.`a`") == [["0"]]
    assert caller.post(atomic.format("2"))[1]["status"]["state"] == "SUCCEEDED"
    assert caller.rows("SELECT a.`id` + b.`id` AS n FROM `ops`.`a` AS a, `ops`.`b` AS b") == [["3"]]


def test_a_script_that_signals_stops_there(caller: Caller) -> None:
    made(caller, "a")
    text = (
        "BEGIN IF NOT ((SELECT count(*) FROM `ops`.`a`) = 5) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no five'; END IF; "
        "INSERT INTO `ops`.`a` SELECT 1; END"
    )
    assert caller.fails(text) == "no five" and caller.rows("SELECT count(*) AS n FROM `ops`.`a`") == [["0"]]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TABLE `ops`.`c` (`id` BIGINT)", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
        ("SELECT table_name FROM information_schema.columns", "TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE"),
        ("INSERT INTO `ops`.`plain` SELECT 1", "TRANSACTION_NOT_SUPPORTED.WRITE_NON_CATALOG_OWNED_TABLE"),
    ],
)
def test_what_stands_in_no_transaction_is_refused(caller: Caller, statement: str, told: str) -> None:
    made(caller, "plain", "USING DELTA")
    assert caller.fails(f"BEGIN ATOMIC {statement}; END").startswith(f"[{told}]")


def test_a_file_is_copied_into_a_table_once(caller: Caller) -> None:
    made(caller, "a")
    body = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.int64())}), body)
    caller.s3.put_object(Bucket=BUCKET, Key="in/0.parquet", Body=body.getvalue())
    select = f"SELECT CAST(`id` AS BIGINT) AS `id` FROM 's3://{BUCKET}/in/'"
    copy = f"COPY INTO `ops`.`a` FROM ({select}) FILEFORMAT = PARQUET FILES = ('0.parquet')"
    for _ in range(2):
        assert caller.post(copy)[1]["status"]["state"] == "SUCCEEDED"
    assert caller.rows("SELECT sum(`id`) AS n FROM `ops`.`a`") == [["3"]]
    assert caller.fails(copy.replace(BUCKET, "elsewhere")).startswith("[UNAUTHORIZED_ACCESS]")


@pytest.mark.parametrize("name", ["Capital", "a b", "a.b", "a/b"])
def test_unity_catalog_takes_no_such_name(caller: Caller, name: str) -> None:
    assert caller.fails(f"CREATE TABLE `ops`.`{name}` (`id` BIGINT)").startswith("[INVALID_PARAMETER_VALUE]")


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("TIMESTAMP_NTZ '2024-01-31 12:00:00' + INTERVAL '1' DAY", "TIMESTAMP_NTZ", "2024-02-01T12:00:00.000"),
        ("TIMESTAMP '2024-01-31 12:00:00+00:00' - INTERVAL '90' MINUTE", "TIMESTAMP", "2024-01-31T10:30:00.000Z"),
        ("date_trunc('month', DATE '2024-01-31')", "TIMESTAMP", "2024-01-01T00:00:00.000Z"),
        ("date_trunc('day', TIMESTAMP_NTZ '2024-01-31 12:00:00')", "TIMESTAMP", "2024-01-31T00:00:00.000Z"),
        ("some(q.b)", "BOOLEAN", "true"),
        ("every(q.b)", "BOOLEAN", "false"),
        ("count_if(CASE WHEN q.b THEN CAST(NULL AS BOOLEAN) END)", "LONG", "0"),
    ],
)
def test_a_value_is_of_the_type_that_is_documented(caller: Caller, expression: str, kind: str, value: str) -> None:
    _, told = caller.post(f"SELECT {expression} AS x FROM (SELECT explode(array(true, false)) AS b) AS q GROUP BY ALL")
    assert told["manifest"]["schema"]["columns"][0]["type_name"] == kind and told["result"]["data_array"][0] == [value]


@pytest.mark.parametrize("expression", ["1 / 0", "1 / (1 / 0)", "1 DIV 0", "1 % 0", "abs(1 + 2 DIV (3 % 3))"])
def test_a_division_by_zero_fails_wherever_it_stands(caller: Caller, expression: str) -> None:
    assert caller.fails(f"SELECT {expression} AS x").startswith("[DIVIDE_BY_ZERO]")


def test_a_moment_of_an_outer_row_is_moved(caller: Caller) -> None:
    later = "o.at + INTERVAL '3 days'"
    asked = (
        f"SELECT 1 AS x FROM (SELECT TIMESTAMP '2024-01-31 12:00:00+00:00' AS at) AS o WHERE EXISTS (SELECT 1 WHERE o.at < {later})"
    )
    assert caller.rows(asked) == [["1"]]
