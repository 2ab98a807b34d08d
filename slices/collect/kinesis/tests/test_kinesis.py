"""What the suite of all collect slices does not ask: what of an event is read, what Kinesis refuses, and what it deletes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.discovery import Warns
from shared_metadata.errors import DefinitionError, RetryLater, RowError
from shared_metadata.program import BadRows, Column, Connection, Flow, Kind, Mask, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.kinesis import streams
from slices.collect.kinesis.aggregated import MAGIC, apart, hash_of
from slices.collect.kinesis.client import KinesisSource
from slices.collect.kinesis.positions import Shard
from slices.collect.kinesis.records import events
from slices.collect.kinesis.slice import SLICE
from slices.collect.kinesis.tests.under_test import KINESIS
from systems.events.lines import MOST_UNPACKED, unpacked
from tests.conformance.events import EventFlow
from tests.conformance.fixtures import NOW, Cloud, FakeContext, open_cloud, run_batch
from tests.memory.kinesis import arn

FLOW, DATASET, HERE = "lake.raw.clicks", "lake.raw.clicks:staged", Position("program.sql", 2, 1)
HOUR = timedelta(hours=1)
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


class Clicks(EventFlow):
    """A stream, and a flow that collects it every hour."""

    def __init__(self, cloud: Cloud, shards: int = 1) -> None:
        super().__init__(cloud, FLOW, DATASET)
        self.name = f"clicks-{uuid.uuid4().hex[:8]}"
        self.arn = arn(self.name)
        KINESIS.make(self.arn, shards, 24)
        self.known: Schema | None = None

    def send(self, event: Any, at: datetime | None = None, key: str = "a") -> str:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        return KINESIS.put(self.arn, key, data, at or self.at)

    def collect(self, mode: Mode = Mode.APPEND, options: Mapping[str, Any] | None = None, masks: Any = None, **flow: Any) -> None:
        given = {"streams": self.arn, **(options or {})}
        key = ("id",) if mode == Mode.MERGE else ()
        tables = (Table(DATASET, self.name, masks=masks or {}),)
        made = Flow(FLOW, Kind.COLLECT, SLICE.id, "lake", 3600, tables, HERE, connection="site", mode=mode, key=key, **flow)
        self.cloud.apply(Program({"site": Connection("site", "kinesis", given, HERE)}, {}, {FLOW: made}))

    def steps(self) -> CollectSteps:
        def opened(connection: Connection, _: Any) -> KinesisSource:
            client, clock = self.cloud.session.client("kinesis"), self.cloud.clock
            return KinesisSource(connection, self.cloud.session, lambda _: client, clock, lambda _: self.known)

        return CollectSteps(SLICE, self.cloud.services(SLICE.id), opened)

    @property
    def at(self) -> datetime:
        """A moment within the next batch."""
        state = self.cloud.reader.flow_states([FLOW]).get(FLOW)
        return (state.tables[DATASET].watermark if state else NOW - HOUR) + timedelta(minutes=20)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(streams, "READS_A_SECOND", 1e9)  # nothing is waited for
    monkeypatch.setattr(streams, "pauses", lambda tries: iter([0.0] * tries))
    yield from open_cloud(monkeypatch)
    KINESIS.failing.clear()


@pytest.fixture
def clicks(cloud: Cloud) -> Clicks:
    return Clicks(cloud)


# -- what of an event


def test_what_the_stream_tells_of_an_event_is_in_its_row(clicks: Clicks) -> None:
    clicks.collect()
    sequence = clicks.send({"id": 1, "_shard_id": "mine"}, key="who")
    clicks.run()
    (row,) = clicks.rows()
    assert row == {
        "id": 1, "_arrived_at": clicks.at - HOUR, "_sequence_number": sequence, "_shard_id": "shardId-000000000000",
        "_partition_key": "who", "_batch": NOW - HOUR,
    }  # fmt: skip


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_text_is_kept_as_it_is(clicks: Clicks, compression: str) -> None:
    texts = ["", "plain", '{"a": 1}', "東京 🛫", "a\nb\tc\"'\\", "\u2028\x7f\x01"]
    clicks.collect(options={"format": "text", "compression": compression})
    for text in texts:
        clicks.send(gzip.compress(text.encode()) if compression == "gzip" else text.encode())
    clicks.run()
    assert sorted(row["data"] for row in clicks.rows()) == sorted(texts)


def test_types_are_by_a_sample_unless_the_program_says_them(clicks: Clicks) -> None:
    clicks.collect(columns=tuple(Column(name, name) for name in ("n", "x", "zip", "day", "more", "later")), casts={"later": "date"})
    clicks.send({"n": 1, "x": 1.5, "zip": "00123", "day": "2026-01-01", "more": {"a": [1, None]}})
    clicks.send({"n": 2})
    clicks.run()
    types = {column.name: column.type for column in clicks.cloud.reader.latest_schema(DATASET).schema.columns}
    assert [types[name] for name in ("n", "x", "zip", "day", "more", "later")] == [
        "long",
        "double",
        "string",
        "date",
        "string",
        "date",
    ]
    assert {row["n"]: (row["zip"], row["more"]) for row in clicks.rows()} == {1: ("00123", '{"a":[1,null]}'), 2: (None, None)}


def test_a_key_that_no_event_has_any_more_stays_a_column_and_a_new_one_comes(clicks: Clicks) -> None:
    clicks.known = Schema(
        (SchemaColumn("id", "long", source="ID", source_type="json"), SchemaColumn("gone", "date", source="gone", source_type="json"))
    )
    clicks.collect()
    clicks.send({"ID": 1, "fresh": True})
    clicks.run()
    types = {column.name: column.type for column in clicks.cloud.reader.latest_schema(DATASET).schema.columns}
    assert (types["id"], types["gone"], types["fresh"]) == ("long", "date", "boolean")
    assert [(row["id"], row["gone"], row["fresh"]) for row in clicks.rows()] == [(1, None, True)]


def test_one_key_may_be_two_columns_and_a_where_reads_what_is_not_collected(clicks: Clicks) -> None:
    columns = (Column("number", '"id"'), Column("text", '"id"'))
    clicks.collect(columns=columns, casts={"number": "long", "text": "string"}, filter="kind = 'x'")
    for number, kind in enumerate("xyx"):
        clicks.send({"id": number, "kind": kind})
    clicks.run()
    assert sorted((row["number"], row["text"]) for row in clicks.rows()) == [(0, "0"), (2, "2")]


BROKEN = {
    b"{": ("is no JSON", "{"),
    b"[1]": ("is no JSON object", "[1]"),
    b"": ("is no JSON", ""),
    b"\xff\x00": ("is no text in UTF-8", base64.b64encode(b"\xff\x00").decode()),
    MAGIC + b"and no more": ("is no text in UTF-8", base64.b64encode(MAGIC + b"and no more").decode()),
    b'{"id": "x"}': ("id is no long", '{"id": "x"}'),
}


@pytest.mark.parametrize("data", BROKEN)
def test_an_event_that_is_none_is_set_aside_with_where_it_stands_and_why(clicks: Clicks, data: bytes) -> None:
    why, told = BROKEN[data]
    clicks.collect(casts={"id": "long"}, columns=(Column("id", "id"),), bad_rows=BadRows(1))
    clicks.send({"id": 1})
    sequence = clicks.send(data, key="who")
    clicks.run()
    (aside,) = clicks.rejected()
    assert [row["id"] for row in clicks.rows()] == [1]
    assert aside["reason"].startswith(f"shardId-000000000000, event {sequence}: {why}")
    assert (aside["data"]["_sequence_number"], aside["data"]["_partition_key"]) == (sequence, "who")
    assert aside["data"]["data"] == (told)


def test_an_event_that_is_none_fails_the_batch_that_does_not_tolerate_it_and_shows_nothing_of_it(clicks: Clicks) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    clicks.send(b"secret stuff")
    error = clicks.run(record_errors=True).errors[DATASET]
    assert isinstance(error, RowError) and "1 events of clicks-" in str(error) and "is no JSON" in str(error)
    assert "secret" not in str(error) and "BAD ROWS" in error.remedy


def test_what_is_masked_is_not_set_aside_in_the_clear(clicks: Clicks) -> None:
    clicks.cloud.put_secret("mask", {"key": "k" * 32})
    clicks.collect(
        columns=(Column("id", "id"), Column("name", "name")), casts={"id": "long", "name": "string"}, bad_rows=BadRows(2),
        masks={"name": Mask.HASH}, mask_key="mask",
    )  # fmt: skip
    clicks.send({"id": 1, "name": "Ann"})
    clicks.send({"id": "x", "name": "Bea"})
    clicks.send(b"Cleo")
    clicks.run()
    (row,) = clicks.rows()
    assert len(row["name"]) == 64 and row["id"] == 1
    said = json.dumps(clicks.rejected(), default=str)
    assert len(clicks.rejected()) == 2 and "Bea" not in said and "Cleo" not in said


def test_gzip_of_more_members_is_whole_and_one_that_was_cut_off_is_none() -> None:
    one, other = gzip.compress(b'{"a": '), gzip.compress(b"1}")
    assert unpacked(one + other, "gzip") == ('{"a": 1}', None, None)
    assert unpacked(one[:-4], "gzip")[1] == "ends before its gzip does"
    assert unpacked(b"plain", "gzip")[1] == "is no gzip"
    assert "when it is unpacked" in str(unpacked(gzip.compress(bytes(MOST_UNPACKED + 1)), "gzip")[1])


# -- what the Kinesis Producer Library packs


def packed(events: Sequence[tuple[str, int | None, bytes]]) -> bytes:
    """As the library writes it: key, hash and data of each."""

    def field(number: int, value: bytes | int) -> bytes:
        if isinstance(value, int):
            return bytes([number << 3, *varint(value)])
        return bytes([number << 3 | 2, *varint(len(value))]) + value

    def varint(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80, *varint(value >> 7)]) if value > 0x7F else bytes([value])

    keys, hashes = sorted({key for key, _, _ in events}), sorted({found for _, found, _ in events if found is not None})
    message = b"".join([field(1, key.encode()) for key in keys] + [field(2, str(found).encode()) for found in hashes])
    for key, found, data in events:
        explicit = field(2, hashes.index(found)) if found is not None else b""
        tag = field(1, b"name") + field(2, b"value")
        message += field(3, field(1, keys.index(key)) + explicit + field(3, data) + field(4, tag))
    return MAGIC + message + hashlib.md5(message).digest()


def test_what_the_producer_library_has_packed_is_taken_apart(clicks: Clicks) -> None:
    clicks.collect(columns=tuple(Column(name, name) for name in ("id", "_sequence_number", "_partition_key")), casts={"id": "long"})
    several = packed([(f"key {n}", None, json.dumps({"id": n, "pad": "x" * n * 100}).encode()) for n in range(4)])
    sequence = clicks.send(several, key="a")
    clicks.send({"id": 9})
    clicks.run()
    rows = sorted(clicks.rows(), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 9]
    found = [(row["_sequence_number"], row["_partition_key"]) for row in rows[:4]]
    assert found == [(f"{sequence}.{n:06d}", f"key {n}") for n in range(4)]


def test_what_came_packed_to_a_shard_that_is_not_its_own_is_sent_again_and_left_out(cloud: Cloud) -> None:
    clicks = Clicks(cloud, shards=2)
    clicks.collect(columns=(Column("id", "id"),), casts={"id": "long"})
    keys = [f"key {number}" for number in range(20)]
    low = [key for key in keys if hash_of(key) < 2**127]
    several = [(key, None, json.dumps({"id": number}).encode()) for number, key in enumerate(keys)]
    explicit = [("elsewhere", 0, b'{"id": 100}'), ("elsewhere", 2**128 - 1, b'{"id": 101}')]
    clicks.send(packed([*several, *explicit]), key=low[0])
    clicks.run()
    assert sorted(row["id"] for row in clicks.rows()) == [*(keys.index(key) for key in low), 100]


@settings(max_examples=200)
@given(data=st.binary(max_size=60), cut=st.integers(0, 40))
def test_what_only_begins_as_such_is_no_error_but_a_plain_event(data: bytes, cut: int) -> None:
    whole = packed([("a", None, b"1"), ("b", 7, b"2")])
    assert [one.data for one in apart(whole)] == [b"1", b"2"]
    for broken in (MAGIC + data, MAGIC + data + hashlib.md5(data).digest(), whole[: 4 + cut]):
        try:
            apart(broken)
        except (ValueError, IndexError):
            record = {"PartitionKey": "k", "SequenceNumber": "1", "Data": broken}
            assert [event.sequence for event in events(record, Shard("s"), "none")] == ["1"]


# -- which events


def test_an_event_that_comes_late_with_an_earlier_time_is_of_the_next_batch(clicks: Clicks) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    assert clicks.ids() == [1]
    clicks.send({"id": 2}, clicks.at - HOUR)
    assert (clicks.ids(), clicks.ids()) == ([2], [])


@pytest.mark.parametrize("how", ["split", "merge"])
def test_a_stream_that_is_resharded_between_batches_gives_each_event_once(cloud: Cloud, how: str) -> None:
    clicks = Clicks(cloud, shards=2)
    clicks.collect()
    seen, number = list[int](), 0
    for hour in range(5):
        for _ in range(20):
            clicks.send({"id": number}, key=str(number))
            number += 1
        if hour in (1, 2):
            shards = KINESIS.open_shards(clicks.arn)
            if how == "split":
                KINESIS.split(clicks.arn, shards[0])
            elif len(shards) > 1:
                KINESIS.merge(clicks.arn, shards[0], shards[1])
        seen += clicks.ids()
    for _ in range(3):
        seen += clicks.ids()
    assert sorted(seen) == list(range(number))


def test_an_append_that_is_run_again_is_refused_where_its_events_are_deleted(clicks: Clicks) -> None:
    clicks.collect()
    start = clicks.at - timedelta(minutes=20)
    clicks.send({"id": 1})
    clicks.send({"id": 2})
    clicks.run()
    again = clicks.cloud.event(FLOW, rerun=True, interval=Interval(start, start + HOUR))
    run_batch(clicks.steps(), again)
    assert sorted(row["id"] for row in clicks.rows()) == [1, 2]
    KINESIS.trim(clicks.arn, start + HOUR)
    error = run_batch(clicks.steps(), again, record_errors=True).errors[DATASET]
    assert isinstance(error, DefinitionError) and "its rows would be lost" in str(error)


def test_events_that_are_deleted_between_plan_and_extract_are_told_by_the_next_plan(clicks: Clicks) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    clicks.run()
    clicks.send({"id": 2})
    steps, event = clicks.steps(), clicks.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    KINESIS.trim(clicks.arn, NOW + HOUR)
    with pytest.raises(RetryLater, match="the batch is planned again"):
        steps.extract({**state, "part": 0}, FakeContext())
    clicks.cloud.clock.advance(hours=30)
    assert "may be lost: the stream keeps them for 24 hours" in clicks.refusal()
    clicks.cloud.clock.advance(hours=1)
    clicks.collect(options={"gap": "skip"})
    assert clicks.ids() == []


# -- what Kinesis refuses


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException"])
@pytest.mark.parametrize("operation", ["ListShards", "DescribeStreamSummary", "GetShardIterator", "GetRecords"])
def test_what_is_throttled_is_waited_for(clicks: Clicks, operation: str, code: str) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    KINESIS.failing[operation] = [code] * 5
    assert clicks.ids() == [1] and KINESIS.failing[operation] == []


def test_a_shard_that_throttles_until_the_deadline_is_gone_on_with_by_the_next_call(clicks: Clicks) -> None:
    clicks.collect()
    for number in range(1000):
        clicks.send({"id": number})
    steps, event = clicks.steps(), clicks.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    KINESIS.failing["GetRecords"] = ["ProvisionedThroughputExceededException"]
    first = steps.extract({**state, "part": 0}, FakeContext(5))
    assert not first["done"]
    for _ in range(5):
        first = steps.extract({**state, "part": 0}, FakeContext(5))
        if first["done"]:
            break
    steps.commit(state, FakeContext())
    assert sorted(row["id"] for row in clicks.rows()) == list(range(1000))


@pytest.mark.parametrize("at", range(6))
def test_an_iterator_that_expires_is_opened_again_where_it_stood(clicks: Clicks, at: int) -> None:
    clicks.collect()
    for number in range(1500):
        clicks.send({"id": number})
    steps, event = clicks.steps(), clicks.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    KINESIS.expire_at = KINESIS.calls["GetRecords"] + at
    steps.extract({**state, "part": 0}, FakeContext())
    steps.commit(state, FakeContext())
    assert sorted(row["id"] for row in clicks.rows()) == list(range(1500))


DENIED = {
    "GetRecords": "kinesis:GetRecords on arn:aws:kinesis:",
    "GetShardIterator": "kinesis:GetShardIterator on arn:aws:kinesis:",
    "ListShards": "kinesis:ListShards on arn:aws:kinesis:",
    "DescribeStreamSummary": "kinesis:DescribeStreamSummary on arn:aws:kinesis:",
}


@pytest.mark.security
@pytest.mark.parametrize("operation", DENIED)
def test_what_is_denied_is_named_with_what_to_do(clicks: Clicks, operation: str) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    KINESIS.failing[operation] = ["AccessDeniedException"]
    said = clicks.refusal()
    assert said.startswith("DefinitionError: connection site (program.sql:2:1): ")
    assert f"Kinesis denies {DENIED[operation]}" in said and "Remedy: " in said


@pytest.mark.security
def test_a_key_that_is_denied_is_told_from_the_stream(clicks: Clicks) -> None:
    clicks.collect()
    clicks.send({"id": 1})
    KINESIS.failing["GetRecords"] = ["KMSAccessDeniedException"]
    said = clicks.refusal()
    assert "is encrypted with is denied: KMSAccessDeniedException" in said and "`kms_key`" in said


@pytest.mark.parametrize(
    ("key", "given", "warned"), [("alias/aws/kinesis", "", False), (KEY, "", True), (KEY, KEY, False), ("", "", False)]
)
def test_discover_tells_of_a_key_that_the_connection_does_not_name(clicks: Clicks, key: str, given: str, warned: bool) -> None:
    KINESIS.streams[clicks.arn].key = key
    options = {"streams": clicks.arn, **({"kms_key": given} if given else {})}
    client = clicks.cloud.session.client("kinesis")
    source = KinesisSource(Connection("site", "kinesis", options, HERE), clicks.cloud.session, lambda _: client, clicks.cloud.clock)
    assert isinstance(source, Warns)
    for tables in (None, [clicks.name]):
        assert set(source.warnings(tables)) == ({clicks.name} if warned else set())


def test_a_stream_that_the_connection_does_not_name_is_refused(clicks: Clicks) -> None:
    clicks.collect(options={"streams": arn("another")})
    assert f"the connection names no stream {clicks.name}" in clicks.refusal()


@pytest.mark.security
@pytest.mark.parametrize(
    "streams", ["arn:aws:kinesis:eu-central-1:111122223333:stream/*", "clicks", "", "arn:aws:kinesis:*:*:stream/a"]
)
def test_an_arn_with_a_wildcard_is_none(clicks: Clicks, streams: str) -> None:
    clicks.collect(options={"streams": streams})
    with pytest.raises(DefinitionError, match="`streams` takes the ARNs of streams"):
        clicks.run()


# -- what others met


def test_keys_are_columns_however_each_event_spells_them(clicks: Clicks) -> None:
    """duckdb/duckdb#7956, SQLMesh/sqlmesh#5171: `Id` beside `id` was a column of nulls."""
    clicks.collect(columns=(Column("id", "id"), Column("name", '"Name"')), filter="kind = 'x'")
    for event in ({"id": 1, "Name": "a", "kind": "x"}, {"ID": 2, "NAME": "b", "Kind": "x"}, {"Id": 3, "KIND": "x"}, {"id": 4}):
        clicks.send(event)
    clicks.run()
    assert sorted((row["id"], row["name"]) for row in clicks.rows()) == [(1, "a"), (2, "b"), (3, None)]


def test_an_event_that_has_a_key_twice_is_told_and_one_that_is_not_read_does_not_matter(clicks: Clicks) -> None:
    """duckdb/duckdb#6722: which of two values is meant nobody can tell."""
    clicks.collect(columns=(Column("id", "id"),), casts={"id": "long"}, bad_rows=BadRows(2))
    for data in (b'{"id": 1, "id": 2}', b'{"id": 3, "ID": 4}', b'{"id": 5, "x": 1, "x": 2}'):
        clicks.send(data)
    clicks.run()
    assert [row["id"] for row in clicks.rows()] == [5]
    assert [row["reason"].partition(": ")[2] for row in clicks.rejected()] == ["has a key twice"] * 2


def test_events_with_a_null_key_do_not_become_one(clicks: Clicks) -> None:
    clicks.collect(Mode.MERGE, cursor="_sequence_number", casts={"id": "long"}, bad_rows=BadRows(2))
    for event in ({"id": 1}, {"id": None, "x": 1}, {"x": 2}):
        clicks.send(event)
    clicks.run()
    assert [row["id"] for row in clicks.rows()] == [1]
    assert [row["reason"].partition(": ")[2] for row in clicks.rejected()] == ["id is null, or no long"] * 2
