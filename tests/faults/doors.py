"""The doors between a function's process and the outside: microburst before the emulated AWS, and one before PostgreSQL.

What microburst can do, it does: throttling, server errors, resets, slowness. Processes that die and answers that are lost are
added here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import ssl
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from microburst.core.pipeline import Microburst
from microburst.detection import detect

from tests.faults.faults import CLOCKS, CONFLICTS, PAUSES, Kind
from tests.faults.lane import HOST, SLOW_MS, Lane, send_signal
from tests.faults.postgres_door import PostgresDoor
from tests.memory.dynamodb import TOO_LARGE

# What each service says when it is asked too much: the codes of its API reference.
THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "glue": ("ThrottlingException", 400),
    "secretsmanager": ("ThrottlingException", 400),
    "stepfunctions": ("ThrottlingException", 400),
}
DYNAMODB_ERRORS, CONFLICT = "com.amazonaws.dynamodb.v20120810#", "Transaction is ongoing for the item"
ONLY_OPERATIONS = {"sns": "Publish"}  # of services that name theirs in the body, which is not read here
SERVER_ERRORS = {"s3": ("InternalError", 500), "dynamodb": ("InternalServerError", 500)}


class Doors:
    """Runs the doors of any number of lanes on an event loop of their own."""

    def __init__(self, aws_endpoint: str, ca_bundle: Path, postgres_port: int, aws_door: type[AwsDoor] | None = None) -> None:
        for talkative in ("aiohttp.server", "microburst", "microburst.forward"):  # of clients that have died, which is the point
            logging.getLogger(talkative).setLevel(logging.CRITICAL)
        self._aws, self._bundle, self._postgres_port = aws_endpoint, ca_bundle, postgres_port
        self._aws_door = aws_door or AwsDoor
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()
        self._closing: list[Callable[[], Coroutine[Any, Any, Any]]] = []

    def open(self, lane: Lane) -> Lane:
        return self._wait(self._open(lane))  # type: ignore[no-any-return]

    def wake(self, lane: Lane, pid: int) -> None:
        """A process that stands still goes on."""
        self._loop.call_soon_threadsafe(lane.wake, pid)

    def close(self) -> None:
        for close in reversed(self._closing):
            with contextlib.suppress(Exception):
                self._wait(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._runner.close()  # and with it calls of processes that have died, which nobody answers

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self, lane: Lane) -> Lane:
        aws = self._aws_door(lane, self._aws, self._bundle)
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
        service = found.service or "unknown"
        operation = found.operation or ONLY_OPERATIONS.get(service, request.method)
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
        if kind in CONFLICTS:
            return _conflict(operation)
        if kind == Kind.ITEM_TOO_LARGE:
            return _refused(operation, "ValidationException", "ValidationError", TOO_LARGE)
        self._microburst.engine.set_rules([{"service": service, "operation": operation, "times": 1, **_rule(kind, service)}])
        return await self._microburst.handle_proxy(request)  # type: ignore[no-any-return]

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """microburst leaves out the length of an answer, which is all that HEAD asks for."""
        if request.method != "HEAD":
            return await self._microburst.handle_proxy(request)  # type: ignore[no-any-return]
        headers = self._microburst.upstream._outbound_headers(request)
        async with self._session.head(self._url + request.rel_url.raw_path_qs, headers=headers) as found:
            return web.Response(status=found.status, headers={k: v for k, v in found.headers.items() if k != "Connection"})

    async def _forward(self, request: web.Request) -> None:
        """The call is made, whatever becomes of its answer."""
        body, headers = await request.read(), self._microburst.upstream._outbound_headers(request)
        async with self._session.request(request.method, self._url + request.rel_url.raw_path_qs, headers=headers, data=body) as done:
            await done.read()

    def _kill(self, request: web.Request, pid: int) -> web.Response:
        send_signal(pid, signal.SIGKILL)
        return _cut(request)


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


def _conflict(operation: str) -> web.Response:
    """What DynamoDB answers while another transaction writes the same item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
    """
    return _refused(operation, "TransactionConflictException", "TransactionConflict", CONFLICT)


def _refused(operation: str, code: str, reason: str, message: str) -> web.Response:
    """What DynamoDB answers a write that it does not make. reason: its code for an item of a transaction."""
    body: dict[str, Any] = {"__type": f"{DYNAMODB_ERRORS}{code}", "message": message}
    if operation == "TransactWriteItems":
        reasons = [{"Code": reason, "Message": message}]
        body = {"__type": f"{DYNAMODB_ERRORS}TransactionCanceledException", "Message": message, "CancellationReasons": reasons}
    return web.Response(status=400, text=json.dumps(body), content_type="application/x-amz-json-1.0")


def _rule(kind: Kind, service: str) -> dict[str, Any]:
    """The rule of microburst for a kind of trouble."""
    if kind in (Kind.THROTTLED, Kind.STARVED):
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
