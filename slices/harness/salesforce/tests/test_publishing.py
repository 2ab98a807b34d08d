"""What arrives in Salesforce, row by row, and what is refused there, in whose words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer
from doubles.salesforce.oauth import Credentials, make_credentials
from shared_metadata.contract.sizes import Asked
from shared_metadata.errors import DefinitionError, RetryLater, RowError, WaitForAws
from shared_metadata.program import BadRows, Flow, Kind, Mode, Table
from shared_metadata.program.schema import SchemaColumn
from slices.harness.salesforce.sizes import too_much
from slices.harness.salesforce.tests.under_test import Target
from tests.conformance.fixtures import Cloud, cloud
from tests.conformance.harness import PLACE, HarnessConformance, Rows, Way, columns

__all__ = ["cloud"]
CONTACTS = columns(**{"customer_key__c": "string", "lastname": "string", "account.customer_key__c": "string"})
PEOPLE = columns(customer_key__c="string", lastname="string", score__c="long")
KEY = Field("Customer_Key__c", length=20, external_id=True, unique=True)
LOST: dict[str, Any] = {"drop_after_bytes": 0}  # the request is done, and its answer never comes


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    return make_credentials()


class Contacts(Target):
    table = "Contact"

    @property
    def org(self) -> Any:
        return self.server.org

    def way(self, cloud: Cloud, shape: Sequence[SchemaColumn] = PEOPLE, **more: Any) -> Way:
        return HarnessConformance().way(cloud, self, shape, **{"key": ("customer_key__c",), **more})

    def held(self) -> list[tuple[Any, ...]]:
        """Key, last name and score of each contact."""
        rows = self.org.store.rows(self.org.records.schema("Contact"), '"IsDeleted" = 0', [])
        return sorted((row["Customer_Key__c"], row["LastName"], row["Score__c"]) for row in rows)

    def asked(self, method: str) -> int:
        """How many requests have written with that method."""
        return sum(one.method == method and "composite" in one.path for one in self.org.requests)


@pytest.fixture
def contacts(credentials: Credentials) -> Iterator[Contacts]:
    """Contacts with a last name, a score and an account; accounts have keys too. Requests of two rows."""
    with SalesforceServer(credentials=credentials) as server:
        server.org.add_object("Account", [KEY])
        fields = [
            Field("LastName", nillable=False),
            KEY,
            Field("Score__c", "int"),
            Field("AccountId", "reference", reference_to=("Account",)),
        ]
        server.org.add_object("Contact", [*fields, Field("Secret__c", updateable=False)], name_field=False)
        yield Contacts(server)


def person(key: str, name: str | None = "Doe", score: int | None = 1) -> dict[str, Any]:
    return {"customer_key__c": key, "lastname": name, "score__c": score}


def test_a_record_refers_to_another_by_its_external_id(cloud: Cloud, contacts: Contacts) -> None:
    """And to none where that is null; one that is not there is refused, in Salesforce's words, without the value."""
    (account,) = contacts.org.insert("Account", [{"Name": "Acme", "Customer_Key__c": "acme"}])
    way = contacts.way(cloud, CONTACTS, bad_rows=BadRows(1))
    names = [column.name for column in CONTACTS]
    interval = way.publish(
        [dict(zip(names, (key, "Doe", of), strict=True)) for key, of in (("a", "acme"), ("b", None), ("c", "gone"))]
    )
    rows = contacts.org.store.rows(contacts.org.records.schema("Contact"), "1", [])
    assert [(row["Customer_Key__c"], row["AccountId"]) for row in rows] == [("a", account), ("b", None)]
    ((_, why, row),) = way.rejected(interval)
    assert why == "INVALID_FIELD" and row["customer_key__c"] == "c"


def test_rows_are_refused_one_by_one_with_the_status_code_and_the_fields(cloud: Cloud, contacts: Contacts) -> None:
    """Those of a request that are good are there; no value of a row, nor an administrator's words, is in a reason."""
    refusals = contacts.org.records.refusals
    refusals.add("Contact", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "no 13 for Doe", ["Score__c"], lambda row: row["Score__c"] == 13)
    contacts.org.insert("Contact", [{"LastName": "Taken", "Customer_Key__c": "x"}])
    way = contacts.way(cloud, bad_rows=BadRows(4))
    rows = [person("a"), person("b", score=13), person("c", name=None), person("k" * 21), person("d", score=2**40)]
    interval = way.publish([*rows, person("e")])
    assert [key for key, *_ in contacts.held()] == ["a", "e", "x"]
    assert [why for _, why, _ in way.rejected(interval)] == [
        "FIELD_CUSTOM_VALIDATION_EXCEPTION (Score__c)",
        "JSON_PARSER_ERROR",
        "REQUIRED_FIELD_MISSING (LastName)",
        "STRING_TOO_LONG (Customer_Key__c)",
    ]


def test_more_refused_rows_than_tolerated_fail_the_batch_and_the_next_attempt_sends_these_alone(
    cloud: Cloud, contacts: Contacts
) -> None:
    """In APPEND, where a row that was taken would be there twice."""
    contacts.org.records.refusals.add("Contact", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "no", [], lambda row: row["Score__c"] == 13)
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False, bad_rows=BadRows(1))
    interval = way.put_result([person("a"), person("b", score=13), person("c", score=13), person("d"), person("e"), person("f")])
    run = way.run(interval, record_errors=True)
    (error,) = run.errors.values()
    assert isinstance(error, RowError) and "FIELD_CUSTOM_VALIDATION_EXCEPTION: 2" in str(error)
    assert [key for key, *_ in contacts.held()] == ["a", "d"]
    contacts.org.records.refusals.clear()
    cloud.clock.advance(hours=1)
    way.run(interval)
    assert [key for key, *_ in contacts.held()] == list("abcdef") and way.rejected(interval) == []


def test_a_locked_row_waits_and_the_others_of_its_request_are_not_sent_again(
    cloud: Cloud, contacts: Contacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = list[float]()
    monkeypatch.setattr("systems.application_target.sending.time.sleep", slept.append)
    locked = "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", list[str]()
    contacts.org.records.refusals.add("Contact", *locked, lambda row: row["Customer_Key__c"] == "a", 2)
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    way.publish([person("a"), person("b")])
    assert slept == [1.0, 2.0] and contacts.held() == [("a", "Doe", 1), ("b", "Doe", 1)]
    contacts.org.records.refusals.add("Contact", *locked, lambda row: True)
    with pytest.raises(RetryLater, match="UNABLE_TO_LOCK_ROW"):
        way.publish([person("c")])


def test_a_lost_answer_leaves_one_record_of_each_key(cloud: Cloud, contacts: Contacts) -> None:
    """Of an upsert, and of a deletion; a batch that says all that is there ends as it says."""
    way = contacts.way(cloud)
    interval = way.put_result([person("a"), person("b"), person("c")])
    contacts.org.fail_next("drop_midway", 1, "composite", "PATCH", **LOST)
    with pytest.raises(RetryLater):
        way.run(interval)
    cloud.clock.advance(hours=1)
    way.run(interval)
    assert contacts.held() == [("a", "Doe", 1), ("b", "Doe", 1), ("c", "Doe", 1)] and contacts.asked("PATCH") == 3
    contacts.org.fail_next("drop_midway", 1, "composite", "DELETE", **LOST)
    way.publish([person("a"), person("d")])  # the row that was taken before is progress: publish is called again at once
    assert contacts.held() == [("a", "Doe", 1), ("d", "Doe", 1)] and contacts.asked("DELETE") == 1


def test_a_record_of_others_stays_whose_key_a_broken_batch_was_to_send_and_did_not(cloud: Cloud, contacts: Contacts) -> None:
    contacts.org.insert("Contact", [{"LastName": "Theirs", "Customer_Key__c": "z"}])
    way = contacts.way(cloud)
    interval = way.put_result([person(key) for key in "abcdefz"])
    contacts.org.fail_next("drop_midway", 1, "composite", "PATCH", **LOST)
    with pytest.raises(RetryLater):
        way.run(interval)
    cloud.clock.advance(hours=1)
    way.put_result([person("b")], interval=interval)
    way.run(interval)
    assert contacts.held() == [("b", "Doe", 1), ("z", "Theirs", None)]


def test_rows_that_are_added_arrive_at_least_once_where_an_answer_is_lost(cloud: Cloud, contacts: Contacts) -> None:
    """One group of them twice, and no other."""
    contacts.org.add_field("Contact", Field("Customer_Key__c", length=20))
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    interval = way.put_result([person(key) for key in "abcd"])
    contacts.org.fail_next("drop_midway", 1, "composite", "POST", **LOST)
    with pytest.raises(RetryLater):
        way.run(interval)
    cloud.clock.advance(hours=1)
    way.run(interval)
    assert Counter(key for key, *_ in contacts.held()) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_what_was_added_is_not_taken_back_and_the_error_says_what_to_do(cloud: Cloud, contacts: Contacts) -> None:
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    first = way.publish([person("a"), person("b")])
    with pytest.raises(DefinitionError, match="not taken back") as caught:
        way.publish([person("a")], interval=first)
    assert "delete them from the table yourself" in caught.value.remedy and "delete s3://" in caught.value.remedy
    assert [key for key, *_ in contacts.held()] == ["a", "b"]


def test_by_its_id_a_record_is_changed_and_none_is_made_or_deleted(cloud: Cloud, contacts: Contacts) -> None:
    made = contacts.org.insert("Contact", [{"LastName": name} for name in "XY"])
    gone = contacts.org.insert("Contact", [{"LastName": "Z"}])[0]
    contacts.org.purge("Contact", gone)
    way = contacts.way(cloud, columns(id="string", score__c="long"), key=("id",), bad_rows=BadRows(1))
    rows: Rows = [{"id": record, "score__c": 7} for record in (*made, gone)]
    interval = way.publish(rows)
    assert [why for _, why, _ in way.rejected(interval)] == ["INVALID_CROSS_REFERENCE_KEY"]
    way.publish(rows[:1])
    assert contacts.held() == [(None, "X", 7), (None, "Y", 7)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["customer_key__c", "lastnme"], "has no field lastnme.*LastName|did you mean"),
        (["customer_key__c", "secret__c"], "may not create and update Contact.Secret__c.*grant field-level security"),
        (["customer_key__c", "createdbyid"], "may not create and update Contact.CreatedById"),
        (["customer_key__c", "account.name"], "Account.name is no field by which a record is found.*Customer_Key__c"),
        (["customer_key__c", "boss.customer_key__c"], "no relationship boss.*Account"),
        (["customer_key__c", "accountid", "account.customer_key__c"], "two columns go to Contact.AccountId"),
        (["lastname"], "Contact.LastName is no external id.*Customer_Key__c"),
    ],
)
def test_a_column_that_no_record_takes_is_refused_before_anything_is_sent(
    cloud: Cloud, contacts: Contacts, names: list[str], said: str
) -> None:
    way = contacts.way(cloud, columns(**dict.fromkeys(names, "string")), key=(names[0],))
    with pytest.raises(DefinitionError) as caught:
        way.publish([dict.fromkeys(names, "x")])
    assert contacts.asked("PATCH") == 0
    assert re.search(said, str(caught.value), re.IGNORECASE), caught.value


def test_a_day_takes_no_more_calls_than_the_program_allows_and_the_next_one_goes_on(cloud: Cloud, contacts: Contacts) -> None:
    contacts.options = {**contacts.options, "calls_a_day": 3}  # a describe, and two requests of two rows
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    interval = way.put_result([person(key) for key in "abcdef"])
    run = way.run(interval, record_errors=True)
    (error,) = run.errors.values()
    assert isinstance(error, WaitForAws)  # which counts as no attempt
    assert "the 3 calls are used that the program allows in a day" in str(error) and "midnight UTC" in str(error)
    assert len(contacts.held()) == 4
    cloud.clock.advance(hours=1)
    assert way.run(interval, record_errors=True).errors and len(contacts.held()) == 4
    cloud.clock.advance(hours=24)
    way.run(interval)
    assert [key for key, *_ in contacts.held()] == list("abcdef")


@pytest.mark.parametrize(
    ("sent", "options", "calls"),
    [(None, {}, 24 * 3), (1_000, {}, 24 * 7), (25_000, {}, 24 * 32), (1_000, {"rows_a_request": 100, "calls_a_day": 100}, 24 * 12)],
)
def test_a_plan_estimates_the_calls_of_a_day(sent: int | None, options: dict[str, Any], calls: int) -> None:
    """One to describe the object, one the object that it refers to, and those that write."""
    flow = Flow("crm.contact", Kind.PUBLISH, "harness.salesforce", "lake", 3600, (Table("crm.contact"),), PLACE)
    types = {"customer_key__c": "string", "account.customer_key__c": "string"}
    (said,) = too_much(Asked(flow, flow.tables[0], types=types, options={"secret": "crm", **options}, sent=sent), {})
    assert f"24 batches a day take up to {calls} calls" in said.what and not said.refused
    assert ("batches wait for the next day" in said.remedy) == bool(options)
