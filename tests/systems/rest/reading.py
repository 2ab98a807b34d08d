"""Reads a stream of a manifest against answers of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from systems.rest.answers import Answer
from systems.rest.columns import key_fields
from systems.rest.manifest import streams_of
from systems.rest.portions import Span
from systems.rest.reader import Reader
from systems.rest.requests import Request

NOW = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
API = "https://api.example.com"


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(document).encode())


def stream(*, requester: Mapping[str, Any] | None = None, retriever: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A stream of the path `things` whose records are the answer."""
    asks = {"type": "HttpRequester", "url_base": API, "path": "things", **(requester or {})}
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}}
    found = {"type": "SimpleRetriever", "requester": asks, "record_selector": selector, **(retriever or {})}
    return {"type": "DeclarativeStream", "name": "things", "retriever": found, **more}


class Reading:
    """reply: a request ▸ its answer.  paused: the seconds that it waited.  numbered: whether all pages are numbers.

    Then their streams' own keys tell records apart.
    """

    def __init__(
        self,
        declared: Mapping[str, Any],
        reply: Callable[[Request], Answer],
        *,
        numbered: bool = False,
        grant: RotatingGrant | None = None,
        **config: Any,
    ) -> None:
        self.stream = streams_of({"streams": [declared]})["things"]
        self.sent: list[Request] = []
        self.paused: list[float] = []
        self._reply = reply
        how: dict[str, Any] = {
            "place": "here",
            "reference": "thing",
            "grant": grant,
            "numbered": lambda one: key_fields(one) if numbered else None,
        }
        self.reader = Reader(config, NOW, self._send, pause=self.paused.append, clock=lambda: NOW, **how)

    def records(self, span: Span | None = None) -> list[Any]:
        reader = self.reader
        return [one for portion in reader.portions.of(self.stream, span) for one in reader.records(self.stream, portion)]

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(urlsplit(request.url).query)) for request in self.sent]

    def _send(self, request: Request) -> Answer:
        self.sent.append(request)
        return self._reply(request)
