"""What the suite of all collect slices does not ask: what of an event is read, which events, and what a cluster refuses."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Producer

from doubles.kafka.batches import Headers
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.errors import DefinitionError, RetryLater, RowError, SecretError
from shared_metadata.program import BadRows, Column, Connection, Flow, Kind, Mask, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.kafka import connecting
from slices.collect.kafka.client import KafkaSource
from slices.collect.kafka.config import read_config, read_secret
from slices.collect.kafka.slice import SLICE
from slices.collect.kafka.tests.under_test import NOBODY, PASSWORD, USER, kafka, locked
from tests.conformance.events import EventFlow
from tests.conformance.fixtures import NOW, Cloud, FakeContext, open_cloud, run_batch

FLOW, DATASET, HERE = "lake.raw.clicks", "lake.raw.clicks:staged", Position("program.sql", 2, 1)
HOUR = timedelta(hours=1)
ID: dict[str, Any] = {"columns": (Column("id", "id"),), "casts": {"id": "long"}}
CLUSTER = "arn:aws:kafka:eu-central-1:111122223333:cluster/shop/0f1e2d3c-4b5a-6978"


class Clicks(EventFlow):
    """A topic, and a flow that collects it every hour."""

    def __init__(self, cloud: Cloud, partitions: int = 1) -> None:
        super().__init__(cloud, FLOW, DATASET)
        self.name, self.broker = f"clicks-{uuid.uuid4().hex[:8]}", kafka()
        self.broker.cluster.create(self.name, partitions)
        self.known: Schema | None = None

    def send(
        self, event: Any, at: datetime | None = None, key: bytes | None = None, headers: Headers = (), **more: Any
    ) -> tuple[int, int]:
        value = event if event is None or isinstance(event, bytes) else json.dumps(event).encode()
        return self.broker.cluster.put(self.name, value, key, at or self.at, headers=headers, **more)

    def collect(self, mode: Mode = Mode.APPEND, options: Mapping[str, Any] | None = None, masks: Any = None, **flow: Any) -> None:
        given = {"brokers": self.broker.address, "auth": "none", "tls": False, **(options or {})}
        merged = {"key": ("id",), "cursor": "_sequence"} if mode == Mode.MERGE else {}
        tables = (Table(DATASET, self.name, masks=masks or {}),)
        made = Flow(FLOW, Kind.COLLECT, SLICE.id, "lake", 3600, tables, HERE, connection="bus", mode=mode, **{**merged, **flow})
        self.cloud.apply(Program({"bus": Connection("bus", "kafka", given, HERE)}, {}, {FLOW: made}))

    def steps(self) -> CollectSteps:
        def opened(connection: Connection, secret: Any) -> KafkaSource:
            return KafkaSource(connection, secret, self.cloud.session, lambda _: self.known)

        return CollectSteps(SLICE, self.cloud.services(SLICE.id), opened)

    @property
    def at(self) -> datetime:
        """A moment within the next batch."""
        state = self.cloud.reader.flow_states([FLOW]).get(FLOW)
        return (state.tables[DATASET].watermark if state else NOW - HOUR) + timedelta(minutes=20)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(connecting, "DOWN_SECONDS", 0.5)
    yield from open_cloud(monkeypatch)
    kafka().rules.errors.clear()
    kafka().rules.denied.clear()


@pytest.fixture
def clicks(cloud: Cloud) -> Clicks:
    return Clicks(cloud)


# -- what of an event


def test_what_the_topic_tells_of_an_event_is_in_its_row(clicks: Clicks) -> None:
    clicks.collect()
    at = clicks.at
    headers = [("trace", b"abc"), ("trace", None), ("raw", b"\xff")]
    clicks.send({"id": 1, "_offset": "mine"}, at, b"who", headers)
    clicks.send({"id": 2}, at - HOUR)
    clicks.run()
    one, other = sorted(clicks.rows(), key=lambda row: row["id"])
    millis = int(at.timestamp() * 1000)
    assert one == {
        "id": 1, "_timestamp": at, "_sequence": f"{millis:015d}.000000.{0:019d}", "_partition": 0, "_offset": 0, "_key": "who",
        "_headers": '[["trace", "abc"], ["trace", null], ["raw", {"base64": "/w=="}]]', "_batch": NOW - HOUR, "_deleted": False,
    }  # fmt: skip
    assert (other["_key"], other["_headers"], other["_timestamp"]) == (None, None, at - HOUR)
    assert other["_sequence"] == f"{millis:015d}.000000.{1:019d}"


def test_text_is_kept_as_it_is_and_an_event_without_a_value_is_null(clicks: Clicks) -> None:
    texts = ["", "plain", '{"a": 1}', "東京 🛫", "a\nb\tc\"'\\", "\u2028\x7f\x01"]
    clicks.collect(options={"format": "text"})
    for text in texts:
        clicks.send(text.encode())
    clicks.send(None, key=b"k")
    clicks.run()
    assert sorted(row["data"] for row in clicks.rows() if not row["_deleted"]) == sorted(texts)
    assert [(row["data"], row["_key"]) for row in clicks.rows() if row["_deleted"]] == [(None, "k")]


def test_types_are_by_a_sample_unless_the_program_says_them(clicks: Clicks) -> None:
    clicks.known = Schema((SchemaColumn("gone", "date", source="gone", source_type="json"),))
    clicks.collect(columns=tuple(Column(name, name) for name in ("n", "zip", "more", "gone", "later")), casts={"later": "date"})
    clicks.send({"n": 1, "zip": "00123", "more": {"a": [1, None]}})
    clicks.run()
    latest = clicks.cloud.reader.latest_schema(DATASET)
    assert latest is not None
    types = {column.name: column.type for column in latest.schema.columns}
    assert [types[name] for name in ("n", "zip", "more", "gone", "later")] == ["long", "string", "string", "date", "date"]


BROKEN: Mapping[bytes, tuple[str, str]] = {
    b"{": ("is no JSON", "{"),
    b"[1]": ("is no JSON object", "[1]"),
    b"": ("is no JSON", ""),
    b"\xff\x00": ("is no text in UTF-8", base64.b64encode(b"\xff\x00").decode()),
    b"\0\0\0\0\x07\x02a": ("is in Confluent's wire format, of which JSON alone is read", "AAAAAAcCYQ=="),
    b'{"id": "x"}': ("id is no long", '{"id": "x"}'),
}


@pytest.mark.parametrize("data", BROKEN)
def test_an_event_that_is_none_is_set_aside_with_where_it_stands_and_why(clicks: Clicks, data: bytes) -> None:
    why, told = BROKEN[data]
    clicks.collect(bad_rows=BadRows(1), **ID)
    clicks.send({"id": 1})
    clicks.send(data, key=b"who")
    clicks.run()
    (aside,) = clicks.rejected()
    assert [row["id"] for row in clicks.rows()] == [1]
    assert aside["reason"].startswith(f"partition 0, offset 1: {why}")
    assert (aside["data"]["_offset"], aside["data"]["_key"], aside["data"]["data"]) == (1, "who", told)


def test_an_event_that_is_none_fails_the_batch_that_does_not_tolerate_it_and_shows_nothing_of_it(clicks: Clicks) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    clicks.send(b"secret stuff")
    error = clicks.run(record_errors=True).errors[DATASET]
    assert isinstance(error, RowError) and "1 events of clicks-" in str(error) and "is no JSON" in str(error)
    assert "secret" not in str(error) and "BAD ROWS" in error.remedy


def test_json_of_a_schema_registry_is_read_behind_its_head(clicks: Clicks) -> None:
    clicks.collect(**ID)
    clicks.send(b'\0\0\0\0\x07{"id": 5}')
    assert clicks.ids() == [5]


def test_a_key_that_is_no_text_is_set_aside_unless_it_is_said_to_be_bytes(clicks: Clicks) -> None:
    clicks.collect(bad_rows=BadRows(1), **ID)
    clicks.send({"id": 1}, key=b"\xff")
    clicks.run()
    (aside,) = clicks.rejected()
    assert "`key` is 'base64'" in aside["reason"] and clicks.rows() == []
    clicks.collect(options={"key": "base64"})
    clicks.send({"id": 2}, key=b"\xff")
    clicks.run()
    assert [(row["id"], row["_key"]) for row in clicks.rows()] == [(2, "/w==")]


def test_what_is_masked_is_not_set_aside_in_the_clear(clicks: Clicks) -> None:
    clicks.cloud.put_secret("mask", {"key": "k" * 32})
    clicks.collect(
        columns=(Column("id", "id"), Column("_key", "_key")), casts={"id": "long"}, bad_rows=BadRows(2),
        masks={"_key": Mask.HASH}, mask_key="mask",
    )  # fmt: skip
    clicks.send({"id": 1}, key=b"Ann")
    clicks.send({"id": "x"}, key=b"Bea")
    clicks.send(b"Cleo")
    clicks.run()
    (row,) = clicks.rows()
    assert len(row["_key"]) == 64
    said = json.dumps(clicks.rejected(), default=str)
    assert len(clicks.rejected()) == 2 and "Bea" not in said and "Cleo" not in said


# -- keys that are gone


def test_an_event_without_a_value_deletes_what_its_key_tells(clicks: Clicks) -> None:
    clicks.collect(
        Mode.MERGE,
        {"key": "json"},
        casts={"id": "long"},
        columns=(Column("id", "id"), Column("x", "x"), Column("_sequence", "_sequence")),
    )
    clicks.send({"id": 1, "x": "a"}, key=b'{"id": 1}')
    clicks.send(None, key=b'{"id": 2}')
    clicks.run()
    assert sorted((row["id"], row["x"], row["_deleted"]) for row in clicks.rows()) == [(1, "a", False), (2, None, True)]


def test_an_event_without_a_value_whose_key_does_not_tell_is_set_aside(clicks: Clicks) -> None:
    clicks.collect(Mode.MERGE, casts={"id": "long"}, bad_rows=BadRows(2))
    clicks.send({"id": 1}, key=b"1")
    clicks.send(None, key=b"1")
    clicks.run()
    assert [row["id"] for row in clicks.rows()] == [1]
    assert ["id is null, or no long" in row["reason"] for row in clicks.rejected()] == [True]


# -- which events


def test_what_was_aborted_never_was_and_what_is_open_comes_when_it_is_committed(clicks: Clicks) -> None:
    clicks.collect(**ID)
    cluster, one, other = clicks.broker.cluster, clicks.broker.cluster.new_producer(), clicks.broker.cluster.new_producer()
    clicks.send({"id": 1})
    clicks.send({"id": 2}, producer=one)
    clicks.send({"id": 3})
    cluster.abort(one)
    assert clicks.ids() == [1, 3]
    clicks.send({"id": 4}, producer=other)
    clicks.send({"id": 5})
    assert clicks.ids() == []
    cluster.commit(other)
    assert (clicks.ids(), clicks.ids()) == ([4, 5], [])


@pytest.mark.parametrize("how", ["aborted at the end", "compacted", "compacted whole"])
def test_a_batch_ends_at_its_offset_where_there_is_no_event(clicks: Clicks, how: str) -> None:
    clicks.collect(**ID)
    cluster = clicks.broker.cluster
    for number in range(4):
        clicks.send({"id": number}, key=b"a" if how == "compacted whole" else b"%d" % (number % 2))
    if how == "aborted at the end":
        producer = cluster.new_producer()
        clicks.send({"id": 9}, producer=producer)
        cluster.abort(producer)
    else:
        cluster.compact(clicks.name)
    assert clicks.ids() == {"aborted at the end": [0, 1, 2, 3], "compacted": [2, 3], "compacted whole": [3]}[how]
    clicks.send({"id": 7})
    assert clicks.ids() == [7]


def test_events_that_come_while_a_batch_is_made_are_of_the_next_one(clicks: Clicks) -> None:
    clicks.collect(**ID)
    clicks.send({"id": 1})
    steps = clicks.steps()
    (state,) = steps.plan(clicks.cloud.event(FLOW), FakeContext())["work"]
    clicks.send({"id": 2})
    steps.extract({**state, "part": 0}, FakeContext())
    steps.commit(state, FakeContext())
    assert [row["id"] for row in clicks.rows()] == [1]
    assert clicks.ids() == [2]


def test_partitions_that_are_added_are_read_from_their_first_event_and_the_later_event_of_a_key_wins(clicks: Clicks) -> None:
    clicks.collect(**{**ID, "columns": (Column("id", "id"), Column("_sequence", "_sequence"))})
    at = clicks.at
    for minute in range(3):
        clicks.send({"id": 1}, at + timedelta(minutes=minute))
    clicks.broker.cluster.grow(clicks.name, 2)
    clicks.send({"id": 2}, at + timedelta(minutes=5), partition=1)
    clicks.run()
    assert max(clicks.rows(), key=lambda row: row["_sequence"])["id"] == 2
    clicks.broker.cluster.grow(clicks.name, 3)
    clicks.send({"id": 3}, partition=2)
    assert clicks.ids() == [3]


def test_what_a_real_producer_has_sent_and_compressed_is_read(clicks: Clicks) -> None:
    clicks.collect(**ID)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({"bootstrap.servers": clicks.broker.address, "compression.type": codec, "linger.ms": 20})
        for number in range(50):
            producer.produce(clicks.name, json.dumps({"id": number}).encode(), b"key")
        assert producer.flush(20) == 0
    assert clicks.ids() == sorted([*range(50)] * 5)


def test_an_extract_whose_deadline_is_near_goes_on_from_its_offset(clicks: Clicks) -> None:
    clicks.collect(**ID)
    for first in range(0, 12_000, 500):
        clicks.broker.cluster.put_many(clicks.name, [b'{"id": %d}' % n for n in range(first, first + 500)], at=clicks.at)
    run = clicks.run(context=lambda step: FakeContext(5 if step == "extract" else 900))
    assert sorted(row["id"] for row in clicks.rows()) == list(range(12_000)) and run.calls["extract"] > 1


# -- what is lost


def test_what_retention_has_deleted_is_told_by_partition_and_offsets_and_skipped_where_the_program_says_so(clicks: Clicks) -> None:
    clicks.collect(**ID)
    for number in range(3):
        clicks.send({"id": number})
    assert clicks.ids() == [0, 1, 2]
    for number in range(3, 8):
        clicks.send({"id": number})
    clicks.broker.cluster.trim(clicks.name, 0, 6)
    said = clicks.refusal()
    assert "of partition 0 with the offsets 3 to 5" in said and "gap = 'skip'" in said and "2026-11-23" in said
    clicks.cloud.clock.advance(hours=1)
    clicks.collect(options={"gap": "skip"}, **ID)
    assert clicks.ids() == [6, 7]


def test_a_topic_that_was_deleted_and_made_again_is_told_though_it_is_longer(clicks: Clicks) -> None:
    clicks.collect(**ID)
    clicks.send({"id": 1})
    assert clicks.ids() == [1]
    clicks.broker.cluster.delete(clicks.name)
    clicks.broker.cluster.create(clicks.name)
    for number in range(2, 6):
        clicks.send({"id": number})
    assert "from offset 1 on, as the topic was deleted and made again" in clicks.refusal()
    clicks.cloud.clock.advance(hours=1)
    clicks.collect(options={"gap": "skip"}, **ID)
    assert clicks.ids() == [2, 3, 4, 5]


@pytest.mark.parametrize("how", ["trim", "remake", "truncate"])
def test_events_that_are_deleted_between_plan_and_extract_are_told_by_the_next_plan(clicks: Clicks, how: str) -> None:
    clicks.collect(**ID)
    clicks.send({"id": 1})
    clicks.run()
    for number in (2, 3):
        clicks.send({"id": number})
    steps = clicks.steps()
    (state,) = steps.plan(clicks.cloud.event(FLOW), FakeContext())["work"]
    cluster = clicks.broker.cluster
    if how == "trim":
        cluster.trim(clicks.name, 0, 2)
    elif how == "truncate":
        cluster.truncate(clicks.name, 0, 2)
    else:
        cluster.delete(clicks.name)
        cluster.create(clicks.name)
    with pytest.raises(RetryLater, match="the batch is planned again"):
        steps.extract({**state, "part": 0}, FakeContext())
    clicks.cloud.clock.advance(hours=1)
    if how == "truncate":
        assert clicks.ids() == [2]
    else:
        assert "may be lost" in clicks.refusal()


def test_an_append_that_is_run_again_takes_the_same_and_is_refused_where_its_events_are_deleted(clicks: Clicks) -> None:
    clicks.collect(**ID)
    start = clicks.at - timedelta(minutes=20)
    clicks.send({"id": 1})
    clicks.run()
    clicks.send({"id": 2})
    again = clicks.cloud.event(FLOW, rerun=True, interval=Interval(start, start + HOUR))
    run_batch(clicks.steps(), again)
    assert [row["id"] for row in clicks.rows()] == [1]
    clicks.broker.cluster.trim(clicks.name, 0, 1)
    (failed,) = run_batch(clicks.steps(), again, record_errors=True).planned["failed"]
    assert "rows of the batch would be lost" in failed["error"]


# -- what a cluster refuses


@pytest.mark.security
@pytest.mark.parametrize("auth", ["scram-sha-512", "scram-sha-256"])
def test_who_signs_in_with_another_password_is_refused_by_name_and_one_with_the_right_one_reads(clicks: Clicks, auth: str) -> None:
    clicks.broker = locked()
    clicks.broker.cluster.create(clicks.name)
    clicks.collect(options={"auth": auth, "secret": "bus", "brokers": ""}, **ID)
    clicks.send({"id": 1})
    clicks.cloud.put_secret("bus", {"username": USER, "password": "another", "brokers": clicks.broker.address})
    said = clicks.refusal()
    assert said.startswith("SecretError: connection bus") and "'bus'" in said and "another" not in said
    clicks.cloud.clock.advance(hours=1)
    clicks.cloud.put_secret("bus", {"username": USER, "password": PASSWORD, "brokers": clicks.broker.address})
    assert clicks.ids() == [1]


@pytest.mark.security
def test_a_topic_that_is_denied_is_named_with_what_to_do(clicks: Clicks) -> None:
    clicks.collect()
    clicks.broker.rules.denied.add(("", clicks.name))
    said = clicks.refusal()
    assert f"the cluster denies the topic {clicks.name}" in said and "Describe and Read" in said


@pytest.mark.parametrize("name", ["Metadata", "ListOffsets", "Fetch"])
def test_an_answer_that_is_an_error_for_the_moment_is_asked_for_again_or_later(clicks: Clicks, name: str) -> None:
    clicks.collect(**ID)
    clicks.send({"id": 1})
    clicks.broker.rules.errors[name] = [6]  # NOT_LEADER_OR_FOLLOWER, as while a leader moves
    if name != "Fetch":
        with pytest.raises(RetryLater, match="NOT_LEADER"):
            clicks.run()
        clicks.cloud.clock.advance(minutes=20)  # the claim of the one that failed has ended
    assert clicks.ids() == [1] and clicks.broker.rules.errors[name] == []


@pytest.mark.parametrize("name", ["ListOffsets", "Metadata", "Fetch"])
def test_an_answer_that_is_lost_is_not_taken_for_an_empty_topic(clicks: Clicks, name: str) -> None:
    """librdkafka gives an offset below zero then, and no error."""
    clicks.collect(**ID)
    clicks.send({"id": 1})
    lost = [name] * 2
    clicks.broker.rules.breaks = lambda asked, done: bool(done and lost and asked == lost[-1] and lost.pop())
    try:
        found = list[int]()
        for _ in range(3):
            with contextlib.suppress(RetryLater):
                found += clicks.ids()
            clicks.cloud.clock.advance(minutes=20)
    finally:
        clicks.broker.rules.breaks = lambda asked, done: False
    assert found == [1] and not lost


def test_brokers_that_are_down_are_tried_later(clicks: Clicks) -> None:
    clicks.collect(options={"brokers": NOBODY})
    with pytest.raises(RetryLater, match=r"none of the brokers 127\.0\.0\.1:9 answers"):
        clicks.run()


def test_a_topic_that_the_connection_does_not_name_is_refused_and_not_looked_at(clicks: Clicks) -> None:
    clicks.collect(options={"topics": "another"})
    assert f"the connection names no topic {clicks.name}" in clicks.refusal()


def test_discover_lists_the_topics_that_people_made_and_that_may_be_seen(clicks: Clicks) -> None:
    own, hidden = f"__of-{clicks.name}", f"hidden-{clicks.name}"
    for name in (own, hidden):
        clicks.broker.cluster.create(name)
    clicks.broker.rules.denied.add(("", hidden))
    options = {"brokers": clicks.broker.address, "auth": "none", "tls": False}
    names = KafkaSource(Connection("bus", "kafka", options, HERE), {}, clicks.cloud.session).tables()
    assert clicks.name in names and own not in names and hidden not in names


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"auth": "iam", "brokers": "a:1"}, "neither all of its cluster nor its topics"),
    ({"auth": "iam", "brokers": "a:1", "cluster": CLUSTER, "topics": "t", "tls": False}, "would go over the network as it is"),
    ({"auth": "plain", "brokers": "a:1", "secret": "s", "tls": False}, "would go over the network as it is"),
    ({"auth": "iam", "brokers": "a:1", "cluster": CLUSTER.replace("shop", "*"), "topics": "t"}, "`cluster` takes"),
    ({"auth": "none", "brokers": "a:1", "topics": "a, *"}, "`topics` takes"),
    ({"auth": "none", "brokers": "a"}, "`brokers` takes"),
    ({"auth": "none"}, "the connection names no broker"),
    ({"brokers": "a:1"}, "the connection has no secret"),
]


@pytest.mark.security
@pytest.mark.parametrize(("options", "said"), WRONG)
def test_options_that_are_wrong_or_would_show_a_secret_are_refused(options: dict[str, Any], said: str) -> None:
    connection = Connection("bus", "kafka", options, HERE)
    with pytest.raises((DefinitionError, SecretError)) as caught:
        read_secret(connection, {"username": "u", "password": "p"} if "secret" in options else {})
    assert said in str(caught.value) and "Remedy" in str(caught.value)


@pytest.mark.parametrize("brokers", ["b-1.example.com:9096", "10.0.0.1:9092, [::1]:9092", ""])
def test_brokers_are_hosts_and_ports(brokers: str) -> None:
    assert read_config(Connection("bus", "kafka", {"brokers": brokers}, HERE)).brokers == brokers
