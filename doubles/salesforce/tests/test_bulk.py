"""Bulk API 2.0 query jobs over raw requests: life, results, formats and refusals."""

import time
from pathlib import Path
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer

SOQL = "SELECT Name, AnnualRevenue, Active__c, Founded__c, Audited__c, Industry FROM Account"


def create(api: Any, query: str = SOQL, operation: str = "query", **options: Any) -> Any:
    return api.call("POST", "/jobs/query", json={"operation": operation, "query": query, **options})


def finish(api: Any, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status: dict[str, Any] = api.call("GET", f"/jobs/query/{job['id']}").json()
        if status["state"] in ("JobComplete", "Failed", "Aborted"):
            return status
        time.sleep(0.005)
    raise AssertionError(f"job {job['id']} did not end: {status}")


def results(api: Any, job: dict[str, Any], **options: Any) -> Any:
    return api.call("GET", f"/jobs/query/{job['id']}/results", **options)


@pytest.fixture
def rows(server: SalesforceServer) -> list[str]:
    full = {
        "Name": 'A "b", ü\nc', "AnnualRevenue": 80000000, "Active__c": True, "Founded__c": "2020-02-29",
        "Audited__c": "2026-01-01T00:00:00Z", "Industry": "Energy",
    }  # fmt: skip
    return server.org.insert("Account", [full, {"Name": "null"}])


def test_a_job_goes_from_upload_complete_to_job_complete(api: Any, rows: list[str]) -> None:
    job = create(api).json()
    assert (job["state"], job["object"], job["contentType"]) == ("UploadComplete", "Account", "CSV")
    status = finish(api, job)
    assert (status["state"], status["numberRecordsProcessed"], status["jobType"]) == ("JobComplete", 2, "V2Query")
    assert [one["id"] for one in api.call("GET", "/jobs/query").json()["records"]] == [job["id"]]


def test_csv_is_written_as_salesforce_writes_it(api: Any, rows: list[str]) -> None:
    job = create(api).json()
    finish(api, job)
    response = results(api, job)
    assert response.headers["Content-Type"].startswith("text/csv")
    assert (response.headers["Sforce-NumberOfRecords"], response.headers["Sforce-Locator"]) == ("2", "null")
    assert response.content.decode() == (
        '"Name","AnnualRevenue","Active__c","Founded__c","Audited__c","Industry"\n'
        '"A ""b"", ü\nc","8.0E7","true","2020-02-29","2026-01-01T00:00:00.000Z","Energy"\n'
        '"null","","false","","",""\n'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0"), (-0.5, "-0.5"), (9999999.25, "9999999.25"), (1e7, "1.0E7"), (-16147805824397, "-1.6147805824397E13"),
     (0.0001, "1.0E-4"), (0.1 + 0.2, "0.30000000000000004"), (123456.789012345678, "123456.78901234567")],
)  # fmt: skip
def test_doubles_are_written_as_java_writes_them(server: SalesforceServer, api: Any, value: float, text: str) -> None:
    server.org.add_object("Thing__c", [Field("V__c", "double", precision=34, scale=17)])
    server.org.insert("Thing__c", [{"V__c": value}])
    job = create(api, "SELECT V__c FROM Thing__c").json()
    finish(api, job)
    assert results(api, job).text == f'"V__c"\n"{text}"\n'


def test_line_ending_and_delimiter_are_selectable(api: Any, rows: list[str]) -> None:
    job = create(api, "SELECT Name, Industry FROM Account", lineEnding="CRLF", columnDelimiter="TAB").json()
    finish(api, job)
    assert results(api, job).content.decode() == '"Name"\t"Industry"\r\n"A ""b"", ü\nc"\t"Energy"\r\n"null"\t""\r\n'


def test_pages_follow_their_locators_and_can_be_read_again(server: SalesforceServer, api: Any) -> None:
    server.org.insert("Account", ({"Name": f"é{number}"} for number in range(5)))
    job = create(api, "SELECT Name FROM Account").json()
    finish(api, job)
    first = results(api, job, params={"maxRecords": 2})
    second = results(api, job, params={"maxRecords": 2, "locator": first.headers["Sforce-Locator"]})
    again = results(api, job, params={"maxRecords": 2, "locator": first.headers["Sforce-Locator"]})
    last = results(api, job, params={"maxRecords": 2, "locator": second.headers["Sforce-Locator"]})
    assert first.content.decode() == '"Name"\n"é0"\n"é1"\n'
    assert second.content == again.content == '"Name"\n"é2"\n"é3"\n'.encode()
    assert (last.content.decode(), last.headers["Sforce-Locator"]) == ('"Name"\n"é4"\n', "null")
    for wrong in ("MTAwMDA", "LTU", "?"):
        assert results(api, job, params={"locator": wrong}).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_page_of_results_may_come_twice(server: SalesforceServer, api: Any) -> None:
    server.org.insert("Account", ({"Name": str(number)} for number in range(3)))
    job = create(api, "SELECT Name FROM Account").json()
    finish(api, job)
    server.org.fail_next("repeat_page", path="/results")
    first = results(api, job, params={"maxRecords": 2})
    again = results(api, job, params={"maxRecords": 2, "locator": first.headers["Sforce-Locator"]})
    assert first.content == again.content
    assert first.headers["Sforce-Locator"] != again.headers["Sforce-Locator"]


def test_results_are_compressed_only_if_the_client_takes_it(api: Any, rows: list[str]) -> None:
    job = create(api).json()
    finish(api, job)
    plain = results(api, job, headers={"Accept-Encoding": "identity"})
    packed = results(api, job, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.content == packed.content


def test_a_result_is_a_snapshot_and_query_all_has_the_deleted(server: SalesforceServer, api: Any, rows: list[str]) -> None:
    server.org.delete("Account", rows[1])
    live, everything = (create(api, "SELECT Id FROM Account", kind).json() for kind in ("query", "queryAll"))
    assert finish(api, live)["numberRecordsProcessed"] == 1
    assert finish(api, everything)["numberRecordsProcessed"] == 2
    server.org.insert("Account", [{"Name": "later"}])
    assert results(api, live).text.count("\n") == 2


def test_a_job_that_runs_has_no_results_and_can_be_aborted(server: SalesforceServer, api: Any) -> None:
    server.org.jobs.delay_seconds = 0.2
    job = create(api).json()
    assert results(api, job).status_code == 204
    assert api.call("DELETE", f"/jobs/query/{job['id']}").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert api.call("PATCH", f"/jobs/query/{job['id']}", json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert finish(api, job)["state"] == "Aborted"
    assert api.call("PATCH", f"/jobs/query/{job['id']}", json={"state": "Aborted"}).status_code == 400


def test_a_deleted_job_is_gone(api: Any, rows: list[str]) -> None:
    job = create(api).json()
    finish(api, job)
    assert api.call("DELETE", f"/jobs/query/{job['id']}").status_code == 204
    assert results(api, job).status_code == 404
    assert api.call("GET", f"/jobs/query/{job['id']}").json()[0]["errorCode"] == "NOT_FOUND"


def test_a_job_can_be_made_to_fail(server: SalesforceServer, api: Any) -> None:
    server.org.jobs.fail_next("query timed out")
    status = finish(api, create(api).json())
    assert (status["state"], status["errorMessage"]) == ("Failed", "InternalServerError: query timed out")


@pytest.mark.parametrize(
    ("query", "options", "code"),
    [
        ("SELECT Nothing FROM Account", {}, "INVALID_FIELD"),
        ("SELECT BillingAddress FROM Account", {}, "API_ERROR"),
        ("SELECT COUNT() FROM Account", {}, "API_ERROR"),
        ("SELECT Id FROM Account OFFSET 5", {}, "API_ERROR"),
        ("SELECT Id FROM Hidden__c", {}, "INVALIDENTITY"),
        (SOQL, {"operation": "insert"}, "INVALIDJOB"),
        (SOQL, {"lineEnding": "CR"}, "INVALIDJOB"),
    ],
)
def test_what_bulk_cannot_do_is_refused_at_once(
    server: SalesforceServer, api: Any, query: str, options: dict[str, str], code: str
) -> None:
    server.org.add_object("Hidden__c", bulk=False)
    response = create(api, query, **options)
    assert (response.status_code, response.json()[0]["errorCode"]) == (400, code)


def test_results_are_read_with_the_version_that_made_the_job(api: Any, rows: list[str]) -> None:
    job = create(api).json()
    finish(api, job)
    url = f"{api.server.url}/services/data/v61.0/jobs/query/{job['id']}/results"
    assert api.session.get(url, timeout=30).status_code == 409


def test_a_prepared_file_can_be_a_result(server: SalesforceServer, api: Any, tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text('"Name","Industry"\n"a\nb","x"\n"c","y"\n"d","z"\n')
    assert server.org.jobs.prepare_result("Account", path) == 3
    job = create(api, "SELECT Name, Industry FROM Account").json()
    assert finish(api, job)["numberRecordsProcessed"] == 3
    page = results(api, job, params={"maxRecords": 1})
    assert page.text == '"Name","Industry"\n"a\nb","x"\n'
    other = finish(api, create(api, "SELECT Name FROM Account").json())
    assert other["state"] == "Failed" and "other columns" in other["errorMessage"]


def test_archived_records_are_in_no_query_but_in_query_all(api: Any, server: SalesforceServer) -> None:
    server.org.add_object("Task", [Field("Subject"), Field("IsArchived", "boolean")])
    server.org.insert("Task", [{"Subject": "old", "IsArchived": True}, {"Subject": "new"}])
    soql = "SELECT Subject FROM Task"
    rest = {kind: api.call("GET", f"/{kind}", params={"q": soql}).json()["totalSize"] for kind in ("query", "queryAll")}
    bulk = {kind: finish(api, create(api, soql, kind).json())["numberRecordsProcessed"] for kind in ("query", "queryAll")}
    assert rest == bulk == {"query": 1, "queryAll": 2}
