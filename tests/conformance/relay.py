"""What stands between a client and a server, and hangs up when it is time; what they say is nothing to it, and may be encrypted."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
# When it hangs up: before the server hears what it is asked, after its answer, which is not passed on, or within its answer.
KINDS = ("hung up before", "hung up after", "cut off")
_AT_ONCE = 1 << 16


class Relay:
    """Hangs up at the `at`-th thing that a server is asked over all connections, and counts them all.

    port: the server's, of this machine; its own is `self.port`.
    """

    def __init__(self, port: int) -> None:
        self.asked, self.at, self.kind, self.broke = 0, -1, "", False
        self._server, self._lock = port, threading.Lock()
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, at: int, kind: str) -> None:
        with self._lock:
            self.asked, self.at, self.kind, self.broke = 0, at, kind, False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def breaks(self) -> bool:
        """Whether it is now, as a client asks."""
        with self._lock:
            self.asked += 1
            now = self.asked - 1 == self.at and self.kind in KINDS
            self.broke = self.broke or now
            return now

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOOPBACK, self._server))
            except OSError:
                client.close()
                continue
            _Connection(self, client, server).start()


class _Connection:
    """One client's. ends: how, when the server answers next; '' for not then."""

    def __init__(self, relay: Relay, client: socket.socket, server: socket.socket) -> None:
        self._relay, self._client, self._server = relay, client, server
        self._asking, self._ends = False, ""

    def start(self) -> None:
        for pump in (self._from_client, self._from_server):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def _run(self, pump: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            pump()
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _from_client(self) -> None:
        """What follows before an answer is of the same question."""
        while some := self._client.recv(_AT_ONCE):
            if not self._asking and self._relay.breaks():
                if self._relay.kind == KINDS[0]:
                    return
                self._ends = self._relay.kind
            self._asking = True
            self._server.sendall(some)

    def _from_server(self) -> None:
        while some := self._server.recv(_AT_ONCE):
            if self._ends:
                self._client.sendall(some[: len(some) // 2] if self._ends == KINDS[2] else b"")
                return
            self._asking = False
            self._client.sendall(some)
