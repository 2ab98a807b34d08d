"""REST queries in pages: sizes, locators, and a page that comes twice."""

from typing import Any

import pytest

from doubles.salesforce import SalesforceServer


@pytest.fixture(autouse=True)
def rows(server: SalesforceServer) -> list[str]:
    return server.org.insert("Account", ({"Name": f"{number:04}"} for number in range(2500)))


def follow(api: Any, page: dict[str, Any]) -> Any:
    return api.session.get(api.server.url + page["nextRecordsUrl"], timeout=30)


@pytest.mark.parametrize(("asked", "given"), [(None, 2000), (500, 500), (1, 200), (9999, 2000)])
def test_a_page_is_as_large_as_asked_within_salesforces_bounds(api: Any, asked: int | None, given: int) -> None:
    headers = {"Sforce-Query-Options": f"batchSize={asked}"} if asked else {}
    page = api.query("SELECT Id FROM Account", headers=headers).json()
    assert (page["totalSize"], page["done"], len(page["records"])) == (2500, False, given)
    assert page["nextRecordsUrl"].endswith(f"-{given}")


def test_a_test_may_make_pages_smaller_still(server: SalesforceServer, api: Any) -> None:
    server.org.cursors.page_rows = 2
    page = api.query("SELECT Name FROM Account").json()
    assert [one["Name"] for one in page["records"]] == ["0000", "0001"]
    assert [one["Name"] for one in follow(api, page).json()["records"]] == ["0002", "0003"]


def test_rows_that_come_later_are_not_in_an_open_query(server: SalesforceServer, api: Any) -> None:
    page = api.query("SELECT Name FROM Account").json()
    server.org.insert("Account", [{"Name": "later"}])
    rest = follow(api, page).json()
    assert (len(rest["records"]), rest["done"], rest["totalSize"]) == (500, True, 2500)


def test_a_page_may_come_twice(server: SalesforceServer, api: Any) -> None:
    server.org.cursors.page_rows = 1000
    first = api.query("SELECT Name FROM Account").json()
    server.org.fail_next("repeat_page", path="/query/01g")
    second = follow(api, first).json()
    again = follow(api, second).json()
    assert again["records"] == second["records"]
    assert follow(api, again).json()["records"][0]["Name"] == "2000"


def test_a_locator_ends(server: SalesforceServer, api: Any, clock: Any) -> None:
    server.org.authority.token_seconds = 10 * 86_400
    page = api.query("SELECT Id FROM Account").json()
    clock.advance(days=2, seconds=1)
    api.log_in()
    response = follow(api, page)
    assert response.status_code == 400
    assert response.json() == [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]


def test_a_test_may_end_every_locator(server: SalesforceServer, api: Any) -> None:
    page = api.query("SELECT Id FROM Account").json()
    server.org.cursors.expire()
    assert follow(api, page).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert api.call("GET", "/query/01g000000000001AAA-x").status_code == 400
