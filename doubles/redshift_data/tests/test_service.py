"""The Data API as it is documented: states, parameters, pages, tokens, errors, cancelling, and what a transaction is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from doubles.redshift_data.limits import ROWS_A_PAGE
from tests.memory.redshift import MemoryRedshift

WHERE = {"WorkgroupName": "service", "Database": "dev"}


@pytest.fixture
def api() -> Iterator[MemoryRedshift]:
    made = MemoryRedshift(lambda: None)  # type: ignore[arg-type, return-value]
    made.make("service", "dev", "")
    yield made
    made.double.faults.disarm()


def run(api: MemoryRedshift, *texts: str, **more: Any) -> dict[str, Any]:
    """The statement as it ended."""
    given = {"Sql": texts[0]} if len(texts) == 1 else {"Sqls": [*texts]}
    submit = api.execute_statement if len(texts) == 1 else api.batch_execute_statement
    return api.describe_statement(Id=submit(**given, **WHERE, WaitTimeSeconds=30, **more)["Id"])


def values(api: MemoryRedshift, id: str) -> list[Any]:
    found = api.get_statement_result(Id=id)["Records"]
    return [next(iter(field.values())) for (field,) in found]


def test_a_statement_goes_from_submitted_to_finished_with_its_figures(api: MemoryRedshift) -> None:
    api.double.faults.arm("queued", seconds=0.3)
    id = api.execute_statement(Sql="SELECT 1 AS one", **WHERE)["Id"]
    assert api.describe_statement(Id=id)["Status"] == "SUBMITTED"
    ended = api.describe_statement(Id=id, WaitTimeSeconds=30)
    assert (ended["Status"], ended["ResultRows"], ended["HasResultSet"]) == ("FINISHED", 1, True)
    assert ended["Duration"] > 0 and ended["ResultSize"] > 0 and ended["RedshiftQueryId"] > 0
    (column,) = api.get_statement_result(Id=id)["ColumnMetadata"]
    assert (column["name"], column["typeName"]) == ("one", "int4")


def test_parameters_are_values_and_no_text_of_the_statement(api: MemoryRedshift) -> None:
    given = [{"name": "said", "value": "it's; DROP TABLE x"}, {"name": "n", "value": "7"}]
    ended = run(api, "SELECT :said || CAST(:n AS varchar) AS x", Parameters=given)
    assert values(api, ended["Id"]) == ["it's; DROP TABLE x7"]


def test_a_result_is_read_page_by_page(api: MemoryRedshift) -> None:
    ended = run(api, f"SELECT n FROM generate_series(1, {2 * ROWS_A_PAGE + 1}) AS s (n) ORDER BY n")
    pages, token = [], ""
    while True:
        page = api.get_statement_result(Id=ended["Id"], **({"NextToken": token} if token else {}))
        pages.append(len(page["Records"]))
        token = page.get("NextToken", "")
        if not token:
            break
    assert pages == [ROWS_A_PAGE, ROWS_A_PAGE, 1]


def test_a_token_is_one_statement_and_another_text_under_it_is_refused(api: MemoryRedshift) -> None:
    run(api, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n integer)")
    ids = {run(api, "INSERT INTO ops.t SELECT 1", ClientToken="one")["Id"] for _ in range(3)}
    assert len(ids) == 1 and values(api, run(api, "SELECT count(*) FROM ops.t")["Id"]) == [1]
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        run(api, "INSERT INTO ops.t SELECT 2", ClientToken="one")


def test_a_batch_is_one_transaction_of_which_a_failure_leaves_nothing(api: MemoryRedshift) -> None:
    run(api, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n integer)")
    ended = run(api, "INSERT INTO ops.t SELECT 1", "SELECT 1 / 0 AS x", "INSERT INTO ops.t SELECT 2")
    assert ended["Status"] == "FAILED" and "Divide by zero" in ended["Error"]
    assert [part["Status"] for part in ended["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert values(api, run(api, "SELECT count(*) FROM ops.t")["Id"]) == [0]


def test_each_statement_of_a_batch_has_its_own_result(api: MemoryRedshift) -> None:
    ended = run(api, "SELECT 1 AS one", "SELECT 2 AS two")
    assert [values(api, part["Id"]) for part in ended["SubStatements"]] == [[1], [2]]
    with pytest.raises(ClientError, match="does not have result"):
        api.get_statement_result(Id=ended["Id"])


WRONG = {
    "SELECT nothing FROM nowhere": 'relation "nowhere" does not exist',
    "SELECT 1 AS x RETURNING x": 'syntax error at or near "RETURNING"',
    "SELECT CAST('a' AS integer) AS x": "Invalid digit, Value 'a'",
    "SELECT 1 AS x; SELECT 2": "cannot insert multiple commands into a prepared statement",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_as_redshift_says_it(api: MemoryRedshift, text: str) -> None:
    ended = run(api, text)
    assert ended["Status"] == "FAILED" and ended["Error"].startswith("ERROR: ") and WRONG[text] in ended["Error"]


def test_a_statement_is_cancelled_and_one_that_has_ended_is_not(api: MemoryRedshift) -> None:
    api.double.faults.arm("slow", seconds=30)
    id = api.execute_statement(Sql="SELECT 1 AS x", **WHERE)["Id"]
    assert api.cancel_statement(Id=id)["Status"] is True
    assert api.describe_statement(Id=id, WaitTimeSeconds=30)["Status"] == "ABORTED"
    with pytest.raises(ClientError, match="already in ABORTED state"):
        api.cancel_statement(Id=id)


def test_who_writes_a_table_second_gets_1023_and_leaves_nothing(api: MemoryRedshift) -> None:
    run(api, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n integer)")
    holder = api.double.databases.open("service", "dev")
    holder.execute("SELECT pg_advisory_lock(1023)")
    try:
        change = ("SELECT count(*) FROM ops.t", "SELECT pg_advisory_xact_lock(1023)", "INSERT INTO ops.t SELECT 1")
        late = api.batch_execute_statement(Sqls=[*change], **WHERE)["Id"]
        while api.describe_statement(Id=late)["SubStatements"][0]["Status"] != "FINISHED":
            api.describe_statement(Id=late, WaitTimeSeconds=1)
        assert run(api, "INSERT INTO ops.t SELECT 2")["Status"] == "FINISHED"
    finally:
        holder.execute("SELECT pg_advisory_unlock(1023)")
        api.double.databases.close(holder)
    ended = api.describe_statement(Id=late, WaitTimeSeconds=30)
    assert ended["Status"] == "FAILED" and "1023" in ended["Error"] and "ops.t" in ended["Error"]
    assert values(api, run(api, "SELECT n FROM ops.t")["Id"]) == [2]


def test_two_that_only_add_rows_come_in_any_order(api: MemoryRedshift) -> None:
    run(api, "CREATE SCHEMA ops", "CREATE TABLE ops.t (n integer)")
    ids = [api.execute_statement(Sql=f"INSERT INTO ops.t SELECT {n}", **WHERE)["Id"] for n in range(4)]
    assert {api.describe_statement(Id=id, WaitTimeSeconds=30)["Status"] for id in ids} == {"FINISHED"}
    assert values(api, run(api, "SELECT count(*) FROM ops.t")["Id"]) == [4]


def test_blanks_at_the_end_of_a_text_are_kept_and_make_it_no_other(api: MemoryRedshift) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_Examples_with_character_types.html"""
    rows = " UNION ALL ".join(f"SELECT '{one}'" for one in ("a", "a  ", "A", " a"))
    ended = run(
        api,
        *("CREATE TABLE public.texts (s varchar(10))", f"INSERT INTO public.texts {rows}"),
        "SELECT count(*) AS n FROM public.texts WHERE s = 'a'",
        "SELECT count(*) AS n FROM (SELECT s FROM public.texts GROUP BY s) AS r",
        "SELECT count(*) AS n FROM public.texts AS x JOIN public.texts AS y ON x.s = y.s",
        "SELECT count(*) AS n FROM public.texts AS x JOIN public.texts AS y ON x.s = y.s AND COLLATE(x.s, 'case_sensitive') = "
        "COLLATE(y.s, 'case_sensitive') AND LEN(x.s) = LEN(y.s)",
        "SELECT sum(length(s) + octet_length(s || '.')) AS n FROM public.texts",
    )
    found = [values(api, part["Id"])[0] for part in ended["SubStatements"][2:]]
    assert found[:4] == [2, 3, 6, 4] and int(found[4]) == (1 + 3 + 1 + 2) * 2 + 4
