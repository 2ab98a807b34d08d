"""Kinesis in memory, and the embedded AWS with what it keeps of shards that are split and merged, by one suite."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.memory.clients import QuickSession
from tests.memory.kinesis import MemoryKinesis, arn

MIDDLE = str(2**127)


class KinesisBehaviour:
    @pytest.fixture
    def stream(self, kinesis: Any, of: Any) -> str:
        name = f"clicks-{uuid.uuid4().hex[:8]}"
        kinesis.create_stream(StreamName=name, ShardCount=1)
        return str(of(name))

    def put(self, kinesis: Any, stream: str, *data: str) -> list[str]:
        sent = (kinesis.put_record(StreamARN=stream, PartitionKey=one, Data=one.encode()) for one in data)
        return [answer["SequenceNumber"] for answer in sent]

    def shards(self, kinesis: Any, stream: str) -> dict[str, Any]:
        found, asked = dict[str, Any](), {"StreamARN": stream}
        while asked:
            answer = kinesis.list_shards(**asked)
            found |= {shard["ShardId"]: shard for shard in answer["Shards"]}
            asked = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}
        return found

    def read(self, kinesis: Any, stream: str, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> tuple[list[str], bool]:
        """The events from there on, and whether the shard has ended with them."""
        asked = {"StreamARN": stream, "ShardId": shard, "ShardIteratorType": kind, **more}
        iterator, found = kinesis.get_shard_iterator(**asked)["ShardIterator"], list[str]()
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            found += [record["Data"].decode() for record in answer["Records"]]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"]:
                return found, not iterator
        return found, True

    def test_reading_begins_at_an_event_after_it_or_with_a_moment(self, kinesis: Any, stream: str) -> None:
        (shard,) = self.shards(kinesis, stream)
        numbers = self.put(kinesis, stream, "a", "b", "c")
        assert sorted(numbers, key=int) == numbers
        asked = {"StartingSequenceNumber": numbers[1]}
        assert self.read(kinesis, stream, shard) == (["a", "b", "c"], False)
        assert self.read(kinesis, stream, shard, "AT_SEQUENCE_NUMBER", **asked) == (["b", "c"], False)
        assert self.read(kinesis, stream, shard, "AFTER_SEQUENCE_NUMBER", **asked) == (["c"], False)
        before, after = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
        assert self.read(kinesis, stream, shard, "AT_TIMESTAMP", Timestamp=before) == (["a", "b", "c"], False)
        assert self.read(kinesis, stream, shard, "AT_TIMESTAMP", Timestamp=after) == ([], False)

    def test_a_shard_that_is_split_is_read_to_its_end_and_told_as_the_parent_of_two(self, kinesis: Any, stream: str) -> None:
        (parent,) = self.shards(kinesis, stream)
        self.put(kinesis, stream, "a", "b")
        kinesis.split_shard(StreamARN=stream, ShardToSplit=parent, NewStartingHashKey=MIDDLE)
        after = self.put(kinesis, stream, *"cdefgh")
        shards = self.shards(kinesis, stream)
        one, other = (shard for shard in shards if shard != parent)
        assert (shards[one]["ParentShardId"], shards[other]["ParentShardId"]) == (parent, parent)
        assert shards[parent]["SequenceNumberRange"]["EndingSequenceNumber"] and "EndingSequenceNumber" not in str(shards[one])
        assert self.read(kinesis, stream, parent) == (["a", "b"], True)
        found = [self.read(kinesis, stream, shard) for shard in (one, other)]
        assert sorted(data for data, _ in found for data in data) == list("cdefgh") and not any(ended for _, ended in found)
        kinesis.merge_shards(StreamARN=stream, ShardToMerge=one, AdjacentShardToMerge=other)
        (merged,) = (name for name in self.shards(kinesis, stream) if name not in (parent, one, other))
        told = self.shards(kinesis, stream)[merged]
        assert {told["ParentShardId"], told["AdjacentParentShardId"]} == {one, other}
        self.put(kinesis, stream, "z")
        assert self.read(kinesis, stream, merged) == (["z"], False) and len(after) == 6
        assert all(self.read(kinesis, stream, shard)[1] for shard in (parent, one, other))
        summary = kinesis.describe_stream_summary(StreamARN=stream)["StreamDescriptionSummary"]
        assert summary["OpenShardCount"] == 1

    def test_what_is_not_there_is_told_by_its_code(self, kinesis: Any, stream: str) -> None:
        for asked in ({"StreamARN": f"{stream}-none", "ShardId": "shardId-000000000000"}, {"StreamARN": stream, "ShardId": "none"}):
            with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
                kinesis.get_shard_iterator(**asked, ShardIteratorType="TRIM_HORIZON")


class TestInMemory(KinesisBehaviour):
    @pytest.fixture
    def kinesis(self) -> Any:
        return QuickSession({"kinesis": MemoryKinesis()}, region_name="eu-central-1").client("kinesis")

    @pytest.fixture
    def of(self) -> Any:
        return arn


@pytest.mark.deep
@pytest.mark.xdist_group("emulator")
class TestOverTheEmulator(KinesisBehaviour):
    @pytest.fixture
    def kinesis(self, local_aws: EmbeddedAws) -> Any:
        return local_aws.session().client("kinesis")

    @pytest.fixture
    def of(self) -> Any:
        return lambda name: arn(name, "us-east-1", "000000000000")
