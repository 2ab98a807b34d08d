"""Unpacks events and writes them as lines that DuckDB reads; one that cannot be unpacked is a line too, with the reason."""

from __future__ import annotations

import base64
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from shared_metadata.contract.parquet.duckdb_session import literal
from slices.collect.kinesis.aggregated import MAGIC, apart
from slices.collect.kinesis.config import Config
from slices.collect.kinesis.positions import Shard

MOST_UNPACKED = 32 << 20  # bytes of one event; Kinesis takes 10 MB of it packed
_1970, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_COLUMNS = {"d": "VARCHAR", "w": "VARCHAR", "r": "VARCHAR", "k": "VARCHAR", "n": "VARCHAR", "s": "VARCHAR", "t": "BIGINT"}


class Event(NamedTuple):
    """text: what it says, or None with the reason why it says nothing, and then its bytes in base 64.

    key, sequence: of what the stream has as one event, or of one of those that the Kinesis Producer Library has packed into it.
    """

    key: str
    sequence: str
    text: str | None
    why: str | None = None
    raw: str | None = None


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
                    yield Event(one.partition_key, f"{sequence}.{number:06d}", *unpacked(one.data, compression))
            return
    yield Event(key, sequence, *unpacked(data, compression))


def unpacked(data: bytes, compression: str) -> tuple[str | None, str | None, str | None]:
    """Its text; or why it has none, and its bytes in base 64."""
    why = ""
    if compression == "gzip":
        data, why = _gunzipped(data)
    if not why:
        try:
            return data.decode(), None, None
        except UnicodeDecodeError:
            why = "is no text in UTF-8"
    return None, why, base64.b64encode(data).decode()


def _gunzipped(data: bytes) -> tuple[bytes, str]:
    """What is packed, of one or more members; or the data as it is, and why it cannot be."""
    found, left = bytearray(), data
    while left:
        unpacking = zlib.decompressobj(wbits=31)
        try:
            found += unpacking.decompress(left, MOST_UNPACKED + 1 - len(found))
        except zlib.error:
            return data, "is no gzip"
        if len(found) > MOST_UNPACKED:
            return data, f"has more than {MOST_UNPACKED >> 20} MB when it is unpacked"
        if not unpacking.eof:
            return data, "ends before its gzip does"
        left = unpacking.unused_data
    return bytes(found), ""


class Lines:
    """Events gathered in a file of the function's own, so that memory does not grow with them. A context manager."""

    def __init__(self, config: Config) -> None:
        self._compression = config.compression
        self._file = tempfile.NamedTemporaryFile(suffix=".jsonl")  # noqa: SIM115 - it ends with the lines
        self.count, self.bytes, self._longest = 0, 0, 0

    def add(self, shard: Shard, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            arrived = (record["ApproximateArrivalTimestamp"] - _1970) // _MILLISECOND
            for event in events(record, shard, self._compression):
                told = {"k": event.key, "n": event.sequence, "s": shard.id, "t": arrived}
                line = json.dumps({"d": event.text, "w": event.why, "r": event.raw, **told}).encode()
                self._file.write(line + b"\n")
                self.count, self.bytes, self._longest = self.count + 1, self.bytes + len(line), max(self._longest, len(line))

    def relation(self) -> str:
        """What stands in FROM: d, text; w, why there is none, and r, the bytes then; k, n, s, t as the stream tells of the event."""
        self._file.flush()
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
        form = f"format='newline_delimited', auto_detect=false, columns={{{columns}}}, compression='uncompressed'"
        return f"read_json({literal(self._file.name)}, {form}, maximum_object_size={max(self._longest + 1024, 1 << 20)})"

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.count = self.bytes = self._longest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
