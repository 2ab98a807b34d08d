"""The SQL API as documented: signing, handles, parts of a result, request ids, errors, cancelling, and what a transaction is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from doubles.snowflake.limits import ROWS_A_PARTITION
from shared_metadata.errors import RetryLater, SecretError
from slices.organize.snowflake.api import SnowflakeApi as Client
from slices.organize.snowflake.config import Key
from tests.memory.snowflake import ACCOUNT, DATABASE, ROLE, WAREHOUSE, Served, snowflake

WHERE = {"database": DATABASE, "role": ROLE, "warehouse": WAREHOUSE}


@pytest.fixture
def served() -> Iterator[Served]:
    made = snowflake()
    made.empty(None, "")
    yield made
    made.api.forget()
    made.api.sync_seconds = 45.0


@pytest.fixture
def client(served: Served) -> Client:
    return Client(ACCOUNT, Key.read(served.secret, "snowflake", ""), "snowflake", "")


def sent(client: Client, *texts: str, id: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
    """The first answer."""
    body = {"statement": ";\n".join(texts), **WHERE, "parameters": {"MULTI_STATEMENT_COUNT": str(len(texts))}, **more}
    return client.ask("POST", "", {"requestId": id, "retry": "true"} if id else {}, body)


def count(client: Client, table: str) -> int:
    return int(sent(client, f"SELECT count(*) AS n FROM {table}")[1]["data"][0][0])


def test_a_short_statement_is_answered_at_once_every_value_a_text(client: Client) -> None:
    status, told = sent(client, "SELECT 1 AS one, 'a' AS two, NULL AS three")
    assert (status, told["data"]) == (200, [["1", "a", None]])
    assert [column["name"] for column in told["resultSetMetaData"]["rowType"]] == ["ONE", "TWO", "THREE"]


def test_one_that_takes_longer_has_a_handle_by_which_it_is_asked_again(served: Served, client: Client) -> None:
    served.api.sync_seconds = 0.0
    served.api.faults.arm("slow", seconds=0.3)
    status, told = sent(client, "SELECT 1 AS one")
    assert status == 202
    served.api.requests[told["statementHandle"]].done.wait(30)
    assert client.ask("GET", f"/{told['statementHandle']}")[1]["data"] == [["1"]]


def test_a_result_is_read_part_by_part(client: Client) -> None:
    _, told = sent(client, f"SELECT seq AS n FROM (SELECT unnest(range({2 * ROWS_A_PARTITION + 1})) AS seq)")
    parts = len(told["resultSetMetaData"]["partitionInfo"])
    rows = [len(client.ask("GET", f"/{told['statementHandle']}", {"partition": str(part)})[1]["data"]) for part in range(parts)]
    assert rows == [ROWS_A_PARTITION, ROWS_A_PARTITION, 1]


def test_a_request_s_id_is_run_once(client: Client) -> None:
    sent(client, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n int)")
    handles = {sent(client, "INSERT INTO ops.t SELECT 1", id="one")[1]["statementHandle"] for _ in range(3)}
    assert len(handles) == 1 and count(client, "ops.t") == 1


def test_several_statements_have_a_handle_each_and_their_number_is_told(client: Client) -> None:
    _, told = sent(client, "SELECT 1 AS one", "SELECT 2 AS two")
    assert [client.ask("GET", f"/{handle}")[1]["data"] for handle in told["statementHandles"]] == [[["1"]], [["2"]]]
    status, refused = sent(client, "SELECT 1 AS one; SELECT 2 AS two")
    assert (status, refused["code"]) == (422, "000008")


def test_a_request_s_handle_is_none_of_its_statements(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID("01234567-89ab-4def-8123-456789abc002"))
    _, told = sent(client, "SELECT 1 AS one", "SELECT 2 AS two", "SELECT 3 AS three")
    assert told["statementHandle"] not in told["statementHandles"]
    assert [client.ask("GET", f"/{handle}")[1]["data"] for handle in told["statementHandles"]] == [[["1"]], [["2"]], [["3"]]]


def test_what_is_not_committed_is_rolled_back_when_the_request_ends(client: Client) -> None:
    sent(client, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n int)")
    for broken in ("SELECT 1 / 0 AS x", "SELECT 1 AS x"):
        sent(client, "BEGIN TRANSACTION", "INSERT INTO ops.t SELECT 1", broken)
        assert count(client, "ops.t") == 0
    sent(client, "BEGIN TRANSACTION", "INSERT INTO ops.t SELECT 1", "ROLLBACK", "SELECT 1 AS x")
    assert count(client, "ops.t") == 0


def test_what_defines_something_commits_what_is_open(client: Client) -> None:
    sent(client, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n int)")
    sent(client, "BEGIN TRANSACTION", "INSERT INTO ops.t SELECT 1", "CREATE TABLE ops.u (n int)", "SELECT 1 / 0 AS x")
    assert count(client, "ops.t") == 1


def test_without_a_transaction_each_statement_commits_by_itself(client: Client) -> None:
    sent(client, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n int)")
    assert sent(client, "INSERT INTO ops.t SELECT 1", "SELECT 1 / 0 AS x")[0] == 422 and count(client, "ops.t") == 1


def test_who_changes_a_table_second_waits_for_the_first_to_end(served: Served, client: Client) -> None:
    sent(client, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n int)", "INSERT INTO ops.t SELECT 0")
    lock = served.api.account.databases[DATABASE].lock("OPS.T")
    done = list[tuple[int, dict[str, Any]]]()
    with lock:
        second = threading.Thread(target=lambda: done.append(sent(client, "UPDATE ops.t SET n = n + 1")), daemon=True)
        second.start()
        second.join(0.3)
        assert not done
    second.join(30)
    assert done[0][0] == 200


WRONG = {
    "SELECT nothing FROM nowhere": ("002003", "NOWHERE"),
    "SELECT 1 / 0 AS x": ("100051", "Division by zero"),
    "SELECT CAST('a' AS int) AS x": ("100038", "is not recognized"),
    "SELEC 1": ("001003", "syntax error"),
    "SELECT no_such(1) AS x": ("002140", "NO_SUCH"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_as_snowflake_says_it(client: Client, text: str) -> None:
    status, told = sent(client, text)
    code, words = WRONG[text]
    assert (status, told["code"]) == (422, code) and words in told["message"]


@pytest.mark.parametrize(("name", "code"), [("role", "390189"), ("warehouse", "000606"), ("database", "002003")])
def test_what_a_request_names_has_to_be_there(client: Client, name: str, code: str) -> None:
    assert sent(client, "SELECT 1 AS x", **{name: "NONE"})[1]["code"] == code


def test_a_statement_is_cancelled(served: Served, client: Client) -> None:
    served.api.sync_seconds = 0.0
    served.api.faults.arm("slow", seconds=30)
    handle = sent(client, "SELECT 1 AS x")[1]["statementHandle"]
    request = served.api.requests[handle]
    while request.session is None and not request.done.wait(0.02):
        pass
    client.ask("POST", f"/{handle}/cancel")
    request.done.wait(30)
    assert client.ask("GET", f"/{handle}")[1]["code"] == "000604"


def test_another_key_and_another_user_are_refused(served: Served) -> None:
    stranger = Client(ACCOUNT, Key.read({**served.secret, "user": "somebody"}, "snowflake", ""), "snowflake", "")
    with pytest.raises(SecretError, match="refuses the key"):
        sent(stranger, "SELECT 1 AS x")


def test_what_the_service_refuses_for_the_moment_is_asked_again_and_then_later(served: Served, client: Client) -> None:
    served.api.faults.arm("refuse", count=2)
    assert sent(client, "SELECT 1 AS x")[0] == 200
    served.api.faults.arm("refuse", count=9)
    with pytest.raises(RetryLater):
        sent(client, "SELECT 1 AS x")
    served.api.faults.disarm()
