"""Holds airbyte-cdk to the batch's end as now, to the manifest's hosts, short pauses and whole answers; keeps no new token."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from .failures import Stopped

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ADDRESSES = ("url_base", "url", "token_refresh_endpoint")
ANSWER_SECONDS = 60.0  # that an API is waited for


class Limits:
    """requests: how many were sent; whoever reads it may set it back.  status: of the last answer."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._config, self._pause, self._now = job["config"], job["pause"], datetime.fromisoformat(job["now"])
        self._hosts = {*job["hosts"]}
        self.requests, self.status = 0, 0

    def hold(self) -> None:
        self._hold_time()
        self._hold_requests()
        self._hold_answers()
        _keep_nothing()

    def allow(self, node: Any) -> None:
        """Allows the hosts of the addresses that a manifest's components name, as the connection's options make them."""
        from airbyte_cdk.sources.declarative.interpolation.interpolated_string import InterpolatedString

        for text, parameters in _addresses(node):
            with contextlib.suppress(Exception):  # of a record's value: no host of its own
                self._hosts |= {_host(str(InterpolatedString.create(text, parameters=parameters).eval(self._config)))} - {""}

    def _hold_time(self) -> None:
        from airbyte_cdk.sources.declarative.interpolation import jinja

        jinja._ENVIRONMENT.globals.update(
            now_utc=lambda: self._now,
            today_utc=lambda: self._now.date(),
            today_with_timezone=lambda timezone: self._now.astimezone(ZoneInfo(timezone)).date(),
            day_delta=lambda num_days, format="%Y-%m-%dT%H:%M:%S.%f%z": (self._now + timedelta(days=num_days)).strftime(format),
        )
        slept = time.sleep

        def sleep(seconds: float) -> None:
            if seconds > self._pause:
                raise Stopped("pause", seconds=seconds, status=self.status)
            slept(seconds)

        time.sleep = sleep  # type: ignore[assignment]

    def _hold_requests(self) -> None:
        from requests.adapters import HTTPAdapter
        from requests.exceptions import ConnectionError

        send = HTTPAdapter.send

        def sent(adapter: Any, request: Any, *given: Any, **how: Any) -> Any:
            self._check(request.url)
            self.requests += 1
            self.status = 0
            answer = send(adapter, request, *given, **{**how, "timeout": how.get("timeout") or ANSWER_SECONDS})
            self.status = answer.status_code
            if not _says_where_it_ends(answer):
                raise ConnectionError("the answer was cut off among its headers")  # which is asked for again
            return answer

        HTTPAdapter.send = sent  # type: ignore[assignment, method-assign]

    def _hold_answers(self) -> None:
        """airbyte-cdk takes what is no JSON, such as a page that says that an API is down, for an answer without records."""
        from airbyte_cdk.sources.declarative.decoders.composite_raw_decoder import JsonLineParser, JsonParser

        parse = JsonParser._parse_json

        def whole(parser: Any, text: bytes) -> Any:
            found = parse(parser, text)
            if found is None and self.status < 400 and text.strip() not in (b"", b"null"):
                raise Stopped("garbled", status=self.status)
            return found

        def lines(parser: Any, data: Any) -> Iterator[Any]:
            for line in data:
                try:
                    if line.strip():
                        yield json.loads(line.decode(parser.encoding or "utf-8"))
                except ValueError:
                    raise Stopped("garbled", status=self.status) from None

        JsonParser._parse_json = whole
        JsonLineParser.parse = lines

    def _check(self, url: str) -> None:
        split = urlsplit(url)
        if _host(url) not in self._hosts:
            raise Stopped("host", host=split.hostname or "")
        if split.scheme != "https" and split.hostname not in LOOPBACK:
            raise Stopped("clear", host=split.hostname or "")


def _keep_nothing() -> None:
    """Refuses caches, by which two passes are alike that are not; messages fill the memory; a new token goes with the process."""
    from airbyte_cdk.sources.message import concurrent_repository, repository
    from airbyte_cdk.sources.streams.http import http_client
    from airbyte_cdk.sources.streams.http.requests_native_auth import oauth

    session = http_client.HttpClient._request_session

    def without_cache(client: Any) -> Any:
        client._use_cache = False
        return session(client)

    http_client.HttpClient._request_session = without_cache
    oauth.SingleUseRefreshTokenOauth2Authenticator.refresh_access_token = _rotates
    for kind in (repository.InMemoryMessageRepository, concurrent_repository.ConcurrentMessageRepository):
        kind.emit_message = kind.log_message = lambda *_: None


def _says_where_it_ends(answer: Any) -> bool:
    """Whether an answer tells where its body ends, by the rule of shared_metadata.contract.cut_answers, which is not here."""
    headers, version = answer.headers, getattr(answer.raw, "version", 11)
    told = "Content-Length" in headers or "Transfer-Encoding" in headers or "close" in headers.get("Connection", "").lower()
    return told or answer.status_code in (204, 304) or version == 10


def _rotates(*_: Any, **__: Any) -> NoReturn:
    raise Stopped("rotates")


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _addresses(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The texts of addresses at and below a node, each with its component's parameters."""
    if isinstance(node, dict):
        yield from ((node[field], node.get("$parameters") or {}) for field in ADDRESSES if isinstance(node.get(field), str))
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _addresses(value)
