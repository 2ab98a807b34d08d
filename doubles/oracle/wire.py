"""How a message of the protocol is read and written: numbers by their length, bytes in chunks, texts with theirs."""

from __future__ import annotations

_LONG, _CHUNK, _SHORT = 254, 32_767, 252


class Reader:
    def __init__(self, message: bytes) -> None:
        self._message, self._at = message, 0

    def raw(self, length: int) -> bytes:
        self._at += length
        return self._message[self._at - length : self._at]

    def byte(self) -> int:
        return self.raw(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.raw(self.byte() & 0x7F), "big")

    def skip_numbers(self, count: int) -> None:
        for _ in range(count):
            self.number()

    def value(self) -> bytes | None:
        """A column's or a bind's value; None for NULL."""
        length = self.byte()
        if length in (0, 255):
            return None
        if length != _LONG:
            return self.raw(length)
        found = b""
        while size := self.number():
            found += self.raw(size)
        return found

    def text(self) -> str:
        """A text whose length stands before it."""
        return (self.value() or b"").decode(errors="replace") if self.number() else ""


class Writer:
    def __init__(self) -> None:
        self.message = bytearray()

    def byte(self, *values: int) -> Writer:
        self.message += bytes(values)
        return self

    def number(self, *values: int) -> Writer:
        for value in values:
            length = (value.bit_length() + 7) // 8
            self.message.append(length)
            self.message += value.to_bytes(length, "big")
        return self

    def value(self, value: bytes | None) -> Writer:
        if value is None:
            return self.byte(0)
        if len(value) <= _SHORT:
            self.byte(len(value))
            self.message += value
            return self
        self.byte(_LONG)
        for start in range(0, len(value), _CHUNK):
            piece = value[start : start + _CHUNK]
            self.number(len(piece))
            self.message += piece
        return self.byte(0)

    def text(self, text: str) -> Writer:
        encoded = text.encode()
        self.number(len(encoded))
        return self.value(encoded) if encoded else self
