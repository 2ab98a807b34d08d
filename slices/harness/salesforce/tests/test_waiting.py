"""Rows that Salesforce takes later, and jobs that outlive the result that they were made for: nothing is there twice, or older."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from doubles.salesforce.errors import SalesforceError
from shared_metadata.errors import RetryLater, Unfinished
from shared_metadata.program import Mode
from shared_metadata.program.intervals import Interval
from slices.harness.salesforce.tests.test_bulk import ManyContacts, contacts, people
from slices.harness.salesforce.tests.test_publishing import LOST, credentials, person
from tests.conformance.fixtures import Cloud, FakeContext, cloud
from tests.conformance.harness import Way

__all__ = ["cloud", "contacts", "credentials"]
LOCKED: tuple[str, str, list[str]] = ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", [])


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("systems.application_target.sending.PAUSES_SECONDS", (0, 0))


def keys(contacts: ManyContacts) -> Counter[str]:
    return Counter(key for key, *_ in contacts.held())


def appended(cloud: Cloud, contacts: ManyContacts, rows: list[dict[str, Any]]) -> tuple[Way, Interval]:
    way = contacts.way(cloud, mode=Mode.APPEND, whole=False)
    return way, way.put_result(rows)


def attempts(cloud: Cloud, way: Way, interval: Interval, count: int) -> None:
    for _ in range(count):
        with pytest.raises(RetryLater):
            way.run(interval)
        cloud.clock.advance(hours=1)


@pytest.mark.parametrize("count", [3, 300])
def test_rows_that_are_added_are_there_once_while_one_is_locked(cloud: Cloud, contacts: ManyContacts, count: int) -> None:
    """By a collection and by a job; the locked one follows when it may."""
    contacts.org.records.refusals.add("Contact", *LOCKED, lambda row: row["Customer_Key__c"] == "k000")
    contacts.org.records.refusals.add("Contact", *LOCKED, lambda row: row["Customer_Key__c"] == "k001", 2)
    way, interval = appended(cloud, contacts, people(count))
    attempts(cloud, way, interval, 2)
    assert set(keys(contacts).values()) == {1} and len(keys(contacts)) == count - 1
    contacts.org.records.refusals.clear()
    way.run(interval)
    assert set(keys(contacts).values()) == {1} and len(keys(contacts)) == count


def test_a_record_that_is_locked_is_deleted_later(cloud: Cloud, contacts: ManyContacts, monkeypatch: pytest.MonkeyPatch) -> None:
    way, locks, delete = contacts.way(cloud), [True], contacts.org.records.delete
    way.publish([person("a"), person("b")])

    def locked(*given: Any, **more: Any) -> None:
        if locks and locks.pop():
            raise SalesforceError(400, *LOCKED)
        delete(*given, **more)

    monkeypatch.setattr(contacts.org.records, "delete", locked)
    way.publish([person("a")])
    assert [*keys(contacts)] == ["a"]


def test_what_is_sent_by_collections_instead_of_a_job_is_written_down_request_by_request(
    cloud: Cloud, contacts: ManyContacts
) -> None:
    """The second request's answer is lost, and only its rows are there twice."""
    rows = people(300)
    rows[7]["lastname"] = "#N/A"
    way, interval = appended(cloud, contacts, rows)
    armed = list[str]()

    def loses_the_second(row: Any) -> bool:
        if row["Customer_Key__c"] == "k099" and not armed:
            armed.append("k099")
            contacts.org.fail_next("drop_midway", 1, "composite", "POST", **LOST)
        return False

    contacts.org.records.refusals.add("Contact", *LOCKED, loses_the_second)
    way.run(interval)
    assert Counter(keys(contacts).values()) == {1: 200, 2: 100}


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_a_job_at_work_has_ended_before_another_result_of_its_batch_is_sent(cloud: Cloud, contacts: ManyContacts, mode: Mode) -> None:
    """What it added is not added again, and what it writes is not the last."""
    contacts.org.ingest.delay_seconds = 1.0
    way = contacts.way(cloud, mode=mode, whole=mode == Mode.MERGE)
    interval, steps, call = way.put_result([person(f"k{n:03}", score=1) for n in range(300)]), way.steps, FakeContext
    state = steps.diff(steps.plan(cloud.event(way.flow.id, interval=interval), call())["work"][0], call())
    with suppress(Unfinished):
        steps.publish(state, call(remaining_seconds=20.4))
    assert [job["state"] for job in contacts.jobs()] == ["InProgress"]
    cloud.clock.advance(hours=1)
    way.put_result([person(f"k{n:03}", score=1 if mode == Mode.APPEND else 2) for n in range(301)], interval=interval)
    attempts(cloud, way, interval, 1)
    assert [job["state"] for job in contacts.jobs()] == ["JobComplete"]
    contacts.org.ingest.delay_seconds = 0.0
    way.run(interval)
    assert set(keys(contacts).values()) == {1} and len(keys(contacts)) == 301
    assert {score for *_, score in contacts.held()} == {1 if mode == Mode.APPEND else 2}
