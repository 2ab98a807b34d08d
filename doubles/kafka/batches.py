"""Batches of records as they lie in a log and go over the wire: https://kafka.apache.org/documentation/#recordbatch."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from doubles.kafka import wire

APPEND_TIME, TRANSACTIONAL, CONTROL, CODECS = 0x08, 0x10, 0x20, 0x07
ABORT, COMMIT = 0, 1
_HEAD = struct.Struct(">qiibIhiqqqhii")  # up to the number of records
_BEFORE_CHECKED = 21  # bytes: of what comes behind them the checksum is
_POLYNOMIAL = 0x82F63B78  # of CRC-32C
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Record:
    """at_ms: since 1970."""

    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True)
class Batch:
    """base, last: offsets; `last` stays when compaction takes the last record.  records: empty where they came compressed.

    raw: as a client sent it, where that was compressed.
    """

    base: int
    last: int
    records: tuple[Record, ...]
    attributes: int = 0
    producer: int = -1
    at_ms: int = -1
    raw: bytes = b""

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @cached_property
    def encoded(self) -> bytes:
        if self.raw:
            return struct.pack(">q", self.base) + self.raw[8:]
        first = self.records[0].at_ms if self.records else self.at_ms
        newest = max((record.at_ms for record in self.records), default=self.at_ms)
        body = b"".join(_encoded(record, self.base, first) for record in self.records)
        return _whole(self, first, newest, len(self.records), body)

    def kept(self, records: Sequence[Record]) -> Batch:
        """With some of its records only."""
        return replace(self, records=tuple(records))


def sent(data: bytes, base: int, append_ms: int | None) -> Batch:
    """A batch that a client has sent, at the offset that it is given.  append_ms: the broker's time, where that counts."""
    head = _HEAD.unpack(data[: _HEAD.size])
    attributes, delta, first, newest, producer, count = head[5], head[6], head[7], head[8], head[9], head[12]
    if attributes & CODECS:
        return Batch(base, base + delta, (), attributes, producer, newest, data)
    reader, records = wire.Reader(data[_HEAD.size :]), list[Record]()
    for _ in range(count):
        reader.varint()
        reader.int8()
        at, offset = first + reader.varint(), base + reader.varint()
        key, value = _optional(reader), _optional(reader)
        headers = tuple((_text(reader), _optional(reader)) for _ in range(reader.varint()))
        records.append(Record(offset, at if append_ms is None else append_ms, key, value, headers))
    attributes |= APPEND_TIME if append_ms is not None else 0
    return Batch(base, base + delta, tuple(records), attributes, producer, newest if append_ms is None else append_ms)


def control(offset: int, kind: int, producer: int, at_ms: int) -> Batch:
    """The record by which a transaction ends."""
    record = Record(offset, at_ms, wire.int16(0) + wire.int16(kind), wire.int16(0) + wire.int32(0))
    return Batch(offset, offset, (record,), TRANSACTIONAL | CONTROL, producer, at_ms)


def _whole(batch: Batch, first: int, newest: int, count: int, body: bytes) -> bytes:
    delta = batch.last - batch.base
    checked = struct.pack(">hiqqqhii", batch.attributes, delta, first, newest, batch.producer, 0, -1, count) + body
    length = _BEFORE_CHECKED - 12 + len(checked)
    return struct.pack(">qiibI", batch.base, length, 0, 2, crc32c(checked)) + checked


def _encoded(record: Record, base: int, first: int) -> bytes:
    body = wire.int8(0) + wire.varint(record.at_ms - first) + wire.varint(record.offset - base)
    body += _bytes(record.key) + _bytes(record.value) + wire.varint(len(record.headers))
    body += b"".join(_bytes(name.encode()) + _bytes(value) for name, value in record.headers)
    return wire.varint(len(body)) + body


def _bytes(value: bytes | None) -> bytes:
    return wire.varint(-1) if value is None else wire.varint(len(value)) + value


def _optional(reader: wire.Reader) -> bytes | None:
    size = reader.varint()
    return None if size < 0 else reader.take(size)


def _text(reader: wire.Reader) -> str:
    return (_optional(reader) or b"").decode()


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720, appendix B.4."""
    found = 0xFFFFFFFF
    for byte in data:
        found = _TABLE[(found ^ byte) & 0xFF] ^ (found >> 8)
    return found ^ 0xFFFFFFFF
