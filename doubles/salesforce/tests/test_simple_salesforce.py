"""The unmodified simple-salesforce drives the double: logins, REST and Bulk 2.0."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from doubles.salesforce import SalesforceServer

Connect = Callable[..., Any]


@pytest.fixture
def client(salesforce: Connect, tls_server: SalesforceServer) -> Any:
    given = tls_server.credentials
    return salesforce(username=given.username, consumer_key=given.client_id, privatekey=given.private_key)


def test_client_credentials_log_in(salesforce: Connect, tls_server: SalesforceServer) -> None:
    given = tls_server.credentials
    client = salesforce(consumer_key=given.client_id, consumer_secret=given.client_secret, domain="airline.my")
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 0


def test_another_user_is_refused_by_jwt_bearer(salesforce: Connect, tls_server: SalesforceServer) -> None:
    given = tls_server.credentials
    warned = pytest.warns(UserWarning)  # noqa: PT030 - the library's own words
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_grant"), warned:
        salesforce(username="nobody@example.com", consumer_key=given.client_id, privatekey=given.private_key)


def test_records_live_through_create_read_update_upsert_and_delete(client: Any) -> None:
    created = client.Account.create({"Name": "Envoy", "Carrier_Code__c": "MQ", "BillingCity": "Irving"})
    assert client.Account.get(created["id"])["BillingAddress"]["city"] == "Irving"
    client.Account.update(created["id"], {"Name": "Envoy Air"})
    assert client.Account.upsert("Carrier_Code__c/MQ", {"AnnualRevenue": 12.5}) == 200
    assert client.Account.upsert("Carrier_Code__c/AS", {"Name": "Alaska"}) == 201
    assert client.Account.get_by_custom_id("Carrier_Code__c", "MQ")["AnnualRevenue"] == 12.5
    client.Account.delete(created["id"])
    assert [one["Name"] for one in client.query("SELECT Name FROM Account")["records"]] == ["Alaska"]
    assert client.query("SELECT COUNT() FROM Account", include_deleted=True)["totalSize"] == 2
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        client.Account.get(created["id"])


def test_a_long_result_comes_whole_through_query_more(client: Any, tls_server: SalesforceServer) -> None:
    tls_server.org.insert("Account", ({"Name": f"Account {number}"} for number in range(4500)))
    records = client.query_all("SELECT Name FROM Account ORDER BY CreatedDate")["records"]
    assert [one["Name"] for one in records] == [f"Account {number}" for number in range(4500)]


def test_describe_and_limits_are_read(client: Any) -> None:
    assert [one["name"] for one in client.describe()["sobjects"]] == ["Account"]
    fields = {one["name"]: one for one in client.Account.describe()["fields"]}
    assert fields["AnnualRevenue"]["type"] == "currency"
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000
    assert client.api_usage["api-usage"].total == 100_000


def test_deleted_and_updated_records_are_listed(client: Any, tls_server: SalesforceServer) -> None:
    now = datetime.now(UTC)
    kept, gone = tls_server.org.insert("Account", [{"Name": "kept"}, {"Name": "gone"}], at=now - timedelta(minutes=5))
    tls_server.org.delete("Account", gone, at=now - timedelta(minutes=3))
    start, end = now - timedelta(minutes=10), now
    assert [one["id"] for one in client.Account.deleted(start, end)["deletedRecords"]] == [gone]
    assert client.Account.updated(start, end)["ids"] == [kept]


def test_a_bulk_query_comes_in_pages_of_csv(client: Any, tls_server: SalesforceServer) -> None:
    tls_server.org.insert("Account", ({"Name": f'Line\n{number}, "Ä"'} for number in range(2500)))
    pages = list(client.bulk2.Account.query("SELECT Id, Name FROM Account", max_records=1000, wait=0.01))
    rows = [list(csv.reader(io.StringIO(page, newline=""))) for page in pages]
    assert [len(page) - 1 for page in rows] == [1000, 1000, 500]
    assert all(page[0] == ["Id", "Name"] for page in rows)
    assert [row[1] for page in rows for row in page[1:]] == [f'Line\n{number}, "Ä"' for number in range(2500)]


def test_ingest_jobs_of_the_client_write_rows_and_tell_which_are_refused(client: Any, tls_server: SalesforceServer) -> None:
    account, parent = client.bulk2.Account, client.Account.create({"Name": "Sabre", "Carrier_Code__c": "1S"})["id"]
    rows = [{"Name": f"Account {n}", "Carrier_Code__c": f"C{n}", "Parent.Carrier_Code__c": "1S" if n else "??"} for n in range(3)]
    (job,) = account.insert(records=rows, wait=0.01)
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 1)
    (failed,) = csv.DictReader(io.StringIO(account.get_failed_records(job["job_id"])))
    assert failed["Name"] == "Account 0" and failed["sf__Error"].startswith("INVALID_FIELD:Foreign key external ID")
    changes = [{"Carrier_Code__c": "C1", "AnnualRevenue": "#N/A", "Name": "One"}, {"Carrier_Code__c": "C9", "Name": "Nine"}]
    (job,) = account.upsert(records=changes, external_id_field="Carrier_Code__c", wait=0.01)
    taken = list(csv.DictReader(io.StringIO(account.get_successful_records(job["job_id"]))))
    assert [row["sf__Created"] for row in taken] == ["false", "true"]
    found = client.query("SELECT Name, ParentId FROM Account WHERE Carrier_Code__c IN ('C1', 'C2', 'C9')")["records"]
    assert sorted((one["Name"], one["ParentId"]) for one in found) == [("Account 2", parent), ("Nine", None), ("One", parent)]


def test_a_collection_has_a_result_for_each_record(client: Any) -> None:
    """Which the client has no method for."""
    accounts = [{"Name": "Envoy", "Carrier_Code__c": "MQ"}, {"Name": "x" * 256}, {"Name": "Again", "Carrier_Code__c": "MQ"}]
    body: dict[str, Any] = {"allOrNone": False, "records": [{"attributes": {"type": "Account"}, **one} for one in accounts]}
    made, long, again = client.restful("composite/sobjects", method="POST", json=body)
    assert made["success"] and [one["errors"][0]["statusCode"] for one in (long, again)] == ["STRING_TOO_LONG", "DUPLICATE_VALUE"]
    gone = client.restful("composite/sobjects", params={"ids": f"{made['id']},{made['id']}"}, method="DELETE")
    assert [one["success"] for one in gone] == [True, False] and gone[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"
    body["records"][0]["AnnualRevenue"] = "much"
    with pytest.raises(SalesforceMalformedRequest, match="JSON_PARSER_ERROR"):
        client.restful("composite/sobjects", method="POST", json=body)
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 0


def test_a_bad_query_is_the_clients_own_error(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query("SELECT Nothing FROM Account")


def test_the_client_logs_in_again_when_its_session_has_expired(client: Any, tls_server: SalesforceServer) -> None:
    tls_server.org.expire_tokens()
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 0
    paths = [one.path for one in tls_server.org.requests]
    assert paths.count("/services/oauth2/token") == 2
