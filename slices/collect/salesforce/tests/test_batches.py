"""What is Salesforce's own in a batch: deletes, cursors, Bulk jobs, repeated pages, tokens and limits."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Column, Mode
from slices.collect.salesforce import extracting
from slices.collect.salesforce.tests.conftest import ACCOUNT, DATASET, EARLIER, Crm
from slices.collect.salesforce.tests.under_test import jwt_secret
from tests.conformance.fixtures import NOW, Cloud, FakeContext

CHANGED = NOW + timedelta(minutes=20)


def accounts(count: int) -> list[dict[str, Any]]:
    return [{"Name": f"Airline {number:05d}"} for number in range(count)]


@pytest.fixture(params=["rest", "bulk"])
def either(request: pytest.FixtureRequest, crm: Crm) -> Crm:
    """Small pages, read either way."""
    crm.org.cursors.page_rows = crm.org.jobs.page_rows = 100
    crm.options["bulk_threshold_rows"] = 0 if request.param == "bulk" else 10_000
    return crm


def test_first_batch_leaves_deleted_records_out_and_later_ones_mark_them(crm: Crm) -> None:
    first, second, _ = crm.org.insert("Account", accounts(3), EARLIER)
    crm.org.delete("Account", first, EARLIER)
    crm.apply()
    crm.run()
    assert [row["_deleted"] for row in crm.rows()] == [False, False]
    crm.org.delete("Account", second, CHANGED)
    crm.run()
    assert [(row["id"], row["_deleted"]) for row in crm.rows()] == [(second, True)]


def test_batch_without_changes_costs_two_requests_a_table_one_for_what_was_purged_and_one_for_what_the_user_may_see(crm: Crm) -> None:
    crm.org.insert("Account", accounts(3), EARLIER)
    crm.apply()
    crm.run()
    before = crm.requests("/services/data/")
    crm.run()
    assert crm.requests("/services/data/") - before == 4


def test_merge_reads_the_lag_again(crm: Crm) -> None:
    crm.options["lag"] = "5 minutes"
    crm.org.insert("Account", accounts(1), NOW - timedelta(minutes=4))
    crm.apply()
    crm.run()
    crm.run()
    assert crm.names() == ["Airline 00000"]


def test_append_reads_no_change_twice_and_stays_behind_by_the_lag(crm: Crm) -> None:
    crm.options["lag"] = "5 minutes"
    crm.org.insert("Account", [{"Name": "old"}], NOW - timedelta(minutes=6))
    crm.org.insert("Account", [{"Name": "late"}], NOW - timedelta(minutes=4))
    crm.apply(mode=Mode.APPEND)
    crm.run()
    assert crm.names() == ["old"]
    crm.run()
    assert crm.names() == ["late"]


def test_compounds_and_binaries_are_left_out_and_their_parts_kept(crm: Crm) -> None:
    crm.org.add_field("Account", Field("BillingAddress", "address"))
    crm.org.add_field("Account", Field("Body", "base64"))
    crm.org.insert("Account", [{"Name": "a", "BillingCity": "Zürich"}], EARLIER)
    crm.apply()
    crm.run()
    (row,) = crm.rows()
    assert row["billingcity"] == "Zürich"
    assert not {"billingaddress", "body"} & set(row)


@pytest.mark.parametrize("bulk_threshold_rows", [0, 1000])
def test_every_field_type_survives_both_ways(crm: Crm, bulk_threshold_rows: int) -> None:
    crm.options["bulk_threshold_rows"] = bulk_threshold_rows
    values = {
        "Long__c": ("long", 2**63 - 1), "Double__c": ("double", 12345678.25), "Percent__c": ("percent", 0.01),
        "Time__c": ("time", "13:45:00.123Z"), "Email__c": ("email", "a@b.c"), "Tags__c": ("multipicklist", "a;b"),
        "Any__c": ("anyType", "x"), "Secret__c": ("encryptedstring", "***"),
        "Int__c": ("int", -(2**31)), "Money__c": ("currency", -0.01), "Flag__c": ("boolean", True),
    }  # fmt: skip
    crm.org.add_object("Thing__c", [Field(name, kind, length=None) for name, (kind, _) in values.items()])
    crm.org.insert("Thing__c", [{name: value for name, (_, value) in values.items()}], EARLIER)
    crm.apply("Thing__c")
    crm.run()
    (row,) = crm.rows("lake.crm.thing__c:staged")
    found = {name: row[name.lower()] for name in values}
    assert found.pop("Time__c").isoformat() == "13:45:00.123000"
    assert found == {name: value for name, (_, value) in values.items() if name != "Time__c"}


def test_projection_and_filter_run_in_salesforce(crm: Crm) -> None:
    crm.org.insert("Account", [{"Name": "KL'M", "AnnualRevenue": 5}, {"Name": "KLM", "AnnualRevenue": 7}], EARLIER)
    columns = (Column("id", "id"), Column("title", '"Name"'), Column("systemmodstamp", "SystemModstamp"))
    crm.apply(columns=columns, filter="name = 'KL''M' AND annualrevenue < 6 AND createddate < '2026-11-01'")
    crm.run()
    (row,) = crm.rows()
    assert list(row) == ["id", "title", "systemmodstamp", "_batch", "_deleted"]
    assert row["title"] == "KL'M"


def test_unknown_field_is_refused_with_what_was_meant(crm: Crm) -> None:
    crm.apply(columns=(Column("id", "Id"), Column("carrier", "Carier_Code__c")))
    (failed,) = crm.run(record_errors=True).planned["failed"]
    assert failed["error"].startswith("DefinitionError: program.atoll:3:1")
    assert "Carier_Code__c" in failed["error"] and "did you mean Carrier_Code__c?" in failed["error"]


def test_missing_object_does_not_hold_back_the_others(crm: Crm) -> None:
    crm.org.insert("Account", accounts(2), EARLIER)
    crm.apply("Acount", "Account")
    run = crm.run(record_errors=True)
    (failed,) = run.planned["failed"]
    assert "did you mean Account?" in failed["error"]
    assert run.results[DATASET]["rows"] == 2


def test_page_that_comes_twice_doubles_no_row(either: Crm) -> None:
    either.org.insert("Account", accounts(350), EARLIER)
    either.apply()
    either.org.fail_next("repeat_page", path="query/.*(results|-200)|/query$", method="GET", count=4)
    either.run()
    assert either.names() == [row["Name"] for row in accounts(350)]


def test_connection_dropped_in_mid_page_loses_nothing(either: Crm) -> None:
    either.org.insert("Account", accounts(350), EARLIER)
    either.apply()
    steps = either.steps()
    (state,) = steps.plan(either.cloud.event("lake.crm"), FakeContext())["work"]
    done, failures = False, 0
    either.org.fail_next("drop_midway", path="jobs/query/.*/results|query/01g", count=2)
    while not done:
        try:
            done = either.steps().extract({**state, "part": 0}, FakeContext())["done"]
        except RetryLater:
            failures += 1
    either.steps().commit(state, FakeContext())
    assert 0 < failures <= 2
    assert either.names() == [row["Name"] for row in accounts(350)]


def test_token_that_ends_is_renewed_in_mid_work(either: Crm) -> None:
    either.org.insert("Account", accounts(350), EARLIER)
    either.apply()
    either.org.fail_next("expired_session", path="results|query/01g")
    either.run()
    assert len(either.names()) == 350
    assert either.requests("oauth2/token") >= 3


def test_cursor_that_expired_is_opened_again_after_the_last_record(crm: Crm) -> None:
    crm.org.cursors.page_rows = 100
    crm.org.insert("Account", accounts(350), EARLIER)
    crm.apply()
    crm.org.fail_next("invalid_locator", path="query/01g")
    crm.run()
    assert crm.names() == [row["Name"] for row in accounts(350)]


def test_result_that_lacks_records_is_not_committed(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.options["bulk_threshold_rows"] = 0
    crm.org.insert("Account", accounts(3), EARLIER)
    crm.apply()
    finished = extracting._finished_job
    more = {"numberRecordsProcessed": 4}
    monkeypatch.setattr(extracting, "_finished_job", lambda *arguments: {**(finished(*arguments) or {}), **more})
    with pytest.raises(RetryLater, match="has 3 records, and the job says 4"):
        crm.run()


def test_failed_job_is_started_again(crm: Crm) -> None:
    crm.options["bulk_threshold_rows"] = 0
    crm.org.insert("Account", accounts(3), EARLIER)
    crm.org.jobs.fail_next("too busy")
    crm.apply()
    crm.run()
    assert len(crm.names()) == 3


def test_job_that_fails_again_and_again_is_an_error_with_its_code(crm: Crm) -> None:
    crm.options["bulk_threshold_rows"] = 0
    crm.org.insert("Account", accounts(3), EARLIER)
    for _ in range(extracting.MAX_JOBS):
        crm.org.jobs.fail_next("too busy")
    crm.apply()
    with pytest.raises(DefinitionError, match="failed: InternalServerError"):
        crm.run()


def test_running_job_is_left_and_asked_for_later(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "POLL_SECONDS", 0.0)
    crm.options["bulk_threshold_rows"] = 0
    crm.org.insert("Account", accounts(3), EARLIER)
    jobs, spool = crm.org.jobs, crm.org.jobs._spool

    def spool_when_asked_often(job: dict[str, Any]) -> int:
        while crm.requests("jobs/query/") < 4:
            time.sleep(0.01)
        return spool(job)

    monkeypatch.setattr(jobs, "_spool", spool_when_asked_often)
    crm.apply()
    assert crm.run().calls["extract"] > 2
    assert crm.requests("jobs/query/") > 2


def test_object_that_bulk_does_not_know_is_read_by_rest(crm: Crm) -> None:
    crm.options["bulk_threshold_rows"] = 0
    crm.org.add_object("Odd__c", bulk=False)
    crm.org.insert("Odd__c", accounts(3), EARLIER)
    crm.apply("Odd__c")
    crm.run()
    assert len(crm.rows("lake.crm.odd__c:staged")) == 3


@pytest.mark.parametrize("kind", ["request_limit", "too_many_requests", "server_unavailable", "server_unavailable_html", "drop"])
def test_busy_or_broken_salesforce_is_tried_later(crm: Crm, kind: str) -> None:
    crm.apply()
    crm.org.fail_next(kind, path="/services/data/")
    with pytest.raises(RetryLater) as caught:
        crm.steps().plan(crm.cloud.event("lake.crm"), FakeContext())
    assert caught.value.after_seconds == (1 if kind in ("too_many_requests", "server_unavailable") else None)


@pytest.mark.parametrize(
    "broken",
    [
        {"private_key": "no key"},
        {"ca_certificate": "no certificate"},
        {"login_url": "http://example.com"},
        {"username": ""},
        {"username": "who@example.com"},
    ],
)
def test_broken_secret_is_named_and_never_shown(crm: Crm, broken: dict[str, str]) -> None:
    secret = {**jwt_secret(crm.server), **broken}
    crm.cloud.put_secret("crm", secret)
    crm.apply()
    (failed,) = crm.run(record_errors=True).planned["failed"]
    assert failed["error"].startswith("SecretError: connection crm (program.atoll:3:1): ")
    assert "the secret crm" in failed["error"]
    assert secret["private_key"] not in failed["error"]


def test_server_with_a_certificate_of_its_own_is_trusted_by_the_secret(cloud: Cloud) -> None:
    with SalesforceServer([("Account", ACCOUNT)], tls=True) as server:
        crm = Crm(server, cloud)
        crm.org.insert("Account", accounts(1), EARLIER)
        cloud.put_secret("crm", jwt_secret(server))
        crm.apply()
        with pytest.raises(RetryLater, match="SSLError"):
            crm.steps().plan(cloud.event("lake.crm"), FakeContext())
        assert server.certificate
        cloud.put_secret("crm", {**jwt_secret(server), "ca_certificate": server.certificate.read_text()})
        cloud.clock.advance(hours=1)  # until the first claim has lapsed
        crm.run()
        assert len(crm.rows()) == 1
