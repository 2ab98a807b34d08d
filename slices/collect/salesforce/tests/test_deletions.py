"""Records that are purged from the recycle bin before a batch comes by: marked as the log of deletions tells, or an error by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.salesforce import Field
from shared_metadata.contract.collect import Window
from shared_metadata.program import Column, Mode
from shared_metadata.program.intervals import Interval
from slices.collect.salesforce import deletions
from slices.collect.salesforce.tests.conftest import DATASET, EARLIER, Crm
from slices.collect.salesforce.tests.test_nothing_left_out import failure, left
from tests.conformance.fixtures import NOW, FakeContext

CHANGED = NOW + timedelta(minutes=20)


def collected(crm: Crm, count: int, **flow: Any) -> list[str]:
    """Records that a first batch has read."""
    made: list[str] = crm.org.insert("Account", [{"Name": f"{number}"} for number in range(count)], EARLIER)
    crm.apply(**flow)
    crm.run()
    return made


def told(crm: Crm) -> list[str]:
    return [row["id"] for row in left(crm)]


def test_a_record_that_is_deleted_for_good_is_told_by_its_key_and_the_moment(crm: Crm) -> None:
    first, second, third = collected(crm, 3)
    crm.org.purge("Account", first, CHANGED)  # a hard delete
    crm.org.delete("Account", second, CHANGED)
    crm.org.purge("Account", second)  # out of the recycle bin
    crm.org.delete("Account", third, CHANGED)
    crm.run()
    assert [(row["id"], row["_deleted"]) for row in crm.rows()] == [(third, True)]
    assert [(row["id"], row["systemmodstamp"]) for row in left(crm)] == [(one, CHANGED) for one in sorted([first, second])]
    assert all(set(row) == {"id", "systemmodstamp", "_batch"} for row in left(crm))


def test_a_batch_in_which_records_are_only_purged_is_not_empty(crm: Crm) -> None:
    first, _ = collected(crm, 2)
    crm.org.purge("Account", first, CHANGED)
    crm.run()
    assert (crm.rows(), told(crm)) == ([], [first])


def test_what_is_in_the_recycle_bin_or_back_again_is_not_purged(crm: Crm) -> None:
    first, second = collected(crm, 2)
    for record in (first, second):
        crm.org.delete("Account", record, CHANGED)
    crm.org.records.undelete("Account", second, CHANGED + timedelta(minutes=1))
    crm.run()
    assert sorted((row["id"], row["_deleted"]) for row in crm.rows()) == sorted([(first, True), (second, False)])
    assert told(crm) == []


def test_where_another_field_is_the_cursor_the_purged_have_none(crm: Crm) -> None:
    crm.org.add_field("Account", Field("Seen__c", "datetime"))
    first, _ = collected(crm, 2, cursor="seen__c")
    crm.org.purge("Account", first, CHANGED)
    crm.run()
    assert [(row["id"], row["seen__c"]) for row in left(crm)] == [(first, None)]


def test_more_deletions_than_one_answer_has_are_told_in_parts(crm: Crm) -> None:
    made = collected(crm, 6)
    crm.org.replication_limit = 2
    for number, record in enumerate(made):
        crm.org.purge("Account", record, NOW + timedelta(minutes=9 * number))
    crm.run()
    assert told(crm) == sorted(made)


def test_many_purged_records_are_looked_up_in_several_calls(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "IDS_AT_ONCE", 2)
    made = collected(crm, 5)
    for record in made:
        crm.org.purge("Account", record, CHANGED)
    steps = crm.steps()
    (state,) = steps.plan(crm.cloud.event("lake.crm"), FakeContext())["work"]
    calls = 1
    while not crm.steps().extract({**state, "part": 0}, FakeContext(1))["done"]:
        calls += 1
    crm.steps().commit(state, FakeContext())
    assert (told(crm), calls) == (sorted(made), 3)


@pytest.mark.parametrize("why", ["an administrator emptied the bin", "the batch comes three weeks late"])
def test_deletions_of_which_salesforce_tells_no_more_fail_the_batch_with_the_remedy(crm: Crm, why: str) -> None:
    collected(crm, 2)
    crm.cloud.clock.advance(minutes=30)
    if why.startswith("an"):
        crm.org.records.empty_recycle_bin()
    else:
        crm.cloud.clock.advance(days=21)
    said = failure(crm)
    assert "does not tell any more which records of Account were deleted since 2026-11-23T11:50:00Z" in said
    assert "purged_records = FALSE" in said and "REPLACE" in said
    crm.options["purged_records"] = False
    crm.apply()
    assert failure(crm) == ""


@pytest.mark.parametrize("why", ["no log", "another key", "APPEND", "REPLACE", "not wanted"])
def test_the_log_is_not_asked_where_it_helps_nobody(crm: Crm, why: str) -> None:
    crm.org.add_object("Odd__c", [Field("Code__c")], replicateable=why != "no log")
    crm.options |= {"purged_records": False} if why == "not wanted" else {}
    columns = (Column("code", "Code__c"), Column("id", "Id"), Column("systemmodstamp", "SystemModstamp"))
    crm.apply(
        "Odd__c",
        mode={"APPEND": Mode.APPEND, "REPLACE": Mode.REPLACE}.get(why, Mode.MERGE),
        **({"key": ("code",), "columns": columns} if why == "another key" else {}),
    )
    for _ in range(2):
        crm.run()
    assert crm.requests("/deleted") == 0


def test_the_first_batch_and_a_backfill_do_not_ask(crm: Crm) -> None:
    collected(crm, 1)
    assert crm.requests("/deleted") == 0
    hour = Interval(NOW - timedelta(hours=1), NOW)
    crm.cloud.event("lake.crm", interval=hour)
    crm.steps().plan(crm.cloud.event("lake.crm", interval=hour, rerun=True), FakeContext())
    assert crm.requests("/deleted") == 0


@given(
    st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 2)),
    st.lists(st.sampled_from([1, 5, 15, 45, 60, 90, 24 * 60]), min_size=1, max_size=40),
    st.sampled_from([0, 30, 600]),
)
def test_no_moment_after_the_first_batch_is_left_out_and_each_hour_is_asked_for_once(
    start: datetime, minutes: list[int], lag: int
) -> None:
    end = begin = start.replace(second=0, microsecond=0, tzinfo=UTC)
    covered, asked = begin, 0
    for length in minutes:
        interval = Interval(end, end + timedelta(minutes=length))
        end = interval.end
        span = deletions.due(Window(interval, "cursor", False), lag)
        if span is not None:
            assert span.start <= covered - timedelta(seconds=lag) and span.end >= interval.end
            covered, asked = span.end, asked + 1
    assert end - covered < timedelta(hours=1)
    assert asked <= (end - begin) / timedelta(hours=1) + 1


def test_a_deletion_is_in_the_manifest_once(crm: Crm) -> None:
    first, second = collected(crm, 2)
    crm.org.purge("Account", first, CHANGED)
    crm.run()
    crm.org.purge("Account", second, CHANGED + timedelta(hours=1))
    crm.run()
    assert told(crm) == [second]
    assert len(crm.cloud.manifest(DATASET)["left"]) == 1
