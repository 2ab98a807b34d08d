"""The org over HTTP: tokens, limits, faults and the request log around every answer, and streaming of results."""

import asyncio
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web

from doubles.salesforce import admin, rest, routes
from doubles.salesforce.call import Answer, Call
from doubles.salesforce.errors import OAuthError, SalesforceError
from doubles.salesforce.org import Org
from doubles.salesforce.results import ResultPage
from doubles.salesforce.traffic import Fault, Request

_CHUNK_BYTES = 1 << 20
_LARGEST_BODY_BYTES = 1 << 30
_SMALLEST_COMPRESSED_BYTES = 1024
# Far above Salesforce's own limit, so that it is the endpoint that refuses, not the HTTP library.
LARGEST_LINE_BYTES = 1 << 20
# REST API Developer Guide, "Status Codes and Error Responses": 414 and 431.
_LARGEST_URI_BYTES = 16_384


class Dropped(Exception):
    """The connection is to end here, in the middle of the answer."""


class Endpoint:
    """One org's whole HTTP side; `url` is what it calls itself in token answers."""

    def __init__(self, org: Org, url: str = "") -> None:
        self.org = org
        self.url = url
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="request")

    def application(self) -> web.Application:
        """The aiohttp application: one handler for every path."""
        application = web.Application(client_max_size=_LARGEST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    def close(self) -> None:
        """Wait for the requests that are being answered."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, log it, and let go wrong what is to go wrong."""
        path, started = request.rel_url.raw_path, self.org.now()
        fault = None if path.startswith(admin.PREFIX) else self.org.traffic.next_fault(request.method, path)
        fault = fault or Fault()
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        status = 0
        try:
            if fault.drop:
                raise Dropped
            response = await self._answer(request, path, fault)
            status = response.status
            return response
        except Dropped:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        finally:
            if not path.startswith(admin.PREFIX):
                entry = Request(request.method, path, dict(request.query), status, started)
                self.org.traffic.requests.append(entry)

    async def _answer(self, request: web.Request, path: str, fault: Fault) -> web.StreamResponse:
        body = await request.read()
        work = asyncio.get_running_loop().run_in_executor
        if path.startswith(admin.PREFIX):
            return await work(self._threads, self._admin_response, request, path, body)
        if path.rstrip("/") == "/services/oauth2/token":
            return await self._token_response(request, fault)
        if len(str(request.rel_url)) > _LARGEST_URI_BYTES:
            return web.Response(status=414, text="URI Too Long")
        if len(str(request.rel_url)) + sum(len(k) + len(v) for k, v in request.raw_headers) > _LARGEST_URI_BYTES:
            return web.Response(status=431, text="Request Header Fields Too Large")
        try:
            answer = await work(self._threads, self._api_answer, request, path, body, fault)
        except SalesforceError as error:
            answer = Answer(error.body(), error.status)
        headers = self._limit_headers()
        if fault.status is not None:
            return _fault_response(fault, headers)
        if answer.page is not None:
            return await self._stream(request, answer.page, headers, fault)
        if answer.text is not None:
            return await _send(request, answer.text.encode(), answer.status, headers, fault, "text/csv")
        content = b"" if answer.status == 204 else json.dumps(answer.json, ensure_ascii=False).encode()
        return await _send(request, content, answer.status, headers, fault)

    def _limit_headers(self) -> dict[str, str]:
        usage = f"api-usage={self.org.traffic.daily_used}/{self.org.traffic.daily_limit}"
        return {"Sforce-Limit-Info": usage}

    def _api_answer(self, request: web.Request, path: str, body: bytes, fault: Fault) -> Answer:
        handler, parts = routes.route(request.method, path)
        if handler is not rest.versions:
            self.org.authority.check_token(request.headers.get("Authorization", ""), self.org.now())
            self.org.traffic.count_request(self.org.now().date())
        if fault.status is not None:
            return Answer()
        call = Call(parts, request.query, request.headers, body, fault)
        return handler(self.org, call)

    def _admin_response(self, request: web.Request, path: str, body: bytes) -> web.Response:
        status, answer = admin.answer(self.org, request.method, path, body)
        return web.json_response(answer, status=status)

    async def _token_response(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.status is not None:
            return _fault_response(fault, {})
        form = {key: str(value) for key, value in (await request.post()).items()}
        authorization = request.headers.get("Authorization", "")
        try:
            answer, status = self.org.authority.grant(form, authorization, self.url, self.org.now()), 200
        except OAuthError as error:
            answer, status = error.body(), 400
        return await _send(request, json.dumps(answer).encode(), status, {"Cache-Control": "no-store"}, fault)

    async def _stream(self, request: web.Request, page: ResultPage, headers: dict[str, str], fault: Fault) -> web.StreamResponse:
        """Send a page of a result file in large pieces, compressed if the client takes that."""
        counts = {"Sforce-NumberOfRecords": str(page.records), "Sforce-Locator": page.locator}
        response = web.StreamResponse(headers={**headers, **counts, "Content-Type": "text/csv; charset=UTF-8"})
        compressor = zlib.compressobj(1, wbits=31) if _takes_gzip(request) else None
        if compressor is None:
            response.content_length = len(page.header) + page.size
        else:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        work = asyncio.get_running_loop().run_in_executor
        sent, left = 0, page.size
        with page.path.open("rb") as lines:
            lines.seek(page.start)
            chunk = page.header
            while chunk:
                if compressor is not None:
                    chunk = await work(self._threads, compressor.compress, chunk)
                await _write(response, chunk, sent, fault)
                sent += len(chunk)
                chunk = lines.read(min(left, _CHUNK_BYTES))
                left -= len(chunk)
        if compressor is not None:
            await _write(response, compressor.flush(), sent, fault)
        await response.write_eof()
        return response


def _takes_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


async def _write(response: web.StreamResponse, chunk: bytes, sent: int, fault: Fault) -> None:
    """Send a piece of an answer, but no byte beyond those after which the connection is to end."""
    if fault.drop_after_bytes is not None and sent + len(chunk) >= fault.drop_after_bytes:
        await response.write(chunk[: fault.drop_after_bytes - sent])
        raise Dropped
    if chunk:
        await response.write(chunk)


async def _send(
    request: web.Request, content: bytes, status: int, headers: dict[str, str], fault: Fault, type: str = "application/json"
) -> web.StreamResponse:
    kind = {"Content-Type": f"{type};charset=UTF-8"} if content else {}
    if fault.drop_after_bytes is not None:
        response = web.StreamResponse(status=status, headers={**headers, **kind})
        response.content_length = len(content)
        await response.prepare(request)
        await _write(response, content, 0, replace(fault, drop_after_bytes=min(fault.drop_after_bytes, len(content) - 1)))
        raise Dropped
    plain = web.Response(body=content, status=status, headers={**headers, **kind})
    if _takes_gzip(request) and len(content) >= _SMALLEST_COMPRESSED_BYTES:
        plain.enable_compression(web.ContentCoding.gzip)
    return plain


def _fault_response(fault: Fault, headers: dict[str, str]) -> web.Response:
    status = fault.status or HTTPStatus.INTERNAL_SERVER_ERROR
    if fault.retry_after_seconds is not None:
        headers = {**headers, "Retry-After": str(fault.retry_after_seconds)}
    if fault.location:
        headers = {**headers, "Location": fault.location}
    if fault.html:
        return web.Response(text=fault.html, content_type="text/html", status=status, headers=headers)
    body: Any = SalesforceError(status, fault.code, fault.message).body()
    return web.json_response(body, status=status, headers=headers)
