"""Kinesis in memory, as far as slices read it: shards that are split, merged and trimmed, and the moments that a test says.

What can be asked of the embedded AWS too is asked of both by the same suite (`test_kinesis.py`).
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.memory.dynamodb import refused

MOST_HASH = 2**128 - 1
PAGE = 400  # events of an answer, which may have fewer than are asked for


@dataclass
class Shard:
    """low, high: of the hashes of its keys.  trimmed: how many of its events are there no more.  open: it takes more."""

    low: int
    high: int
    parents: Sequence[str] = ()
    records: list[dict[str, Any]] = field(default_factory=list)
    trimmed: int = 0
    open: bool = True
    ended: str = ""

    @property
    def kept(self) -> list[dict[str, Any]]:
        return self.records[self.trimmed :]


@dataclass
class Stream:
    shards: dict[str, Shard]
    hours: int = 8760
    key: str = ""


def arn(stream: str, region: str = "eu-central-1", account: str = "111122223333") -> str:
    return f"arn:aws:kinesis:{region}:{account}:stream/{stream}"


class MemoryKinesis:
    """An account's streams by ARN: each operation by the name and with the parameters that boto3's client gives it.

    failing: operation ▸ codes of errors that its next calls end with.  calls: how often each was asked.  expire_at: of the calls of
    GetRecords the one that finds its iterator expired.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.streams: dict[str, Stream] = {}
        self.failing: dict[str, list[str]] = {}
        self.calls: dict[str, int] = {}
        self.page, self.expire_at = PAGE, 0
        self._iterators: dict[str, tuple[str, str, int]] = {}
        self._sequence = 49_590_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000

    # -- what a test does

    def make(self, arn: str, shards: int = 1, hours: int = 8760) -> None:
        size = (MOST_HASH + 1) // shards
        bounds = [(number * size, MOST_HASH if number == shards - 1 else (number + 1) * size - 1) for number in range(shards)]
        self.streams[arn] = Stream({f"shardId-{number:012d}": Shard(low, high) for number, (low, high) in enumerate(bounds)}, hours)

    def put(self, arn: str, key: str, data: bytes, at: datetime) -> str:
        number = int(hashlib.md5(key.encode()).hexdigest(), 16)
        shard = next(one for one in self.streams[arn].shards.values() if one.open and one.low <= number <= one.high)
        self._sequence += 7
        whole = at.replace(microsecond=at.microsecond // 1000 * 1000)
        record = {"SequenceNumber": str(self._sequence), "ApproximateArrivalTimestamp": whole, "Data": data, "PartitionKey": key}
        shard.records.append(record)
        return str(self._sequence)

    def split(self, arn: str, name: str) -> None:
        found = self._closed(arn, name)
        middle = (found.low + found.high) // 2
        self._add(arn, Shard(found.low, middle, (name,)), Shard(middle + 1, found.high, (name,)))

    def merge(self, arn: str, one: str, other: str) -> None:
        low, high = self._closed(arn, one), self._closed(arn, other)
        self._add(arn, Shard(min(low.low, high.low), max(low.high, high.high), (one, other)))

    def trim(self, arn: str, before: datetime) -> None:
        """As retention does; closed shards that are empty then are forgotten."""
        shards = self.streams[arn].shards
        for name, shard in list(shards.items()):
            while shard.trimmed < len(shard.records) and shard.records[shard.trimmed]["ApproximateArrivalTimestamp"] < before:
                shard.trimmed += 1
            if not shard.open and shard.trimmed == len(shard.records):
                del shards[name]

    def open_shards(self, arn: str) -> list[str]:
        return [name for name, shard in self.streams[arn].shards.items() if shard.open]

    # -- what a client asks

    def create_stream(self, *, StreamName: str, ShardCount: int) -> None:
        self.make(arn(StreamName), ShardCount)

    def put_record(self, *, StreamARN: str, PartitionKey: str, Data: bytes) -> dict[str, Any]:
        self._stream("PutRecord", StreamARN)
        return {"SequenceNumber": self.put(StreamARN, PartitionKey, Data, datetime.now(UTC))}

    def split_shard(self, *, StreamARN: str, ShardToSplit: str, NewStartingHashKey: str) -> None:
        """Right in the middle, wherever that is asked for."""
        self.split(StreamARN, ShardToSplit)

    def merge_shards(self, *, StreamARN: str, ShardToMerge: str, AdjacentShardToMerge: str) -> None:
        self.merge(StreamARN, ShardToMerge, AdjacentShardToMerge)

    def describe_stream_summary(self, *, StreamARN: str) -> dict[str, Any]:
        stream = self._stream("DescribeStreamSummary", StreamARN)
        return {
            "StreamDescriptionSummary": {
                "StreamName": StreamARN.rpartition("/")[2],
                "StreamARN": StreamARN,
                "StreamStatus": "ACTIVE",
                "RetentionPeriodHours": stream.hours,
                "StreamCreationTimestamp": datetime(2020, 1, 1, tzinfo=UTC),
                "EnhancedMonitoring": [],
                **({"KeyId": stream.key, "EncryptionType": "KMS"} if stream.key else {}),
                "OpenShardCount": len(self.open_shards(StreamARN)),
            }
        }

    def list_shards(self, *, StreamARN: str = "", NextToken: str = "") -> dict[str, Any]:
        """Three at once, so that a list has pages."""
        arn, _, after = NextToken.partition(" ") if NextToken else (StreamARN, "", "")
        names = sorted(name for name in self._stream("ListShards", arn).shards if name > after)
        told = [self._told(name, self.streams[arn].shards[name]) for name in names[:3]]
        return {"Shards": told, **({"NextToken": f"{arn} {names[2]}"} if len(names) > 3 else {})}

    def get_shard_iterator(
        self,
        *,
        StreamARN: str,
        ShardId: str,
        ShardIteratorType: str,
        StartingSequenceNumber: str = "",
        Timestamp: datetime | None = None,
    ) -> dict[str, Any]:
        shard = self._stream("GetShardIterator", StreamARN).shards.get(ShardId)
        if shard is None:
            raise refused("ResourceNotFoundException", "GetShardIterator")
        at, numbers = shard.trimmed, [record["SequenceNumber"] for record in shard.records]
        if ShardIteratorType.endswith("SEQUENCE_NUMBER"):
            if StartingSequenceNumber not in numbers[shard.trimmed :]:
                raise refused("InvalidArgumentException", "GetShardIterator")
            at = numbers.index(StartingSequenceNumber) + (ShardIteratorType == "AFTER_SEQUENCE_NUMBER")
        elif ShardIteratorType == "AT_TIMESTAMP":
            assert Timestamp is not None
            young = (n for n, one in enumerate(shard.records) if n >= at and one["ApproximateArrivalTimestamp"] >= Timestamp)
            at = next(young, len(shard.records))
        elif ShardIteratorType != "TRIM_HORIZON":
            at = len(shard.records)
        return {"ShardIterator": self._iterator(StreamARN, ShardId, at)}

    def get_records(self, *, ShardIterator: str, Limit: int = 10_000, StreamARN: str = "") -> dict[str, Any]:
        arn, name, at = self._iterators[ShardIterator]
        shard = self._stream("GetRecords", arn).shards.get(name)
        if shard is None:
            raise refused("ResourceNotFoundException", "GetRecords")
        if self.calls["GetRecords"] == self.expire_at:
            raise refused("ExpiredIteratorException", "GetRecords")
        at = max(at, shard.trimmed)
        ends = min(at + min(Limit, self.page), len(shard.records))
        found: dict[str, Any] = {"Records": [dict(record) for record in shard.records[at:ends]], "MillisBehindLatest": 0}
        if ends < len(shard.records):
            found["MillisBehindLatest"] = 1000
        if shard.open or ends < len(shard.records):
            found["NextShardIterator"] = self._iterator(arn, name, ends)
        return found

    # -- the pieces

    def _stream(self, operation: str, arn: str) -> Stream:
        self.calls[operation] = self.calls.get(operation, 0) + 1
        if self.failing.get(operation):
            raise refused(self.failing[operation].pop(0), operation)
        if arn not in self.streams:
            raise refused("ResourceNotFoundException", operation)
        return self.streams[arn]

    def _iterator(self, arn: str, shard: str, at: int) -> str:
        name = uuid.uuid4().hex
        self._iterators[name] = (arn, shard, at)
        return name

    def _closed(self, arn: str, name: str) -> Shard:
        shard = self.streams[arn].shards[name]
        self._sequence += 7
        shard.open, shard.ended = False, str(self._sequence)
        return shard

    def _add(self, arn: str, *shards: Shard) -> None:
        first = max(int(name.rpartition("-")[2]) for name in self.streams[arn].shards) + 1
        for number, shard in enumerate(shards, first):
            self.streams[arn].shards[f"shardId-{number:012d}"] = shard

    def _told(self, name: str, shard: Shard) -> dict[str, Any]:
        parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
        ending = {} if shard.open else {"EndingSequenceNumber": shard.ended}
        hashes = {"StartingHashKey": str(shard.low), "EndingHashKey": str(shard.high)}
        return {"ShardId": name, "HashKeyRange": hashes, "SequenceNumberRange": {"StartingSequenceNumber": "1", **ending}, **parents}
