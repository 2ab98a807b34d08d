"""A socket at which DuckDB finds sessions of ours, as if the server listened there.

DuckDB's mysql_scanner streams answers only over connections that it opens itself. These take no setting, no transaction and no
certificate, and it resets them after each answer. So it connects here: each connection is given a session that is settled, in the
transaction whose state it is to show; bytes go to and fro as they are, and what would reset or end the session stays here.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
"""

from __future__ import annotations

import contextlib
import queue
import re
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systems.mysql.sessions import number_of, version_of

if TYPE_CHECKING:
    from pymysql import Connection as Session

_AT_ONCE = 2**18  # bytes
_QUIT, _QUERY, _RESET = 0x01, 0x03, 0x1F  # commands
_OK = b"\x00\x00\x00\x02\x00\x00\x00"  # nothing changed, nothing to warn of, no transaction to speak of
_REFUSED = b"\xff" + struct.pack("<H", 1040) + b"#08004every session is lent"
# LONG_PASSWORD, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH; what PyMySQL
# has agreed on with the server for the session, and no more: the server answers in that way.
_CAPABILITIES = 0x01 | 0x04 | 0x08 | 0x200 | 0x2000 | 0x8000 | 0x20000 | 0x80000
_KILL = re.compile(rb"KILL QUERY (\d+)")


class Door:
    """Lends each of the sessions to one connection; `close` ends all of them.

    kill: ends what a session with this number is at. DuckDB asks for it, over a connection of its own, when it wants no more rows.
    """

    def __init__(self, sessions: Sequence[Session[Any]], kill: Callable[[int], None]) -> None:
        self._sessions, self._kill, self._closed = sessions, kill, False
        self._free: queue.SimpleQueue[Session[Any]] = queue.SimpleQueue()
        for session in sessions:
            self._free.put(session)
        self._folder = Path(tempfile.mkdtemp(prefix="atoll-door-"))  # no other user may enter it
        self.path = str(self._folder / "s")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen()
        self._sockets = [self._listening]
        self.broken = False  # a session has ended by itself
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        for each in (*self._sockets, *map(socket_of, self._sessions)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            try:
                session: Session[Any] | None = self._free.get_nowait()
            except queue.Empty:
                session = None
            some = session or self._sessions[0]
            client.sendall(_packet(0, _greeting(version_of(some), number_of(some))))
            commands = _Commands(client)
            commands.read()  # who it is: there is no other user
            client.sendall(_packet(2, _OK))
            if session is None:
                self._answer(client, commands)
            else:
                self._lend(client, commands, session)

    def _lend(self, client: socket.socket, commands: _Commands, session: Session[Any]) -> None:
        server = socket_of(session)
        buffered = getattr(server, "pending", lambda: 0)  # what a decrypted record still has
        while True:
            ready = [server] if buffered() else select.select([client, server], [], [])[0]
            if server in ready:
                answer = server.recv(_AT_ONCE)
                if not answer:
                    self.broken = True
                    return
                client.sendall(answer)
            elif not all(_passed_on(packet, client, server) for packet in commands.received()):
                return

    def _answer(self, client: socket.socket, commands: _Commands) -> None:
        """Answers a connection for which there is no session: the one that ends a query of another."""
        while True:
            command = commands.read()[4:]
            found = _KILL.search(command)
            if found:
                self._kill(int(found[1]))
            known = found or command[1:].startswith(b"SET ") or command[:1] == b"\x0e"
            if not command or command[0] == _QUIT:
                return
            client.sendall(_packet(1, _OK if known else _REFUSED))


class _Commands:
    """The packets that a client sends, whole."""

    def __init__(self, client: socket.socket) -> None:
        self._client, self._bytes = client, b""

    def received(self) -> list[bytes]:
        """Those that are whole by now; an empty one where the client has gone."""
        more = self._client.recv(_AT_ONCE)
        self._bytes += more
        found = [] if more else [b""]
        while len(self._bytes) >= 4 and len(self._bytes) >= (length := 4 + int.from_bytes(self._bytes[:3], "little")):
            found.append(self._bytes[:length])
            self._bytes = self._bytes[length:]
        return found

    def read(self) -> bytes:
        """One of them. Clients wait for an answer before they send another."""
        while not (found := self.received()):
            pass
        return found[0]


def socket_of(session: Session[Any]) -> socket.socket:
    """PyMySQL tells it by no public name."""
    found: socket.socket = session._sock  # type: ignore[attr-defined]
    return found


def _passed_on(packet: bytes, client: socket.socket, server: socket.socket) -> bool:
    """Gives a command to the server, unless it would reset the session; whether the client goes on."""
    if not packet or packet[4] == _QUIT:
        return False
    if packet[4] == _RESET:
        client.sendall(_packet(1, _OK))
    else:
        server.sendall(packet)
    return True


def _greeting(version: str, number: int) -> bytes:
    """A server's first words; a client without a password need not understand the challenge."""
    capabilities = struct.pack("<I", _CAPABILITIES)
    return (
        b"\x0a" + version.encode() + b"\0" + struct.pack("<I", number) + b"8bytes!!\0" + capabilities[:2]
        + b"\x2d\x02\x00" + capabilities[2:] + b"\x15" + b"\0" * 10 + b"twelve bytes\0" + b"caching_sha2_password\0"
    )  # fmt: skip


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload
