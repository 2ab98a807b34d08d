"""A door before PostgreSQL, which knows the statements that go through it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import struct
from collections.abc import Callable
from functools import partial

from tests.faults.faults import CLOCKS, PAUSES, Kind
from tests.faults.lane import HOST, SLOW_MS, Lane, send_signal


class PostgresDoor:
    """A proxy that reads the client's side of PostgreSQL's protocol far enough to know its statements.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, lane: Lane, port: int) -> None:
        self._lane, self._port = lane, port

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            writer.close()
            return
        session = _Session(self._lane, reader, writer, server_reader, server_writer)
        await session.run()


class _Session:
    """One connection. after: what is done when the statement that runs has been answered; cut: bytes of an answer that still pass."""

    def __init__(
        self,
        lane: Lane,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._lane, self._client, self._to_client, self._server, self._to_server = lane, client, to_client, server, to_server
        self._after: Callable[[], None] | None = None
        self._during: Callable[[], None] | None = None
        self._cut: int | None = None

    async def run(self) -> None:
        pumps = [asyncio.ensure_future(pump) for pump in (self._from_client(), self._from_server())]
        with contextlib.suppress(Exception):
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for writer in (self._to_server, self._to_client):
            writer.transport.abort()

    async def _from_client(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            length = struct.unpack("!I", await self._client.readexactly(4))[0]
            self._to_server.write(struct.pack("!I", length) + await self._client.readexactly(length - 4))
            while True:
                head = await self._client.readexactly(5)
                body = await self._client.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] in b"QP" and not await self._statement(head, body):
                    return
                if head[:1] == b"d" and self._during:
                    self._to_server.write(head + body[: len(body) // 2])
                    await self._to_server.drain()
                    return self._during()
                self._to_server.write(head + body)
                await self._to_server.drain()
                if self._during and head[:1] not in b"PBDE" and not self._copying(head, body):
                    return self._during()

    def _copying(self, head: bytes, body: bytes) -> bool:
        """Whether rows are about to come from the client."""
        return head[:1] == b"Q" and b"FROM STDIN" in body.upper()

    async def _statement(self, head: bytes, body: bytes) -> bool:
        """False when the connection ends here."""
        text = body.split(b"\0")[0 if head[:1] == b"Q" else 1].decode(errors="replace").strip()
        if not text:
            return True
        verb = text.split(None, 1)[0].rstrip(";").upper()
        kind, invocation = self._lane.strike(f"postgres.{verb}")
        if kind is None or invocation is None:
            return True
        kill = partial(send_signal, invocation.pid, signal.SIGKILL)
        if kind in (*CLOCKS, Kind.CHANGED):
            return True
        if kind in PAUSES:
            await self._lane.pause(invocation)
        elif kind in (Kind.DIES_BEFORE, Kind.MACHINE):
            kill()
            return False
        elif kind == Kind.DIES_DURING:
            self._during = kill
        elif kind == Kind.DIES_AFTER:
            self._after = kill
        elif kind in (Kind.LOST, Kind.LOST_FOR_GOOD):
            self._after = lambda: None
        elif kind == Kind.CUT:
            self._cut = 700
        elif kind == Kind.SLOW:
            await asyncio.sleep(SLOW_MS / 1000)
        else:
            return False
        return True

    async def _from_server(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self._server.read(1 << 16):
                if self._after:
                    if data[-6:-1] == b"Z\0\0\0\5":
                        return self._after()
                    continue
                if self._cut is not None:
                    data = data[: self._cut]
                    self._cut -= len(data)
                    self._to_client.write(data)
                    if self._cut <= 0:
                        await self._to_client.drain()
                        return
                    continue
                self._to_client.write(data)
                await self._to_client.drain()
