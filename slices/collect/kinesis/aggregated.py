"""Takes apart what the Kinesis Producer Library has packed into one event; no library that does it is kept any more.

Four bytes, a message of Protocol Buffers, its MD5: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST = 16
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # https://protobuf.dev/programming-guides/encoding/


class Packed(NamedTuple):
    """One of the events. hashed: which shard it was meant for, by its key or by the hash that was sent with it."""

    partition_key: str
    hashed: int
    data: bytes


def apart(aggregate: bytes) -> list[Packed]:
    """The events in their order. Raises ValueError for what is none of the library's after all."""
    message, digest = aggregate[len(MAGIC) : -_DIGEST], aggregate[-_DIGEST:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise ValueError("another digest")
    keys, hashes, records = list[str](), list[int](), list[bytes]()
    for field, value in _fields(message):
        if isinstance(value, bytes) and field == 1:
            keys.append(value.decode())
        elif isinstance(value, bytes) and field == 2:
            hashes.append(int(value))
        elif isinstance(value, bytes) and field == 3:
            records.append(value)
    return [_packed(record, keys, hashes) for record in records]


def _packed(record: bytes, keys: list[str], hashes: list[int]) -> Packed:
    found = dict(_fields(record))
    key, data, explicit = keys[_number(found.get(1, 0))], found.get(3, b""), found.get(2)
    hashed = hash_of(key) if explicit is None else hashes[_number(explicit)]
    if not isinstance(data, bytes):
        raise ValueError("data that is none")
    return Packed(key, hashed, data)


def hash_of(partition_key: str) -> int:
    """The number by which a key belongs to a shard."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a number that is none")
    return value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field, in their order."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size, at = _varint(message, at) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}.get(kind, -1), at)
        if size < 0 or at + size > len(message):
            raise ValueError("a field that is none")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number there, and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")
