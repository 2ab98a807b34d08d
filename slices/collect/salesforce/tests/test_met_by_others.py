"""Situations in which others lost rows, doubled them, changed their values, or were told something wrong: each tried here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from doubles.salesforce import Field
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import BadRows, Mode
from slices.collect.salesforce.tests.conftest import EARLIER, Crm
from slices.collect.salesforce.tests.test_nothing_left_out import failure
from tests.conformance.fixtures import NOW, FakeContext

CHANGED = NOW + timedelta(minutes=20)
THINGS = "lake.crm.thing__c:staged"


@pytest.fixture(params=["rest", "bulk"])
def either(request: pytest.FixtureRequest, crm: Crm) -> Crm:
    """Read either way; by small pages."""
    crm.org.cursors.page_rows = crm.org.jobs.page_rows = 100
    crm.options["bulk_threshold_rows"] = 0 if request.param == "bulk" else 10_000
    return crm


def thing(crm: Crm, kind: str, value: Any) -> None:
    """A record whose field holds what Salesforce was seen to have, past the double's checks."""
    crm.org.add_object("Thing__c", [Field("Value__c", kind, length=None)])
    crm.org.insert("Thing__c", [{}], EARLIER)
    with crm.org.store.transaction() as connection:
        connection.execute('UPDATE "Thing__c" SET "Value__c" = ?', (value,))
    crm.apply("Thing__c")


VALUES: dict[str, tuple[str, Any, Any]] = {  # the field's type, what is in it, what is collected
    # estuary/connectors #2820, #3089: Bulk gives "0.0" and "47.0" of fields that describe calls int
    "a whole number that is written with a point": ("int", 47.0, 47),
    "a large one": ("long", 9007199254740993, 9007199254740993),
    "the largest": ("long", 2**63 - 1, 2**63 - 1),
    "the smallest": ("int", -(2**31), -(2**31)),
    # airbyte #43436: amounts that no DECIMAL(38,9) holds
    "an amount of many digits": ("currency", 1.2345678901234567e31, 1.2345678901234567e31),
    "an amount with a rest": ("currency", 0.1 + 0.2, 0.1 + 0.2),
    # airbyte #8300, heroku/salesforce-bulk #35, singer-io/tap-salesforce #21: "line contains NUL"
    "a character of no value": ("string", "a\0b", "a\0b"),
    # WaveLink #97, simple-salesforce #765: results cut at every line's end
    "line ends of every kind": ("textarea", 'a\r\nb\rc\n"d"\n\n"0010x', 'a\r\nb\rc\n"d"\n\n"0010x'),
    "what looks like the next record": ("textarea", '"\n"a00000000000001AAA",""', '"\n"a00000000000001AAA",""'),
    # simple-salesforce #706, jsforce #616: UTF-8 that is read as Latin-1
    "letters of every script": ("string", "Zürich, 東京, Ω, 👩‍👩‍👧, \u202eabc", "Zürich, 東京, Ω, 👩‍👩‍👧, \u202eabc"),
    # forcedotcom/cli #1447, segmentio/action-destinations #930: words for null
    **{f"the text {word!r}": ("string", word, word) for word in ("null", "NULL", "None", "NaN", "#N/A", "-")},
    # duckdb #25824, #22750: texts of digits that become numbers
    **{f"the text {word!r} of digits": ("string", word, word) for word in ("007", "1e3", "12345678901234567890", " 1 ", "47.50")},
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("situation", VALUES)
def test_a_value_is_collected_as_it_is(either: Crm, situation: str) -> None:
    kind, value, expected = VALUES[situation]
    thing(either, kind, value)
    either.run()
    (row,) = either.rows(THINGS)
    assert row["value__c"] == expected and type(row["value__c"]) is type(expected)


UNFIT = {  # estuary/connectors #3089, duckdb #25824: rounded without a word
    "a fraction in a field of whole numbers": ("int", 47.5),
    "a fraction of a long": ("long", 0.5),
    "a number that is too large": ("int", 2**31),
}


@pytest.mark.parametrize("situation", UNFIT)
def test_a_value_that_its_type_does_not_hold_is_named_by_its_field_and_never_changed(either: Crm, situation: str) -> None:
    thing(either, *UNFIT[situation])
    with pytest.raises(Exception, match=r"a value of Value__c cannot be read as its type"):
        either.run()


@pytest.mark.parametrize("situation", UNFIT)
def test_it_is_set_aside_where_that_is_tolerated(either: Crm, situation: str) -> None:
    thing(either, *UNFIT[situation])
    either.apply("Thing__c", bad_rows=BadRows(rows=1))
    either.run()
    assert either.rows(THINGS) == []
    assert [file["rows"] for file in either.cloud.manifest(THINGS)["rejected"]] == [1]


def accounts(crm: Crm, count: int, **flow: Any) -> list[str]:
    made: list[str] = crm.org.insert("Account", [{"Name": f"{number:04d}"} for number in range(count)], EARLIER)
    crm.apply(**flow)
    return made


def test_a_count_that_takes_too_long_is_a_large_table(crm: Crm) -> None:
    """airbyte #27969: the first read of a large org ends with a timeout."""
    accounts(crm, 3)
    crm.org.fail_next("query_timeout", path="queryAll")
    crm.run()
    assert len(crm.names()) == 3 and crm.requests("jobs/query") > 0


def test_a_query_that_takes_too_long_is_no_empty_table(crm: Crm) -> None:
    """airbyte #17503: "Cannot receive data …", read 0 records, and the sync succeeded."""
    accounts(crm, 3)
    (state,) = crm.steps().plan(crm.cloud.event("lake.crm"), FakeContext())["work"]
    crm.org.fail_next("query_timeout", path="queryAll")
    with pytest.raises(DefinitionError, match=r"QUERY_TIMEOUT.*filter by an indexed field"):
        crm.steps().extract({**state, "part": 0}, FakeContext())


def test_a_token_that_is_refused_by_another_word_is_renewed(either: Crm) -> None:
    """airbyte #71024: a job of hours ends with INVALID_AUTH_HEADER."""
    accounts(either, 350)
    either.org.fail_next("invalid_auth_header", path="results|query/01g")
    either.run()
    assert len(either.names()) == 350


@pytest.mark.parametrize("path", ["describe", "queryAll", "query/01g", "jobs/query/"])
def test_a_page_for_people_is_told_as_what_it_is_and_asked_for_again(crm: Crm, path: str) -> None:
    """airbyte #20703: "Expecting value: line 1 column 1 (char 0)"."""
    crm.org.cursors.page_rows = 100
    crm.options["bulk_threshold_rows"] = 0 if "jobs" in path else 10_000
    accounts(crm, 350)
    crm.org.fail_next("html", path=path, method="GET")
    try:
        crm.run()
    except RetryLater as error:
        assert "no JSON was answered by 127.0.0.1" in str(error)
        crm.cloud.clock.advance(hours=1)
        crm.run()
    assert len(crm.names()) == 350


@pytest.mark.parametrize("path", ["jobs/query", "oauth2/token"])
def test_a_page_for_people_is_no_answer_to_a_question_that_is_posted(crm: Crm, path: str) -> None:
    crm.options["bulk_threshold_rows"] = 0
    accounts(crm, 3)
    crm.org.fail_next("html", path=path, method="POST")
    with pytest.raises(RetryLater, match=r"no JSON was answered by 127\.0\.0\.1"):
        crm.run()
    crm.cloud.clock.advance(hours=1)
    crm.run()
    assert len(crm.names()) == 3


def test_an_org_that_has_moved_is_told_with_its_new_place(crm: Crm) -> None:
    """Salesforce redirects what asks for an instance or a domain that it has left."""
    accounts(crm, 1)
    crm.org.fail_next("moved", path="describe")
    assert "leads to example--moved.my.salesforce.com" in failure(crm)


def test_a_filter_that_no_url_holds_is_asked_for_by_a_job(crm: Crm) -> None:
    """airbyte #20703: "Bad Message 431"; the records of a list of a thousand, or of names in letters that are long in a URL."""
    made = accounts(crm, 3)
    names = ", ".join(f"'東京{number}'" for number in range(1_000))
    crm.apply(filter=f"name IN ('0000', '0001', {names})")
    crm.run()
    assert crm.names() == ["0000", "0001"]
    crm.org.update("Account", made[0], {"Industry": "air"}, CHANGED)
    crm.run()
    assert crm.names() == ["0000"]


def test_an_object_that_no_job_reads_says_so_where_its_query_is_too_long(crm: Crm) -> None:
    crm.org.add_object("Odd__c", bulk=False)
    crm.org.insert("Odd__c", [{"Name": "a"}], EARLIER)
    crm.apply("Odd__c", filter=f"name IN ({', '.join(repr(str(n)) for n in range(3_000))})")
    with pytest.raises(DefinitionError, match=r"HTTP 414.*shorten the filter"):
        crm.run()


def test_a_record_that_becomes_visible_minutes_after_its_moment_is_read(either: Crm) -> None:
    """airbyte #27146: records of 21:15:07 that no read of 21:10 and none after it had. A transaction may take ten minutes."""
    (made,) = accounts(either, 1)
    either.run()
    either.org.update("Account", made, {"Industry": "x"}, CHANGED)
    either.run()  # until NOW and an hour
    either.org.insert("Account", [{"Name": "late"}], NOW + timedelta(minutes=51))
    either.run()
    assert either.names() == ["late"]


def test_records_that_move_while_pages_are_read_come_once(crm: Crm) -> None:
    """airbyte #20471: some thirty duplicates in each read of thirty thousand."""
    crm.org.cursors.page_rows = 100
    made = accounts(crm, 350)
    crm.org.fail_next("invalid_locator", path="query/01g", count=2)
    crm.org.traffic.on_fault = lambda: [crm.org.update("Account", one, {"Industry": "x"}, EARLIER) for one in made[::50]]
    crm.run()
    assert crm.names() == [f"{number:04d}" for number in range(350)]


def test_an_attempt_that_failed_adds_nothing_twice(crm: Crm) -> None:
    """airbyte #29455: a history that is appended by CreatedDate, each record once for every attempt."""
    crm.org.add_object("Audit__c", [Field("Note__c")])
    for name in ("SystemModstamp", "LastModifiedDate"):
        crm.org.remove_field("Audit__c", name)
    with crm.org.store.transaction() as connection:
        connection.executemany(
            'INSERT INTO "Audit__c" ("Id", "IsDeleted", "Name", "CreatedDate") VALUES (?, 0, ?, ?)',
            [(f"a0000000000000{n}AAA", f"{n}", "2026-11-23T11:40:00.000Z") for n in range(3)],
        )
    crm.apply("Audit__c", mode=Mode.APPEND)
    crm.org.fail_next("server_error", path="queryAll")
    with pytest.raises(RetryLater):
        crm.run()
    crm.cloud.clock.advance(hours=1)
    crm.run()
    assert sorted(row["name"] for row in crm.rows("lake.crm.audit__c:staged")) == ["0", "1", "2"]
    crm.run()
    assert crm.cloud.reader.latest_version("lake.crm.audit__c:staged") is not None
    assert len(crm.rows("lake.crm.audit__c:staged")) == 3


def test_a_clock_by_which_salesforce_does_not_filter_is_no_cursor(crm: Crm) -> None:
    """estuary/connectors #2820: an object with SystemModstamp by which it cannot be queried."""
    crm.org.add_object("Odd__c", [Field("SystemModstamp", "datetime", system=True)])
    for name in ("SystemModstamp", "LastModifiedDate", "IsDeleted"):
        crm.org.add_field("Odd__c", Field(name, "boolean" if name == "IsDeleted" else "datetime", system=True, filters=False))
    crm.org.insert("Odd__c", [{"Name": "a"}], EARLIER)
    crm.apply("Odd__c")
    crm.run()
    crm.org.insert("Odd__c", [{"Name": "b"}], CHANGED)
    crm.run()
    assert [row["name"] for row in crm.rows("lake.crm.odd__c:staged")] == ["b"]


def test_a_field_by_which_salesforce_does_not_filter_is_named_before_it_is_asked(crm: Crm) -> None:
    """Its own words tell of a field that is gone or hidden, which it is not."""
    crm.apply(filter="description = 'x'")
    told = failure(crm)
    assert "Salesforce takes no condition on Account.Description" in told and "filter by it in a view" in told


def test_a_moment_that_is_calculated_is_no_cursor(crm: Crm) -> None:
    """heroku/roadmap #319, estuary/connectors #3414: what changes without its record's clock."""
    crm.org.add_field("Account", Field("Due__c", "datetime", calculated=True))
    crm.apply(cursor="due__c")
    assert "the cursor Due__c is calculated" in failure(crm)


def test_a_field_that_comes_while_batches_run_is_in_the_next_one(either: Crm) -> None:
    """estuary/connectors #3493: records without a field that was made after the start, for a day."""
    (made,) = accounts(either, 1)
    either.run()
    either.org.add_field("Account", Field("New__c"))
    either.org.update("Account", made, {"New__c": "x"}, CHANGED)
    either.run()
    assert [row["new__c"] for row in either.rows()] == ["x"]
