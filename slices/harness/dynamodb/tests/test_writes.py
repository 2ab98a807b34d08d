"""What is in the table, whatever is late, lost, refused or another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater, RowError, WaitForAws
from shared_metadata.program import BadRows, Connection, Position
from slices.harness.dynamodb.client import ROWS_A_GROUP, SPARE_SECONDS, Tables
from slices.harness.dynamodb.logic import fits
from slices.harness.dynamodb.tests.under_test import Target, refusal, under_test
from systems.application_target.application import Answer, Group
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns

RESULTS = st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 3), max_size=5)
TYPES = {"carrier": "string", "flights": "long"}
PLACE = Position("program.sql", 1, 1)
BEFORE, AFTER = "2026-11-30T02:00:00Z", "2026-11-30T03:00:00Z"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def target() -> Iterator[Target]:
    with under_test() as found:
        found.make({"carrier": "S"})
        yield found


def flow(cloud: Cloud, target: Target, **more: Any) -> Way:
    return HarnessConformance().way(cloud, target, **more)  # type: ignore[arg-type]


def rows_of(result: Mapping[str, int | None]) -> list[dict[str, Any]]:
    return [{"carrier": carrier, "flights": flights} for carrier, flights in result.items()]


def held(target: Target) -> dict[str, Any]:
    return {row["carrier"]: row["flights"] for row in target.rows()}


class Sender:
    """Writes groups of a row as the workers of two batches do."""

    def __init__(self, cloud: Cloud, target: Target, **options: Any) -> None:
        connection = Connection("app", "dynamodb", {**target.options, **options}, PLACE)
        self.tables = Tables(connection, cloud.services(target.slice_id), lambda *_: target.client)  # type: ignore[arg-type, return-value]
        self.sent = 0

    def write(self, row: str, batch: str, token: int = 1) -> str:
        return self._send([row], [], batch, token)

    def delete(self, row: str, batch: str, token: int = 1) -> str:
        return self._send([], [row], batch, token)

    def _send(self, upserts: list[str], deletes: list[str], batch: str, token: int) -> str:
        self.sent += 1
        group = Group(f"group{self.sent}", "app.carriers", batch, upserts, deletes, token, TYPES)
        return self.tables.send(group, Deadline.of(FakeContext())).refused.get(0, "")


AA, ZZ, KEY = '{"carrier":"AA","flights":1}', '{"carrier":"AA","flights":2}', '{"carrier":"AA"}'


@pytest.mark.parametrize("newer", [(AFTER, 1), (BEFORE, 2)])
def test_an_older_row_that_is_heard_late_leaves_the_newer_one(cloud: Cloud, target: Target, newer: tuple[str, int]) -> None:
    """A later batch's, and one of a later claim of the same batch."""
    sender = Sender(cloud, target)
    assert sender.write(ZZ, *newer) == sender.write(AA, BEFORE) == sender.delete(KEY, BEFORE) == ""
    assert held(target) == {"AA": 2}
    assert sender.write(AA, *newer) == "" and held(target) == {"AA": 1}
    assert sender.delete(KEY, *newer) == "" and held(target) == {}


def test_what_another_has_written_is_neither_overwritten_nor_deleted(cloud: Cloud, target: Target) -> None:
    """Another flow's items neither, though it is a later one."""
    sender = Sender(cloud, target)
    for mark in ({}, {"_atoll": {"S": f"app.others {BEFORE} 0000000001"}}):
        target.put({"carrier": {"S": "AA"}, "flights": {"N": "9"}, **mark})
        assert "another than this publication" in sender.write(AA, AFTER)
        assert sender.delete(KEY, AFTER) == "" and held(target) == {"AA": 9}


def test_what_another_has_written_is_overwritten_where_the_connection_says_so(cloud: Cloud, target: Target) -> None:
    """And from then on it is the publication's, whose newer rows stand."""
    sender = Sender(cloud, target, others="overwrite")
    for mark in ({}, {"_atoll": {"S": f"app.others {AFTER} 0000000001"}}):
        target.put({"carrier": {"S": "AA"}, "flights": {"N": "9"}, **mark})
        assert sender.delete(KEY, AFTER) == "" and held(target) == {"AA": 9}
        assert sender.write(ZZ, AFTER) == sender.write(AA, BEFORE) == "" and held(target) == {"AA": 2}


def test_a_batch_that_is_run_again_for_changed_rows_leaves_none_that_is_gone(cloud: Cloud, target: Target) -> None:
    way = flow(cloud, target)
    way.publish(rows_of({"A": 1, "B": 1, "C": 1}))
    interval = way.publish(rows_of({"A": 1, "B": 2, "D": 1}))
    way.publish(rows_of({"A": 3, "D": 1}), interval=interval)
    assert held(target) == {"A": 3, "D": 1}
    way.publish(rows_of({"A": 3}))
    assert held(target) == {"A": 3}


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"])
def test_a_throttled_write_waits_and_is_no_failure(cloud: Cloud, target: Target, code: str) -> None:
    way = flow(cloud, target)
    interval = way.put_result(rows_of(dict.fromkeys("ABCD", 1)))
    asked = list[str]()

    def throttle(operation: str, given: Mapping[str, Any]) -> None:
        asked.append(given["Item"]["carrier"]["S"])
        if len(asked) == 3:
            raise refusal(code, operation)

    target.client.before = throttle
    with pytest.raises(WaitForAws, match=code):
        way.run(interval)
    cloud.clock.advance(hours=1)
    way.run(interval)
    assert held(target) == dict.fromkeys("ABCD", 1) and len(asked) > 4


def test_rows_that_are_no_items_are_set_aside_each_with_its_reason_and_sent_once(cloud: Cloud, target: Target) -> None:
    writes = list[str]()
    target.client.before = lambda operation, given: writes.append(given["Item"]["carrier"]["S"])
    shape = columns(carrier="string", flights="double", more="string")
    way = flow(cloud, target, shape=shape, bad_rows=BadRows(3))
    rows = [{"carrier": name, "flights": 1.5, "more": "x"} for name in "ABCDEFG"]
    rows += [{"carrier": "", "flights": 1.0, "more": "x"}, {"carrier": "N", "flights": float("nan"), "more": "x"}]
    interval = way.publish([*rows, {"carrier": "L", "flights": 1.0, "more": "x" * 410_000}])
    reasons = [why for _, why, _ in way.rejected(interval)]
    assert [word for word in ("empty", "NaN", "400 KB") if not any(word in why for why in reasons)] == [] and len(reasons) == 3
    assert sorted(writes) == [*"ABCDEFG"] and held(target).keys() == {*"ABCDEFG"}


def test_an_item_that_is_anothers_fails_the_batch_where_no_bad_row_is_tolerated(cloud: Cloud, target: Target) -> None:
    target.put({"carrier": {"S": "secret-key"}})
    way = flow(cloud, target)
    run = way.run(way.put_result(rows_of({"secret-key": 1})), record_errors=True)
    (error,) = run.errors.values()
    assert isinstance(error, RowError) and "another than this publication" in str(error) and "secret-key" not in str(error)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    results=st.lists(RESULTS, min_size=1, max_size=3),
    answers=st.lists(st.sampled_from(["", "", "lost", "unheard"]), max_size=12),
)
def test_the_table_ends_as_the_last_result_whatever_answers_are_lost(
    monkeypatch: pytest.MonkeyPatch, results: list[dict[str, int]], answers: list[str]
) -> None:
    """A write may be done though its answer is lost, or never be heard; each attempt goes on."""
    with under_test() as target:
        target.make({"carrier": "S"})
        cloud, left = next(open_cloud(monkeypatch)), [*answers]
        way = flow(cloud, target)

        def unheard(operation: str, given: Mapping[str, Any]) -> None:
            if left and left[0] == "unheard":
                left.pop(0)
                raise refusal("InternalServerError", operation)

        def lost(operation: str, given: Mapping[str, Any]) -> None:
            if left and left.pop(0) == "lost":
                raise refusal("InternalServerError", operation)

        target.client.before, target.client.after = unheard, lost
        for result in results:
            interval = way.put_result(rows_of(result))
            for _ in range(20):
                try:
                    way.run(interval)
                    break
                except WaitForAws:
                    cloud.clock.advance(hours=1)
            assert held(target) == result


@pytest.mark.parametrize(
    ("key", "more", "why"),
    [
        ({"flights": "N"}, {}, r"told apart by flights, and the rows by carrier"),
        ({"carrier": "S", "flights": "N"}, {}, r"told apart by carrier, flights"),
        ({"carrier": "S"}, {"tables": "others"}, "does not name the table carriers"),
        ({"carrier": "S"}, {"prefix": "test-"}, "no table test-carriers"),
        ({"carrier": "S"}, {"tables": "carriers, metadata", "prefix": "atoll-"}, "atoll-metadata is Atoll's own table"),
    ],
)
def test_a_table_that_is_another_s_is_refused_before_anything_is_written(
    cloud: Cloud, key: dict[str, str], more: dict[str, str], why: str
) -> None:
    with under_test() as target:
        target.make(key)
        target.options = {**target.options, **more}
        way = flow(cloud, target)
        with pytest.raises(DefinitionError, match=why) as caught:
            way.run(way.put_result(rows_of({"A": 1})))
        assert caught.value.remedy and target.items() == []


def test_a_table_with_two_parts_of_its_key_is_published_to(cloud: Cloud) -> None:
    with under_test() as target:
        target.make({"day": "S", "number": "N"})
        target.shape = shape = columns(number="long", day="date", told="string")
        way = flow(cloud, target, shape=shape, key=("number", "day"))
        first = [{"number": number, "day": date(2026, 1, 1), "told": "x"} for number in (1, 2)]
        way.publish(first)
        way.publish(first[1:])
        assert target.rows() == first[1:] and target.items()[0]["day"] == {"S": "2026-01-01"}
        described = target.open_catalog(cloud.reader.active_program().connections["app"], {}).describe(["carriers"])["carriers"]
        assert described and [(column.name, column.source_type) for column in described.columns] == [("day", "S"), ("number", "N")]


def test_columns_are_checked_before_anything_runs() -> None:
    assert fits("N", "decimal(10,2)") == fits("S", "timestamptz") == fits("B", "binary") == fits("S", "uuid") == ""
    assert "is a number" in fits("N", "string") and "is a text" in fits("S", "long") and "is a text" in fits("S", "boolean")


def test_of_rows_that_are_heard_after_a_newer_result_those_that_are_gone_go_again(
    cloud: Cloud, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the newer result has stands at once, by the condition; what it has deleted, or never had, the next batch deletes."""
    way, send, newer = flow(cloud, target), Tables.send, list[Any]()
    older = way.publish(rows_of({"A": 1, "B": 1}))
    way.put_result(rows_of({"A": 2, "B": 2, "C": 2}), interval=older)
    later = way.put_result(rows_of({"A": 3}))

    def late(tables: Tables, group: Group, deadline: Deadline) -> Answer:
        if not newer:
            newer.append(later)
            way.run(later)
            assert held(target) == {"A": 3}
        return send(tables, group, deadline)

    monkeypatch.setattr(Tables, "send", late)
    with pytest.raises(RetryLater):
        way.run(older, rerun=True)
    assert held(target) == {"A": 3, "B": 2, "C": 2}
    cloud.clock.advance(hours=1)
    way.run(way.skip_result())
    assert held(target) == {"A": 3}


def test_another_table_or_one_that_is_made_anew_gets_all_rows(cloud: Cloud, target: Target) -> None:
    flow(cloud, target).publish(rows_of({"A": 1, "B": 1}))
    target.there, target.options = "live-carriers", {**target.options, "prefix": "live-"}  # type: ignore[misc]
    target.make({"carrier": "S"})
    way = flow(cloud, target)
    way.publish(rows_of({"A": 1, "B": 2}))
    assert held(target) == {"A": 1, "B": 2}
    target.client.delete_table(TableName=target.there)
    target.make({"carrier": "S"})
    way.publish(rows_of({"A": 1, "B": 3}))
    assert held(target) == {"A": 1, "B": 3}


def test_what_a_throttled_table_takes_is_settled_and_an_attempt_goes_on_behind_it(
    cloud: Cloud, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tables, "rows_a_group", 5)
    way, left, total = flow(cloud, target), [0], [0]
    interval = way.put_result(rows_of({f"C{number:02}": 1 for number in range(20)}))

    def limit(operation: str, asked: Mapping[str, Any]) -> None:
        if left[0] <= 0:
            raise refusal("ProvisionedThroughputExceededException", operation)
        left[0], total[0] = left[0] - 1, total[0] + 1

    target.client.before = limit
    for attempt in range(4):
        left[0] = 5
        with ExitStack() as waits:
            if attempt < 3:
                waits.enter_context(pytest.raises(WaitForAws))
            way.run(interval)
        assert len(target.rows()) == 5 * (attempt + 1)
        cloud.clock.advance(hours=1)
    assert total == [20] and ROWS_A_GROUP <= 100


def test_no_row_is_begun_that_the_call_has_no_time_for(cloud: Cloud, target: Target) -> None:
    sender, deadline = Sender(cloud, target, writes_at_once=1), Deadline.of(FakeContext(remaining_seconds=60))
    writes = list[str]()

    def slow(operation: str, asked: Mapping[str, Any]) -> None:
        writes.append(operation)
        if len(writes) == 3:
            monkeypatched.setattr(Deadline, "seconds_left", SPARE_SECONDS - 1)

    target.client.before = slow
    group = Group("g", "app.carriers", BEFORE, [f'{{"carrier":"C{n}"}}' for n in range(9)], [], 1, TYPES)
    with pytest.MonkeyPatch.context() as monkeypatched, pytest.raises(RetryLater, match="time is over"):
        sender.tables.send(group, deadline)
    assert len(writes) == len(target.rows()) == 3
