"""What the suite of all collect slices does not ask: which events a batch takes, what it tells of them, and what is lost when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata import naming
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.errors import DefinitionError, RetryLater, RowError
from shared_metadata.program import BadRows, Column, Connection, Flow, Kind, Mask, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.http import extracting, logic
from slices.collect.http.client import HttpSource
from slices.collect.http.inbox import SETTLED_SECONDS
from slices.collect.http.logic import arrived, in_parts, stamp
from slices.collect.http.slice import SLICE
from slices.collect.http.tests.under_test import Endpoint
from tests.conformance.events import EventFlow
from tests.conformance.fixtures import NOW, Cloud, FakeContext, open_cloud, run_batch

FLOW, DATASET, HERE = "lake.raw.orders", "lake.raw.orders:staged", Position("program.sql", 2, 1)
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)


class Orders(EventFlow):
    """An endpoint with a table, and a flow that collects it every hour."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, FLOW, DATASET)
        self.options: dict[str, Any] = {"tables": "orders", "secret": "senders"}
        self.endpoint = Endpoint(self.options, "site")
        self.known: Schema | None = None

    def send(self, event: Any, at: datetime | None = None, **more: Any) -> None:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer = self.endpoint.send("orders", body, at or self.at, **more)
        assert answer.status == 202, answer

    def collect(self, mode: Mode = Mode.APPEND, options: Mapping[str, Any] | None = None, masks: Any = None, **flow: Any) -> None:
        self.options |= options or {}
        key = flow.pop("key", ("id",)) if mode == Mode.MERGE else ()
        tables = (Table(DATASET, "orders", masks=masks or {}),)
        made = Flow(FLOW, Kind.COLLECT, SLICE.id, "lake", 3600, tables, HERE, connection="site", mode=mode, key=key, **flow)
        self.cloud.apply(Program({"site": Connection("site", "http", dict(self.options), HERE)}, {}, {FLOW: made}))

    def steps(self) -> CollectSteps:
        def opened(connection: Connection, _: Any) -> HttpSource:
            clock = self.cloud.clock
            return HttpSource(connection, self.cloud.session, self.endpoint.inbox(clock), clock, lambda _: self.known)

        return CollectSteps(SLICE, self.cloud.services(SLICE.id), opened)

    def forget(self, before: datetime) -> None:
        """As the bucket deletes what is old."""
        prefix = f"{naming.inbox_prefix(SLICE.id, 'site')}orders/"
        for found in self.endpoint.s3.list_objects_v2(Bucket=self.endpoint.bucket, Prefix=prefix).get("Contents", []):
            if found["Key"] < prefix + stamp(before):
                self.endpoint.s3.delete_object(Bucket=self.endpoint.bucket, Key=found["Key"])

    @property
    def watermark(self) -> datetime:
        state = self.cloud.reader.flow_states([FLOW]).get(FLOW)
        return state.tables[DATASET].watermark if state else NOW - HOUR

    @property
    def at(self) -> datetime:
        """A moment within the next batch."""
        return self.watermark + timedelta(minutes=20)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def orders(cloud: Cloud) -> Orders:
    return Orders(cloud)


# -- what of an event


def test_what_is_told_of_an_event_is_in_its_row(orders: Orders) -> None:
    orders.collect()
    orders.send([{"id": 1, "_sender": "mine"}, {"id": 2}], orders.at, message="msg_7")
    orders.run()
    one, other = orders.rows()
    name = one["_sequence"].removesuffix(".000000")
    assert (one["_arrived_at"], one["_sender"], one["_message_id"]) == (orders.at - HOUR, "shop", "msg_7.000000")
    assert (other["id"], other["_sequence"], other["_message_id"]) == (2, f"{name}.000001", "msg_7.000001")
    assert set(one) == {"id", "_arrived_at", "_sequence", "_message_id", "_sender", "_batch"}


def test_a_message_that_is_sent_again_is_one_where_the_program_merges_on_its_id(orders: Orders) -> None:
    columns = tuple(Column(name, name) for name in ("id", "_message_id", "_sequence"))
    orders.collect(Mode.MERGE, key=("_message_id",), cursor="_sequence", columns=columns, casts={"id": "long"})
    for _ in range(2):
        orders.send([{"id": 1}, {"id": 2}], message="msg_1")
    orders.run()
    rows = orders.rows()
    assert {row["_message_id"] for row in rows} == {"msg_1.000000", "msg_1.000001"} and len({r["_sequence"] for r in rows}) == 4


def test_text_is_kept_as_it_is(orders: Orders) -> None:
    texts = ["", "plain", '{"a": 1}', "東京 🛫", "a\nb\tc\"'\\", "\u2028\x7f\x01"]
    orders.collect(options={"format": "text"})
    for text in texts:
        orders.send(text.encode())
    orders.run()
    assert sorted(row["data"] for row in orders.rows()) == sorted(texts)


def test_numbers_have_all_the_digits_that_were_sent(orders: Orders) -> None:
    orders.collect(columns=(Column("d", "d"),), casts={"d": "decimal(38,10)"})
    orders.send(b'[{"d": 1234567890123456789012345678.0123456789}, {"d": 0.1}, {"d": 12e2}]')
    orders.run()
    wanted = ["0.1000000000", "1200.0000000000", "1234567890123456789012345678.0123456789"]
    assert sorted((str(row["d"]) for row in orders.rows()), key=len) == wanted


def test_a_key_that_no_event_has_any_more_stays_a_column_and_a_new_one_comes(orders: Orders) -> None:
    orders.known = Schema(
        (SchemaColumn("id", "long", source="ID", source_type="json"), SchemaColumn("gone", "date", source="gone", source_type="json"))
    )
    orders.collect()
    orders.send({"ID": 1, "fresh": True})
    orders.run()
    types = {column.name: column.type for column in orders.cloud.reader.latest_schema(DATASET).schema.columns}
    assert (types["id"], types["gone"], types["fresh"]) == ("long", "date", "boolean")


def test_an_event_that_does_not_fit_is_set_aside_with_where_it_stands_and_why(orders: Orders) -> None:
    orders.collect(casts={"id": "long"}, columns=(Column("id", "id"),), bad_rows=BadRows(1))
    orders.send([{"id": 1}, {"id": "x"}], message="msg_1")
    orders.run()
    (aside,) = orders.rejected()
    assert [row["id"] for row in orders.rows()] == [1]
    assert aside["reason"].startswith(f"event {aside['data']['_sequence']}: id is no long")
    assert (aside["data"]["_message_id"], aside["data"]["data"]) == ("msg_1.000001", '{"id": "x"}')


def test_an_event_that_does_not_fit_fails_the_batch_that_does_not_tolerate_it(orders: Orders) -> None:
    orders.collect(casts={"id": "long"}, columns=(Column("id", "id"),))
    orders.send([{"id": 1}, {"id": "secret stuff"}])
    error = orders.run(record_errors=True).errors[DATASET]
    assert isinstance(error, RowError) and "1 events of orders cannot be read: id is no long" in str(error)
    assert "secret" not in str(error) and "BAD ROWS" in error.remedy


@pytest.mark.security
def test_what_is_masked_is_not_set_aside_in_the_clear(orders: Orders) -> None:
    orders.cloud.put_secret("mask", {"key": "k" * 32})
    orders.collect(
        columns=(Column("id", "id"), Column("name", "name")), casts={"id": "long", "name": "string"}, bad_rows=BadRows(1),
        masks={"name": Mask.HASH}, mask_key="mask",
    )  # fmt: skip
    orders.send([{"id": 1, "name": "Ann"}, {"id": "x", "name": "Bea"}])
    orders.run()
    (row,) = orders.rows()
    assert len(row["name"]) == 64 and row["id"] == 1
    assert len(orders.rejected()) == 1 and "Bea" not in json.dumps(orders.rejected(), default=str)


# -- which events


def test_a_batch_takes_what_arrived_from_its_start_to_before_its_end(orders: Orders) -> None:
    orders.collect()
    start = orders.watermark
    moments = [start - timedelta(days=2), start, start + HOUR - MICROSECOND, start + HOUR, start + 2 * HOUR - MICROSECOND]
    for number, moment in enumerate([*moments, start + 2 * HOUR]):
        orders.send({"id": number}, moment)
    assert [orders.ids(), orders.ids(), orders.ids(), orders.ids()] == [[0, 1, 2], [3, 4], [5], []]


def test_a_batch_waits_until_s3_says_that_nothing_can_come_any_more(orders: Orders) -> None:
    """The clock of the tests stands a second after the batch's end."""
    orders.collect()
    orders.send({"id": 1})
    assert orders.ids() == [1] and orders.endpoint.waited == [SETTLED_SECONDS - 1]
    orders.cloud.clock.advance(days=1)
    orders.run()
    assert len(orders.endpoint.waited) == 1  # of an hour that is long past


Sent = st.lists(st.lists(st.tuples(st.integers(-30, 89), st.integers(1, 3)), max_size=5), min_size=1, max_size=5)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(hours=Sent)
def test_each_event_is_in_the_batch_of_its_arrival_and_in_no_other(cloud: Cloud, hours: list[list[tuple[int, int]]]) -> None:
    """Of each hour requests by the minute, which may lie in the hour after."""
    orders = Orders(Cloud())
    orders.collect(columns=(Column("id", "id"), Column("_arrived_at", "_arrived_at")), casts={"id": "long"})
    begin, wanted, number = orders.watermark, dict[int, list[int]](), 0
    for hour, requests in enumerate(hours):
        for minute, count in requests:
            moment = begin + hour * HOUR + timedelta(minutes=max(minute, 0))
            orders.send([{"id": number + one} for one in range(count)], moment)
            wanted.setdefault((moment - begin) // HOUR, []).extend(range(number, number + count))
            number += count
    for hour in range(len(hours) + 1):
        assert orders.ids() == sorted(wanted.get(hour, [])), hour


def test_an_append_that_is_run_again_takes_the_same_requests_or_is_refused(orders: Orders) -> None:
    orders.collect()
    start = orders.watermark
    orders.send({"id": 1}, start - timedelta(days=1))
    orders.send({"id": 2})
    orders.run()
    again = orders.cloud.event(FLOW, rerun=True, interval=Interval(start, start + HOUR))
    run_batch(orders.steps(), again)
    assert sorted(row["id"] for row in orders.rows()) == [1, 2]
    orders.send({"id": 3}, start + timedelta(minutes=30))  # as what was stored so late that it was not promised
    (failed,) = run_batch(orders.steps(), again, record_errors=True).planned["failed"]
    assert "of the 2 requests that the batch took 3 are there" in failed["error"]
    orders.forget(start)
    (failed,) = run_batch(orders.steps(), again, record_errors=True).planned["failed"]
    assert "2 are there, or others, and rows would be lost" in failed["error"]


def test_requests_that_are_deleted_between_plan_and_extract_are_told_by_the_next_plan(orders: Orders) -> None:
    orders.collect()
    orders.send({"id": 1})
    steps, event = orders.steps(), orders.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    orders.forget(NOW + HOUR)
    with pytest.raises(RetryLater, match="a request to orders is there no more"):
        steps.extract({**state, "part": 0}, FakeContext())


def test_what_is_not_collected_before_it_is_deleted_is_refused_unless_the_program_goes_on_without(orders: Orders) -> None:
    orders.collect()
    orders.send({"id": 1})
    orders.run()
    orders.cloud.clock.advance(days=naming.INBOX_DAYS + 1)
    assert f"events of orders that were sent from {'2026-11-23T12:00:00Z'} to " in (said := orders.refusal())
    assert "may be lost: they are kept for 30 days" in said and "`gap = 'skip'`" in said
    orders.cloud.clock.advance(hours=1)
    orders.collect(options={"gap": "skip"})
    assert orders.ids() == []


def test_a_table_that_gets_nothing_for_long_loses_nothing(orders: Orders) -> None:
    """The cursor goes on with time, also where nothing is sent."""
    orders.collect()
    orders.send({"id": 1})
    orders.run()
    for _ in range(24 * 3):
        orders.run()
    cursor = orders.cloud.reader.flow_states([FLOW])[FLOW].tables[DATASET].cursor
    assert datetime.fromisoformat(json.loads(cursor)["until"]) > orders.watermark - timedelta(days=1, hours=1)
    orders.send({"id": 2})
    assert orders.ids() == [2]


def test_many_requests_are_parts_and_a_call_near_its_deadline_leaves_the_rest(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logic, "FEWEST_OF_A_PART", 10)
    monkeypatch.setattr(extracting, "AT_ONCE", 4)
    orders.collect()
    for number in range(25):
        orders.send({"id": number})
    steps, event = orders.steps(), orders.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    assert len(state["parts"]) == 3
    calls = 0
    for part in state["parts"]:
        done = False
        while not done:
            done, calls = steps.extract({**state, "part": part}, FakeContext(5))["done"], calls + 1
    steps.commit(state, FakeContext())
    assert sorted(row["id"] for row in orders.rows()) == list(range(25)) and calls == 3 + 3 + 2


def test_parts_hold_every_name_once_and_are_forty_at_most() -> None:
    for count in (0, 1, 1999, 2001, 79_999, 100_001):
        names = [f"{number:06d}" for number in range(count)]
        parts = in_parts(names)
        assert [name for part in parts for name in part] == names and len(parts) <= 40


@given(moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(NOW.tzinfo)))
def test_a_name_tells_its_moment_to_the_microsecond_and_sorts_by_it(moment: datetime) -> None:
    assert arrived(f"{stamp(moment)}-abc") == round((moment - datetime(1970, 1, 1, tzinfo=NOW.tzinfo)) / MICROSECOND)
    assert stamp(moment) < f"{stamp(moment)}-abc" < stamp(moment + MICROSECOND)


def test_a_table_that_the_connection_does_not_name_is_refused(orders: Orders) -> None:
    orders.collect(options={"tables": "others"})
    assert "the connection names no table orders" in orders.refusal()


@pytest.mark.security
@pytest.mark.parametrize(
    ("option", "value"),
    [("tables", "a/b"), ("tables", ""), ("tables", "a,,b"), ("tables", "*"), ("most_kb", 5000)],
)
def test_an_option_that_would_reach_further_is_none(orders: Orders, option: str, value: Any) -> None:
    orders.collect(options={option: value})
    with pytest.raises(DefinitionError, match=f"`{option}` takes"):
        orders.run()
