"""The doors between a function's process and the outside: microburst before the emulated AWS, and one before PostgreSQL.

Each lane has doors of its own and runs one function at a time, so a call that comes through one is that function's. What microburst
can do, it does: throttling, server errors, resets, slowness, lost answers. A process that dies is added here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from microburst.core.pipeline import Microburst
from microburst.detection import detect

from tests.faults.faults import CLOCKS, PAUSES, Invocation, Kind, Schedule

HOST = "127.0.0.1"
SLOW_MS = 300
# What each service says when it is asked too much: the codes of its API reference.
THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "glue": ("ThrottlingException", 400),
    "secretsmanager": ("ThrottlingException", 400),
    "stepfunctions": ("ThrottlingException", 400),
}
SERVER_ERRORS = {"s3": ("InternalError", 500), "dynamodb": ("InternalServerError", 500)}


class Lane:
    """What runs behind one pair of doors.

    told: is called from the doors' thread with what the run itself has to do: pauses, jumps of the clock, the machine's end.
    """

    def __init__(self, schedule: Schedule, told: Callable[[Kind, Invocation], None]) -> None:
        self._schedule, self.told = schedule, told
        self._standing: dict[int, asyncio.Event] = {}
        self.invocation: Invocation | None = None
        self.aws_port = self.postgres_port = 0

    def strike(self, operation: str) -> tuple[Kind | None, Invocation | None]:
        invocation = self.invocation
        if invocation is None:
            return None, None
        kind = self._schedule.strike(invocation, operation)
        if kind in (*PAUSES, *CLOCKS, Kind.MACHINE, Kind.CHANGED):
            self.told(kind, invocation)
        return kind, invocation

    async def pause(self, invocation: Invocation) -> None:
        """Until the process is woken."""
        woken = self._standing.setdefault(invocation.pid, asyncio.Event())
        _signal(invocation.pid, signal.SIGSTOP)
        await woken.wait()

    def wake(self, pid: int) -> None:
        """To be called on the doors' loop."""
        _signal(pid, signal.SIGCONT)
        if standing := self._standing.pop(pid, None):
            standing.set()


class Doors:
    """Runs the doors of any number of lanes on an event loop of their own."""

    def __init__(self, aws_endpoint: str, ca_bundle: Path, postgres_port: int) -> None:
        for talkative in ("aiohttp.server", "microburst", "microburst.forward"):  # of clients that have died, which is the point
            logging.getLogger(talkative).setLevel(logging.CRITICAL)
        self._aws, self._bundle, self._postgres_port = aws_endpoint, ca_bundle, postgres_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()
        self._closing: list[Callable[[], Coroutine[Any, Any, Any]]] = []

    def open(self, lane: Lane) -> Lane:
        return self._wait(self._open(lane))

    def wake(self, lane: Lane, pid: int) -> None:
        """A process that stands still goes on."""
        self._loop.call_soon_threadsafe(lane.wake, pid)

    def close(self) -> None:
        for close in reversed(self._closing):
            with contextlib.suppress(Exception):
                self._wait(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self, lane: Lane) -> Lane:
        aws = AwsDoor(lane, self._aws, self._bundle)
        lane.aws_port = await aws.listen()
        postgres = PostgresDoor(lane, self._postgres_port)
        lane.postgres_port = await postgres.listen()
        self._closing += [aws.close, postgres.close]
        return lane


class AwsDoor:
    """microburst's pipeline, and before it what happens to processes."""

    def __init__(self, lane: Lane, upstream: str, bundle: Path) -> None:
        self._lane, self._bundle, self._url = lane, bundle, upstream
        self._microburst = Microburst(upstream, resign=False)
        self._runner: web.AppRunner | None = None

    async def listen(self) -> int:
        context = ssl.create_default_context(cafile=str(self._bundle))
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self._microburst.upstream.session = self._session
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        found = detect(request.headers, request.method, request.rel_url.raw_path, request.rel_url.query, None)
        service, operation = found.service or "unknown", found.operation or request.method
        kind, invocation = self._lane.strike(f"{service}.{operation}")
        if kind is None or invocation is None:
            return await self._pass(request)
        if kind in PAUSES:
            await self._lane.pause(invocation)
        if kind in (*PAUSES, *CLOCKS):
            return await self._pass(request)
        if kind in (Kind.DIES_BEFORE, Kind.DIES_DURING, Kind.MACHINE):
            if kind == Kind.DIES_DURING:
                await request.content.read(max(1, (request.content_length or 2) // 2))
            return self._kill(request, invocation.pid)
        if kind == Kind.DIES_AFTER:
            await self._forward(request)
            return self._kill(request, invocation.pid)
        if kind in (Kind.LOST, Kind.LOST_FOR_GOOD):
            await self._forward(request)
            return _cut(request)
        self._microburst.engine.set_rules([{"service": service, "operation": operation, "times": 1, **_rule(kind, service)}])
        return await self._microburst.handle_proxy(request)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """microburst leaves out the length of an answer, which is all that HEAD asks for."""
        if request.method != "HEAD":
            return await self._microburst.handle_proxy(request)
        headers = self._microburst.upstream._outbound_headers(request)
        async with self._session.head(self._url + request.rel_url.raw_path_qs, headers=headers) as found:
            return web.Response(status=found.status, headers={k: v for k, v in found.headers.items() if k != "Connection"})

    async def _forward(self, request: web.Request) -> None:
        """The call is made, whatever becomes of its answer."""
        body, headers = await request.read(), self._microburst.upstream._outbound_headers(request)
        async with self._session.request(request.method, self._url + request.rel_url.raw_path_qs, headers=headers, data=body) as done:
            await done.read()

    def _kill(self, request: web.Request, pid: int) -> web.Response:
        _signal(pid, signal.SIGKILL)
        return _cut(request)


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


def _rule(kind: Kind, service: str) -> dict[str, Any]:
    """The rule of microburst for a kind of trouble."""
    if kind == Kind.THROTTLED:
        code, status = THROTTLES.get(service, ("ThrottlingException", 400))
        return {"error": {"code": code, "status": status}}
    if kind in (Kind.SERVER_ERROR, Kind.DOWN):
        code, status = SERVER_ERRORS.get(service, ("InternalFailure", 500))
        return {"error": {"code": code, "status": status}}
    if kind == Kind.SLOW:
        return {"latency": SLOW_MS}
    if kind == Kind.TIMED_OUT:
        return {"timeout_ms": SLOW_MS}
    return {"reset": True}


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
        kill = partial(_signal, invocation.pid, signal.SIGKILL)
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


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
