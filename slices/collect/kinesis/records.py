"""Takes the events out of what a stream has as one, and gathers them with what it tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from slices.collect.kinesis.aggregated import MAGIC, apart
from slices.collect.kinesis.positions import Shard
from systems.events.lines import Lines, Text, unpacked

_1970, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


class Event(NamedTuple):
    """key, sequence: of what the stream has as one event, or of one of those that the Kinesis Producer Library has packed into it."""

    key: str
    sequence: str
    text: Text


def events(record: Mapping[str, Any], shard: Shard, compression: str) -> Iterator[Event]:
    """What is in a record. Of several each has the record's sequence number and its own place, '….000003'.

    The library sends those again which have come to a shard that is not theirs, as happens after a split, so there they are left out:
    https://docs.aws.amazon.com/streams/latest/dev/kinesis-kpl-consumer-deaggregation.html
    """
    key, sequence, data = record["PartitionKey"], record["SequenceNumber"], record["Data"]
    if data.startswith(MAGIC):
        with suppress(ValueError, IndexError):  # of what only begins so
            for number, one in enumerate(apart(data)):
                if shard.low <= one.hashed <= shard.high:
                    yield Event(one.partition_key, f"{sequence}.{number:06d}", unpacked(one.data, compression))
            return
    yield Event(key, sequence, unpacked(data, compression))


def gather(lines: Lines, shard: Shard, records: Iterable[Mapping[str, Any]], compression: str) -> None:
    for record in records:
        arrived = (record["ApproximateArrivalTimestamp"] - _1970) // _MILLISECOND
        for event in events(record, shard, compression):
            lines.add(event.text, {"k": event.key, "n": event.sequence, "s": shard.id, "t": arrived})
