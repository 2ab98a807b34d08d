"""What batches take of a stream, against a model: whatever came in whatever order of times, was split, merged and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.errors import DefinitionError
from slices.collect.kinesis.cutting import Cutting
from slices.collect.kinesis.positions import END, START, Position, Range, Shard, parents_first, read_cursor, written
from slices.collect.kinesis.streams import Stream
from tests.memory.clients import QuickSession
from tests.memory.kinesis import MemoryKinesis

ARN, BEGIN = "arn:aws:kinesis:eu-central-1:111122223333:stream/clicks", datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
_SERVICE: dict[str, Any] = {"kinesis": MemoryKinesis()}
_SESSION = QuickSession(_SERVICE, region_name="eu-central-1")
# Of an hour: events by key and minute, which need not rise and may lie in the hour before or after; then what is done to the shards.
Events = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(-20, 80)), max_size=12)
Hours = st.lists(st.tuples(Events, st.sampled_from(["", "split", "merge", "both"]), Events), min_size=1, max_size=6)


class Clicks:
    """A stream of some shards, and a client of it."""

    def __init__(self, shards: int = 2, hours: int = 24) -> None:
        self.memory = _SERVICE["kinesis"] = MemoryKinesis()
        self.memory.make(ARN, shards, hours)
        self.stream = Stream(_SESSION.client("kinesis"), ARN, "program.sql:2:1", sleep=lambda _: None)
        self.sent = list[str]()

    def send(self, events: Sequence[tuple[str, int]], hour: int = 0) -> None:
        for key, minute in events:
            moment = BEGIN + hour * HOUR + timedelta(minutes=minute)
            self.sent.append(self.memory.put(ARN, key, b"{}", moment))

    def reshard(self, how: str, number: int = 0) -> None:
        shards = self.memory.open_shards(ARN)
        if how in ("split", "both"):
            self.memory.split(ARN, shards[number % len(shards)])
        shards = sorted(self.memory.open_shards(ARN), key=lambda name: self.memory.streams[ARN].shards[name].low)
        if how in ("merge", "both") and len(shards) > 1:
            self.memory.merge(ARN, shards[0], shards[1])

    def cut(self, known: Mapping[str, Position], hour: int, *, first: bool = False, skip: bool = False) -> Any:
        start, end = BEGIN + hour * HOUR, BEGIN + (hour + 1) * HOUR
        return Cutting(self.stream, end, None if first else start, end, "program.sql:5:1", skip=skip).ranges(known)

    def read(self, ranges: Sequence[Range]) -> list[str]:
        """The events of ranges, as they stand in the shards."""
        found = []
        for one in ranges:
            for record in self.memory.streams[ARN].shards[one.shard].kept:
                number = record["SequenceNumber"]
                if one.ends.is_past(number) and not one.begins.is_past(number):
                    found.append(number)
        return found


@settings(max_examples=300, suppress_health_check=[*HealthCheck], deadline=None)
@given(hours=Hours, page=st.sampled_from([1, 2, 400]))
def test_each_event_is_of_one_batch_whatever_is_split_and_merged_and_however_times_run(hours: Any, page: int) -> None:
    clicks, known, taken = Clicks(), dict[str, Position](), list[str]()
    clicks.memory.page = page
    for hour, (before, how, after) in enumerate(hours):
        clicks.send(before, hour)
        clicks.reshard(how, hour)
        clicks.send(after, hour)
        ranges, known = clicks.cut(known, hour, first=hour == 0)
        known = read_cursor(written(known))
        assert_parents_first(clicks, known)
        taken += clicks.read(ranges)
    for hour in range(len(hours), len(hours) + 8):  # the parents first, then what they became
        ranges, known = clicks.cut(known, hour)
        taken += clicks.read(ranges)
    assert len(taken) == len(set(taken)) and set(taken) == set(clicks.sent)


def assert_parents_first(clicks: Clicks, known: Mapping[str, Position]) -> None:
    for name, shard in clicks.memory.streams[ARN].shards.items():
        assert known[name] == START or all(known[parent] == END for parent in shard.parents)


def test_a_batch_ends_before_the_first_event_of_the_next_interval() -> None:
    clicks = Clicks(shards=1)
    clicks.send([("a", 10), ("b", 59), ("c", 60), ("d", 40), ("e", 70)])
    (one,), known = clicks.cut({}, 0, first=True)
    assert clicks.read([one]) == clicks.sent[:2] and known == {one.shard: Position("at", clicks.sent[2])}
    (one,), _ = clicks.cut(known, 1)
    assert clicks.read([one]) == clicks.sent[2:]


@pytest.mark.parametrize("after", [0, 3])
def test_the_end_of_a_long_batch_is_found_by_time_and_not_by_reading_it(after: int) -> None:
    clicks = Clicks(shards=1)
    clicks.send([("a", number // 1000) for number in range(50_000)])
    clicks.send([("a", 61)] * after)
    (one,), known = clicks.cut({}, 0, first=True)
    assert len(clicks.read([one])) == 50_000
    assert known[one.shard] == (Position("at", clicks.sent[50_000]) if after else Position("after", clicks.sent[-1]))
    assert sum(clicks.memory.calls.values()) < 80


def test_a_stream_that_stands_still_is_asked_twice_a_shard_and_gives_nothing() -> None:
    clicks = Clicks(shards=1)
    clicks.send([("a", 10)])
    _, known = clicks.cut({}, 0, first=True)
    clicks.memory.calls.clear()
    assert clicks.cut(known, 1) == ([], known)
    assert clicks.memory.calls == {"ListShards": 1, "GetShardIterator": 1, "GetRecords": 2}


# -- what retention deletes


def test_what_was_deleted_before_it_was_collected_is_told_with_its_shard_and_span() -> None:
    clicks = Clicks(shards=1, hours=24)
    clicks.send([("a", 10), ("a", 70), ("a", 80)])
    _, known = clicks.cut({}, 0, first=True)
    clicks.memory.trim(ARN, BEGIN + timedelta(minutes=75))
    late = Cutting(clicks.stream, BEGIN + 2 * HOUR, BEGIN + HOUR, BEGIN + 26 * HOUR, "program.sql:5:1", skip=False)
    with pytest.raises(DefinitionError) as caught:
        late.ranges(known)
    said = str(caught.value)
    assert "clicks, shardId-000000000000, that arrived from 2026-03-01T01:00:00Z to 2026-03-01T02:00:00Z may be lost" in said
    assert "gap = 'skip'" in said and "24 hours" in said
    skipping = Cutting(clicks.stream, BEGIN + 2 * HOUR, BEGIN + HOUR, BEGIN + 26 * HOUR, "", skip=True)
    ranges, _ = skipping.ranges(known)
    assert [one.begins for one in ranges] == [START]


def test_a_stream_that_stood_still_for_longer_than_it_keeps_events_has_lost_none() -> None:
    clicks = Clicks(shards=1, hours=24)
    clicks.send([("a", 10)])
    _, known = clicks.cut({}, 0, first=True)
    clicks.memory.trim(ARN, BEGIN + 30 * HOUR)
    clicks.send([("b", 10)], 47)
    ranges, known = clicks.cut(known, 47)
    assert [(one.begins, clicks.read([one])) for one in ranges] == [(START, clicks.sent[1:])]
    assert clicks.cut(known, 48) == ([], known)


def test_a_shard_that_was_closed_and_is_forgotten_has_lost_none_where_it_was_read_to_its_end() -> None:
    clicks = Clicks(shards=1, hours=24)
    clicks.send([("a", 10)])
    clicks.reshard("split")
    _, known = clicks.cut({}, 0, first=True)
    clicks.memory.trim(ARN, BEGIN + 30 * HOUR)
    assert len(clicks.memory.streams[ARN].shards) == 2
    ranges, known = clicks.cut(known, 60)
    assert ranges == [] and set(known) == set(clicks.memory.streams[ARN].shards)


def test_a_shard_that_is_forgotten_with_events_that_were_not_read_is_told() -> None:
    clicks = Clicks(shards=1, hours=24)
    clicks.send([("a", 10)])
    _, known = clicks.cut({}, 0, first=True)
    clicks.send([("a", 70)])
    clicks.reshard("split")
    clicks.memory.trim(ARN, BEGIN + 30 * HOUR)
    late = Cutting(clicks.stream, BEGIN + 2 * HOUR, BEGIN + HOUR, BEGIN + 40 * HOUR, "", skip=False)
    with pytest.raises(DefinitionError, match="shardId-000000000000"):
        late.ranges(known)


def test_an_interval_of_the_past_is_what_arrived_in_it_and_refused_where_that_is_deleted() -> None:
    clicks = Clicks(shards=2, hours=24)
    clicks.send([(key, minute) for minute in range(0, 180, 7) for key in "abcd"])
    found = Cutting(clicks.stream, BEGIN + 2 * HOUR, None, BEGIN + 3 * HOUR, "", skip=False).between(BEGIN + HOUR)
    records = [one for shard in clicks.memory.streams[ARN].shards.values() for one in shard.records]
    wanted = {one["SequenceNumber"] for one in records if BEGIN + HOUR <= one["ApproximateArrivalTimestamp"] < BEGIN + 2 * HOUR}
    assert set(clicks.read(found)) == wanted and len(clicks.read(found)) == len(wanted)
    with pytest.raises(DefinitionError, match="may be lost"):
        Cutting(clicks.stream, BEGIN + 2 * HOUR, None, BEGIN + 26 * HOUR, "", skip=False).between(BEGIN + HOUR)


def test_parents_stand_before_what_they_became() -> None:
    shards = [Shard("3", ("1", "2")), Shard("2", ("0",)), Shard("1", ("0", "gone")), Shard("0")]
    assert [shard.id for shard in parents_first(shards)] == ["0", "1", "2", "3"]
