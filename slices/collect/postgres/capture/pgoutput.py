"""Decodes pgoutput, version 1 of its protocol: what transactions have done to one table; no I/O.

A slot is decoded from its beginning whenever it is looked at, so no state outlives a decoder. Values come as PostgreSQL's own text.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from systems.sql_source.capture.changes import Change, Values

BEGIN, RELATION, INSERT, UPDATE, DELETE, TRUNCATE = b"BRIUDT"
_KEY, _OLD, _NEW = b"KON"
_NULL, _UNCHANGED, _TEXT = b"nut"


class Decoder:
    """Decodes the messages of one table in their order.

    oid: the table's.  since, until: of transactions, as `lsn_of` has them.  commit: where that of the transaction at work begins.
    """

    def __init__(self, oid: int, since: int, until: int) -> None:
        self._oid, self._since, self._until = oid, since, until
        self._columns: Sequence[str] = ()
        self._within = False
        self.commit = 0

    def changes(self, message: bytes) -> Iterator[Change]:
        """Those of one message, of transactions whose commit begins in [since, until)."""
        kind = message[0]
        if kind == BEGIN:
            (self.commit,) = struct.unpack_from(">Q", message, 1)
            self._within = self._since <= self.commit < self._until
        elif kind == TRUNCATE:
            count, _ = struct.unpack_from(">IB", message, 1)
            if self._within and self._oid in struct.unpack_from(f">{count}I", message, 6):
                yield Change(None, None)
        elif kind in (RELATION, INSERT, UPDATE, DELETE) and struct.unpack_from(">I", message, 1)[0] == self._oid:
            if kind == RELATION:
                self._columns = _columns(message)
            elif self._within:
                yield self._change(kind, message)

    def _change(self, kind: int, message: bytes) -> Change:
        at, before = 5, None
        if message[at] in (_KEY, _OLD):
            identity = message[at] == _KEY
            before, at = self._values(message, at + 1)
            if identity:  # the others are sent as null
                before = {name: value for name, value in before.items() if value is not None}
        if kind == DELETE:
            return Change(before, None)
        after, _ = self._values(message, at + 1)
        for name in self._columns if before and kind == UPDATE else ():
            if name not in after and before is not None and name in before:
                after[name] = before[name]  # kept out of line and not changed
        return Change(before, after)

    def _values(self, message: bytes, at: int) -> tuple[Values, int]:
        """A row's values, without those that are not told, and where the message goes on."""
        found: Values = {}
        at += 2
        for name in self._columns:
            told = message[at]
            at += 1
            if told == _TEXT:
                (length,) = struct.unpack_from(">I", message, at)
                at += 4
                found[name] = message[at : at + length].decode()
                at += length
            elif told == _NULL:
                found[name] = None
        return found, at


def _columns(message: bytes) -> list[str]:
    """The columns of a relation, in its order."""
    _, at = _text(message, 5)  # behind its number: schema and name
    _, at = _text(message, at)
    (count,) = struct.unpack_from(">H", message, at + 1)  # behind its replica identity
    at, found = at + 3, []
    for _ in range(count):
        name, at = _text(message, at + 1)  # behind whether it belongs to the identity
        at += 8  # its type and modifier
        found.append(name)
    return found


def _text(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(0, at)
    return message[at:end].decode(), end + 1


def lsn_of(text: str) -> int:
    """A place in the log, '16/B374D848', as a number."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_text(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
