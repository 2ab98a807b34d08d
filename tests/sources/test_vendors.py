"""What single vendors have of their own: limits of a query, zones, what is kept for a while only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta, timezone
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles.rest_api import github, google_analytics, google_oauth, google_sheets, hubspot, jira, notion, slack, zendesk
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode
from systems.rest import client
from systems.rest.reader import Reader
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, open_cloud
from tests.sources.vendors import RECORDS, SLACK_BEGAN, SOURCES, Door

Open = Callable[[str, str], Collecting]
pytestmark = pytest.mark.deep


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def opened(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A flow over a source's table, which has its records since a day; nobody waits."""
    monkeypatch.setattr(client, "Reader", partial(Reader, pause=lambda _: None))
    with ExitStack() as stack:

        def make(system: str, name: str) -> Collecting:
            source = next(one for one in SOURCES if one.system == system)
            table = next(one for one in source.tables if one.name == name)
            door = Door(source, stack, cloud.clock)
            found = Collecting(cloud, door)  # type: ignore[arg-type]
            door.fill(table, found.at - timedelta(days=1))
            found.collect(name, how=door.how(table))
            return found

        yield make


def api(collecting: Collecting) -> Any:
    return collecting.source.api  # type: ignore[attr-defined]


def staged(collecting: Collecting) -> list[dict[str, Any]]:
    found = collecting.cloud.rows(collecting.dataset)
    return found.to_pylist() if found else []


def test_repositories_are_those_that_the_option_names(opened: Open) -> None:
    collecting = opened("github", "labels")
    api(collecting).rows["acme/till/labels"] = []
    collecting.source.options["repositories"] = "acme/shop, acme/till"  # type: ignore[attr-defined,index]
    collecting.collect("repositories", how={"mode": Mode.REPLACE})
    collecting.run()
    assert {row["full_name"] for row in staged(collecting)} == {"acme/shop", "acme/till"}


def test_a_review_is_found_by_its_pull_request_in_each_repository(opened: Open) -> None:
    """A parent's pages are numbers, so that they are read until two passes agree; and of each repository it has its own."""
    collecting = opened("github", "pull_request_reviews")
    rows = api(collecting).rows
    rows["acme/till/pulls"] = [github.pull_request(2, collecting.at)]
    rows["acme/till/pulls/2/reviews"] = [github.review(99, collecting.at)]
    collecting.source.options["repositories"] = "acme/shop,acme/till"  # type: ignore[attr-defined,index]
    collecting.collect("pull_request_reviews", how={"mode": Mode.REPLACE})
    collecting.run()
    there = [row["id"] for table in ("acme/shop", "acme/till") for row in rows[f"{table}/pulls/2/reviews"]]
    assert sorted(row["id"] for row in staged(collecting)) == sorted(there) and len(there) == RECORDS + 1


def test_more_contacts_are_read_than_one_search_gives(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubspot, "MOST_FOUND", 3)
    collecting = opened("hubspot", "contacts")
    collecting.run()
    assert len(staged(collecting)) == RECORDS
    searches = [asked.body for asked in api(collecting).asked if asked.path.endswith("/search")]
    assert all("after" not in body for body in searches)


def test_a_query_that_is_cut_off_is_no_result(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notion, "MOST_FOUND", RECORDS - 1)
    collecting = opened("notion", "pages")
    collecting.run(record_errors=True)
    assert collecting.cloud.reader.latest_version(collecting.dataset) is None


@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_a_change_is_found_whatever_the_zone_of_the_user(opened: Open, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    monkeypatch.setattr(jira, "ZONE", timezone(timedelta(hours=hours)))
    collecting = opened("jira", "issues")
    collecting.run()
    row = api(collecting).rows["issues"][2]
    jira.changed(row, collecting.at)
    collecting.run()
    assert [found["key"] for found in staged(collecting)] == [row["key"]]


def test_one_request_a_minute_reads_on_where_it_was(opened: Open) -> None:
    """Of Slack's limit for apps that are sold outside of its marketplace."""
    collecting = opened("slack", "messages")
    limited = api(collecting).vendor.limited(60)
    waiting = iter(range(2))

    def limit() -> None:
        if api(collecting).asked[-1].path.endswith("history") and next(waiting, None) is not None:
            api(collecting).coming.append(limited)

    api(collecting).between = limit
    run = collecting.run()
    assert run.calls["extract"] == 3 and len(staged(collecting)) == RECORDS
    pages = [asked.one("cursor") for asked in api(collecting).asked if asked.path.endswith("history")]
    assert len(pages) == 5 and len({*pages}) == 3  # of two the answer was that it comes later


def test_threads_of_several_channels_are_found_with_one_request_a_minute(opened: Open) -> None:
    """By the same limit: what is read of the parents in one call is not asked for again in the next."""
    collecting = opened("slack", "replies")
    rows = api(collecting).rows
    rows["channels"][1]["is_member"] = True
    began = SLACK_BEGAN + timedelta(hours=1)
    rows["messages"] += [slack.message(number, began) for number in range(20, 28)]
    rows["messages"] += [{**slack.message(number, began), "channel": slack.OTHER} for number in range(30, 35)]
    other = {**slack.reply(40, began, slack.message(31, began)["ts"]), "channel": slack.OTHER}
    rows["replies"].append(other)
    limited = api(collecting).vendor.limited(60)
    told = ("history", "replies")

    def limit() -> None:
        if api(collecting).asked[-1].path.endswith(told):
            api(collecting).coming.append(limited)

    api(collecting).between = limit
    run = collecting.run()
    asked = [
        (one.path, one.one("channel"), one.one("ts"), one.one("cursor")) for one in api(collecting).asked if one.path.endswith(told)
    ]
    assert len(staged(collecting)) == RECORDS + 1 and {row["channel"] for row in staged(collecting)} == {slack.CHANNEL, slack.OTHER}
    pages = len({*asked})
    assert pages > 6 and run.calls["extract"] >= pages - 1  # each is a call's only one, and is asked for once, and once in vain
    assert max(asked.count(one) for one in asked) == 2


def test_an_event_of_longer_ago_than_thirty_days_is_there_no_more(opened: Open) -> None:
    collecting = opened("stripe", "events")
    collecting.cloud.clock.advance(days=40)
    collecting.run()
    assert staged(collecting) == []


def test_a_ticket_that_was_deleted_is_told_as_gone(opened: Open) -> None:
    collecting = opened("zendesk", "tickets")
    collecting.run()
    row = api(collecting).rows["tickets"][1]
    zendesk.changed(row, collecting.at)
    row["status"] = "deleted"
    collecting.run()
    assert [(found["id"], found["_deleted"]) for found in staged(collecting)] == [(row["id"], True)]


@pytest.mark.parametrize("said", ["samplingMetadatas", "dataLossFromOtherRow"])
def test_a_report_that_is_not_exact_is_refused_unless_it_is_wanted(opened: Open, said: str) -> None:
    collecting = opened("google_analytics", "channels")
    api(collecting).rows["metadata"].append({said: [{"samplesReadCount": "10"}] if said[0] == "s" else True})
    (failed,) = collecting.run(record_errors=True).planned["failed"]
    assert failed["error"].startswith("DefinitionError") and "inexact = 'take'" in failed["error"]
    collecting.cloud.clock.advance(minutes=20)
    collecting.source.options["inexact"] = "take"  # type: ignore[attr-defined,index]
    collecting.collect("channels", how={"mode": Mode.REPLACE})
    collecting.run()
    assert len(staged(collecting)) == RECORDS


def test_days_of_a_report_are_read_again_for_as_long_as_they_change(opened: Open) -> None:
    collecting = opened("google_analytics", "daily")
    collecting.run()
    rows = api(collecting).rows["daily"]
    rows.append(google_analytics.record("daily", 30, collecting.at))  # long over
    for row in rows:
        google_analytics.changed(row, collecting.at)
    collecting.run()
    assert {row["revenue"] for row in staged(collecting)} == {13.5} and len(staged(collecting)) == RECORDS
    asked = [one.body["dateRanges"][0] for one in api(collecting).asked if one.path.endswith(":runReport")]
    first, last = collecting.at - timedelta(days=14, hours=1), asked[-1]
    assert asked[0]["startDate"] == "2015-08-14" and last["endDate"] == "today"
    assert last["startDate"] in {f"{first + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)}


@pytest.mark.security
@pytest.mark.parametrize(("system", "table"), [("google_sheets", "rows"), ("google_analytics", "daily")])
def test_a_service_account_signs_in_by_its_key_which_goes_nowhere(opened: Open, system: str, table: str) -> None:
    collecting = opened(system, table)
    whole = google_oauth.key_file()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wrong = {
        "are refused: 400": {**whole, "private_key": other.decode()},
        "has no private key that signs by RS256": {**whole, "private_key": whole["private_key"][:400]},
        "does not say how to sign in": {**whole, "type": "external_account"},
        "has no refresh token": {"client_id": "me"},
    }
    for said, secret in wrong.items():
        collecting.cloud.put_secret("thing", secret)
        refused = str(collecting.run(record_errors=True).planned["failed"])
        collecting.cloud.clock.advance(minutes=20)
        assert "SecretError" in refused and said in refused and "MII" not in refused, refused
    collecting.cloud.put_secret("thing", whole)
    collecting.run()
    assert len(staged(collecting)) == RECORDS
    line = whole["private_key"].splitlines()[1]
    assert not any(line in str(asked) for asked in api(collecting).asked)


@pytest.mark.parametrize("sheets", ["gid=77", f"Sheet 3, {google_sheets.TITLE}", ""])
def test_a_sheet_is_read_by_its_number_or_its_name_and_without_any_all_are(opened: Open, sheets: str) -> None:
    collecting = with_sheets(opened, sheets)
    collecting.run()
    found = staged(collecting)
    assert len(found) == RECORDS and {(row["gid"], row["sheet"]) for row in found} == {(google_sheets.GID, google_sheets.TITLE)}
    assert dict(found[0]["cells"]) == {"key": found[0]["key"], "name": 'it\'s "new"; né,\nand more', "total": "1.50", "note": ""}


@pytest.mark.parametrize("missing", ["gid=9", "Sheet 9", "77"])
def test_a_sheet_that_a_file_has_not_is_no_empty_one(opened: Open, missing: str) -> None:
    (failed,) = with_sheets(opened, f"gid=77,{missing}").run(record_errors=True).errors.values()
    assert isinstance(failed, DefinitionError) and "a sheet that `sheets` names is not in a file" in str(failed)


def with_sheets(opened: Open, sheets: str) -> Collecting:
    collecting = opened("google_sheets", "sheet_rows")
    collecting.source.options["sheets"] = sheets  # type: ignore[attr-defined,index]
    collecting.collect("sheet_rows", how={"mode": Mode.REPLACE})
    return collecting


def test_a_sheet_s_rows_are_its_cells_by_the_header(opened: Open) -> None:
    collecting = opened("google_sheets", "rows")
    collecting.run()
    row = min(staged(collecting), key=lambda one: str(one["key"]))
    assert row["file"] == google_sheets.FILE and row["key"] == "r0"
    assert dict(row["cells"]) == {"key": "r0", "name": 'it\'s "new"; né,\nand more', "total": "1.50", "note": ""}
