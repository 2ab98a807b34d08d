"""The primitive types of Kafka's protocol: https://kafka.apache.org/protocol.html#protocol_types."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any


class Reader:
    """Takes values off a message, in their order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise ValueError("a message that ends too soon")
        self._at += size
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0]

    def int8(self) -> int:
        return int(self.number("b"))

    def int16(self) -> int:
        return int(self.number("h"))

    def int32(self) -> int:
        return int(self.number("i"))

    def int64(self) -> int:
        return int(self.number("q"))

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def varint(self) -> int:
        value = self.uvarint()
        return (value >> 1) ^ -(value & 1)

    def text(self) -> str:
        return self.take(self.int16()).decode()

    def optional_text(self) -> str | None:
        size = self.int16()
        return None if size < 0 else self.take(size).decode()

    def compact_text(self) -> str | None:
        size = self.uvarint()
        return None if size == 0 else self.take(size - 1).decode()

    def data(self) -> bytes:
        size = self.int32()
        return self.take(size) if size > 0 else b""

    def many(self, read: Callable[[], Any]) -> list[Any]:
        return [read() for _ in range(max(self.int32(), 0))]

    def compact_many(self, read: Callable[[], Any]) -> list[Any] | None:
        """None for no list, which is not an empty one."""
        size = self.uvarint()
        return None if size == 0 else [read() for _ in range(size - 1)]

    def tags(self) -> None:
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())

    @property
    def rest(self) -> bytes:
        return self._data[self._at :]


def int8(value: int) -> bytes:
    return struct.pack(">b", value)


def int16(value: int) -> bytes:
    return struct.pack(">h", value)


def int32(value: int) -> bytes:
    return struct.pack(">i", value)


def int64(value: int) -> bytes:
    return struct.pack(">q", value)


def uvarint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def varint(value: int) -> bytes:
    return uvarint((value << 1) ^ (value >> 63))


def text(value: str | None) -> bytes:
    return int16(-1) if value is None else int16(len(value.encode())) + value.encode()


def compact_text(value: str | None) -> bytes:
    return uvarint(0) if value is None else uvarint(len(value.encode()) + 1) + value.encode()


def data(value: bytes) -> bytes:
    return int32(len(value)) + value


def many(values: Iterable[bytes]) -> bytes:
    found = list(values)
    return int32(len(found)) + b"".join(found)


def compact_many(values: Iterable[bytes]) -> bytes:
    found = list(values)
    return uvarint(len(found) + 1) + b"".join(found)


NO_TAGS = uvarint(0)
