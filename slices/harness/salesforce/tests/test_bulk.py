"""Many rows: they are sent by Bulk jobs, of which none is repeated whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer
from doubles.salesforce.oauth import Credentials
from shared_metadata.errors import RetryLater, Unfinished
from shared_metadata.program import BadRows, Mode
from slices.harness.salesforce.tests.test_publishing import CONTACTS, KEY, LOST, Contacts, credentials, person
from tests.conformance.fixtures import Cloud, FakeContext, cloud

__all__ = ["cloud", "credentials"]
MANY = 450  # two jobs of 300 and 150 rows


class ManyContacts(Contacts):
    def jobs(self) -> list[dict[str, Any]]:
        return [self.org.ingest.get(job) for job in self.org.ingest._jobs]


@pytest.fixture
def contacts(credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManyContacts]:
    """Contacts with a last name, a score and an account, whose jobs have 300 rows."""
    monkeypatch.setattr("slices.harness.salesforce.bulk.FIRST_PAUSE_SECONDS", 0.01)
    with SalesforceServer(credentials=credentials) as server:
        server.org.add_object("Account", [KEY])
        fields = [Field("LastName", nillable=False), Field("Customer_Key__c", length=20, external_id=True), Field("Score__c", "int")]
        server.org.add_object("Contact", [*fields, Field("AccountId", "reference", reference_to=("Account",))], name_field=False)
        yield ManyContacts(server, rows_a_request=100, bulk_from_rows=300, rows_a_job=300)


def people(count: int = MANY) -> list[dict[str, Any]]:
    return [person(f"k{number:03}", score=number) for number in range(count)]


def test_many_rows_are_sent_by_jobs_and_those_that_are_refused_are_told_as_always(cloud: Cloud, contacts: ManyContacts) -> None:
    contacts.org.records.refusals.add(
        "Contact", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "no, 13!", ["Score__c"], lambda row: row["Score__c"] == 13
    )
    way = contacts.way(cloud, bad_rows=BadRows(3))
    rows = [*people(), person("a", name=None), person("b", score=2**40)]
    interval = way.publish(rows)
    assert contacts.held() == [(f"k{n:03}", "Doe", n) for n in range(MANY) if n != 13] and contacts.asked("PATCH") == 0
    assert [why for _, why, _ in way.rejected(interval)] == [
        "FIELD_CUSTOM_VALIDATION_EXCEPTION (Score__c)",
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        "REQUIRED_FIELD_MISSING (LastName)",
    ]
    assert [(job["operation"], job["numberRecordsProcessed"]) for job in contacts.jobs()] == [("upsert", 300), ("upsert", 152)]
    way.publish(people(2))
    assert contacts.held() == [("k000", "Doe", 0), ("k001", "Doe", 1)]


@pytest.mark.parametrize(("method", "path"), [("POST", "ingest$"), ("PUT", "batches$"), ("PATCH", "ingest/"), ("GET", "ingest/")])
def test_rows_that_are_added_by_a_job_are_there_once_whichever_answer_is_lost(
    cloud: Cloud, contacts: ManyContacts, method: str, path: str
) -> None:
    """A job that has its rows is looked up by the next attempt; one of which it is not sure has none."""
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    interval = way.put_result(people())
    contacts.org.fail_next("drop_midway", 1, path, method, **LOST)
    try:
        way.run(interval)
    except RetryLater:
        cloud.clock.advance(hours=1)
        way.run(interval)
    assert contacts.held() == [(f"k{n:03}", "Doe", n) for n in range(MANY)]


def test_a_job_that_outlasts_a_call_is_waited_for_by_the_next_ones(cloud: Cloud, contacts: ManyContacts) -> None:
    contacts.org.ingest.delay_seconds = 1.0
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    interval, steps = way.put_result(people(300)), way.steps
    state = steps.diff(steps.plan(cloud.event(way.flow.id, interval=interval), FakeContext())["work"][0], FakeContext())
    calls = 0
    while not state.get("done"):
        calls += 1
        with suppress(Unfinished):  # the state machine calls again
            state = steps.publish(state, FakeContext(remaining_seconds=20.4))
    assert calls > 2 and len(contacts.held()) == 300 and len(contacts.jobs()) == 1


def test_what_a_job_leaves_that_ends_early_is_sent_and_nothing_else(cloud: Cloud, contacts: ManyContacts) -> None:
    contacts.org.ingest.stops_after = 200
    contacts.way(cloud, mode=Mode.APPEND, whole=False).publish(people(300))
    assert contacts.held() == [(f"k{n:03}", "Doe", n) for n in range(300)] and contacts.asked("POST") == 1


def test_a_relationship_and_nulls_are_told_in_a_job_and_the_text_that_means_null_there_is_not(
    cloud: Cloud, contacts: ManyContacts
) -> None:
    (account,) = contacts.org.insert("Account", [{"Name": "Acme", "Customer_Key__c": "acme"}])
    names = [column.name for column in CONTACTS]
    way = contacts.way(cloud, CONTACTS)
    of = {0: "acme"}
    way.publish([dict(zip(names, (f"k{n:03}", "Doe", of.get(n)), strict=True)) for n in range(300)])
    rows = contacts.org.store.rows(contacts.org.records.schema("Contact"), "1", [])
    assert [row["AccountId"] for row in rows] == [account, *[None] * 299] and len(contacts.jobs()) == 1
    way.publish([dict(zip(names, (f"k{n:03}", "#N/A", None), strict=True)) for n in range(300)])
    assert {name for _, name, _ in contacts.held()} == {"#N/A"} and len(contacts.jobs()) == 1
