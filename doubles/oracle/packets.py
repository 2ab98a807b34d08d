"""Packets of TNS: how a message is sent in as many of them as it needs, and put together again."""

from __future__ import annotations

import socketserver
import struct

UNIT = 8192  # bytes of a packet
CONNECT, ACCEPT, REFUSE, DATA, MARKER = 1, 2, 4, 6, 12


class Packets(socketserver.BaseRequestHandler):
    """A client's connection. wide: lengths have four bytes, as they do once it is accepted."""

    wide = False

    def packet(self) -> tuple[int, bytes]:
        head = self._exactly(8)
        size = struct.unpack(">I", head[:4])[0] if self.wide else struct.unpack(">H", head[:2])[0]
        return head[4], self._exactly(size - 8)

    def _exactly(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            more = self.request.recv(length - len(found))
            if not more:
                raise ConnectionError
            found += more
        return found

    def data(self) -> bytes:
        """A whole message, of as many packets as it has."""
        found = b""
        while True:
            kind, body = self.packet()
            if kind == MARKER:
                self.send(MARKER, b"\1\0\2")  # what was at work is broken off
                continue
            if kind != DATA or body[:2] == b"\0\x40":
                raise ConnectionError
            found += body[2:]
            if len(body) + 8 < UNIT:
                return found

    def send(self, kind: int, body: bytes) -> None:
        if kind != DATA:
            head = (
                struct.pack(">IBBH", len(body) + 8, kind, 0, 0) if self.wide else struct.pack(">HHBBH", len(body) + 8, 0, kind, 0, 0)
            )
            self.request.sendall(head + body)
            return
        for start in range(0, len(body), UNIT - 10):
            piece = body[start : start + UNIT - 10]
            self.request.sendall(struct.pack(">IBBH", len(piece) + 10, DATA, 0, 0) + b"\0\0" + piece)
