"""Serves a cluster over TCP, in threads of the process that asks for it; with TLS where it is given a certificate."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doubles.kafka.broker import NAMES, Conversation, HangUp, Rules
from doubles.kafka.cluster import Cluster
from doubles.kafka.sasl import Users


class Kafka:
    """A cluster of one broker.  users: None where nobody has to sign in.  address: 'host:port'."""

    def __init__(self, users: Users | None = None, tls: tuple[Path, Path] | None = None, host: str = "127.0.0.1") -> None:
        self.cluster, self.users, self.rules, self.calls = Cluster(), users, Rules(), Counter[str]()
        self._server = _Server((host, 0), _handler(self, _context(tls)))
        self._host = host
        self._server.at = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="kafka", daemon=True
        )
        self._server.at.start()

    @property
    def address(self) -> str:
        return f"{self._host}:{self._server.server_address[1]}"

    def conversation(self) -> Conversation:
        host, _, port = self.address.rpartition(":")
        return Conversation(self.cluster, self.users, self.rules, (host, int(port)))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64
    at: threading.Thread


@contextmanager
def served(users: Users | None = None, tls: tuple[Path, Path] | None = None) -> Iterator[Kafka]:
    """tls: files of the certificate and of its key."""
    made = Kafka(users, tls)
    try:
        yield made
    finally:
        made.close()


def _context(tls: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    return context


def _handler(kafka: Kafka, context: ssl.SSLContext | None) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, HangUp, ValueError):
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(context.wrap_socket(self.request, server_side=True) if context else self.request)

        def _talk(self, peer: socket.socket) -> None:
            conversation = kafka.conversation()
            while head := self._read(peer, 4):
                message = self._read(peer, struct.unpack(">i", head)[0])
                kafka.calls[NAMES.get(struct.unpack(">h", message[:2])[0], "")] += 1
                answer = conversation.answer(message)
                peer.sendall(struct.pack(">i", len(answer)) + answer)

        def _read(self, peer: socket.socket, size: int) -> bytes:
            """b'' where the client is gone."""
            found = bytearray()
            while len(found) < size:
                some = peer.recv(min(size - len(found), 1 << 20))
                if not some:
                    return b""
                found += some
            return bytes(found)

    return Handler
