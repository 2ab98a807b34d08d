"""Requests: what of a manifest's requester, portion, page and window stands in the URL, the headers and the body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from systems.rest.expressions import TEXT, Expressions
from systems.rest.manifest import Node
from systems.rest.paging import Paging
from systems.rest.portions import Portion, Portions
from systems.rest.transformations import put

JSON_BODIES = ("RequestBodyJsonObject", "RequestBodyGraphQL")


@dataclass(frozen=True)
class Request:
    """A request without what it is signed in with."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass
class Parts:
    """What a request is made of, by the names that `inject_into` has. text: a body that is no form and no JSON."""

    request_parameter: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    body_json: dict[str, Any] = field(default_factory=dict)
    body_data: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def inject(self, where: str, path: list[str], value: Any) -> None:
        put(getattr(self, where), path, value)

    def request(self, method: str, url: str) -> Request:
        """Parameters that the URL has already, as in the link of a next page, are not repeated."""
        split = urlsplit(url)
        there = parse_qs(split.query, keep_blank_values=True)
        pairs = [
            (name, one)
            for name, value in self.request_parameter.items()
            for one in (value if isinstance(value, list | tuple) else [value])
        ]
        new = urlencode([(name, str(one)) for name, one in pairs if name and str(one) not in there.get(name, [])])
        headers = {str(name): str(value) for name, value in self.header.items()}
        body = self._body(headers)
        return Request(method, urlunsplit(split._replace(query="&".join(filter(None, [split.query, new])))), headers, body)

    def _body(self, headers: dict[str, str]) -> bytes | None:
        if self.body_json:
            headers.setdefault("Content-Type", "application/json")
            return json.dumps(self.body_json).encode()
        if self.body_data:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return urlencode(self.body_data, doseq=True).encode()
        return self.text.encode() or None


class Requests:
    """The requests of streams."""

    def __init__(self, expressions: Expressions, portions: Portions, paging: Paging) -> None:
        self._expressions, self._portions, self._paging = expressions, portions, paging

    def parts(self, requester: Mapping[str, Node], context: Mapping[str, Any]) -> Parts:
        """What a requester says by itself."""
        found, mapping = Parts(), self._expressions.mapping
        query = mapping(requester.get("request_parameters") or {}, context, (str, list))
        found.request_parameter |= dict(parse_qsl(query.lstrip("?"))) if isinstance(query, str) else query
        found.header |= mapping(requester.get("request_headers") or {}, context)
        declared = requester.get("request_body") or {}
        as_json = declared.get("value") if declared.get("type") in JSON_BODIES else requester.get("request_body_json")
        as_form = declared.get("value") if declared.get("type") == "RequestBodyUrlEncodedForm" else requester.get("request_body_data")
        for name, given in (("body_json", as_json), ("body_data", as_form)):
            value = mapping(given or {}, context)
            if isinstance(value, dict):
                setattr(found, name, value)
            else:
                found.text = str(value)
        if declared.get("type") == "RequestBodyPlainText":
            found.text = self._expressions.text(declared["value"], context)
        return found

    def of(self, stream: Mapping[str, Node], portion: Portion, token: Any) -> tuple[Parts, str]:
        """The parts and the URL of a page's request."""
        requester = stream["retriever"]["requester"]
        following = {"next_page_token": token} if token is not None else None
        context = {**self._portions.context(requester, portion), "next_page_token": following}
        parts, path = self.parts(requester, context), None
        for option, value in self._injected(stream, portion, token):
            if option["type"] == "RequestPath":
                path = str(value)
            elif value is not None:
                parts.inject(option["inject_into"], self.option_path(option), value)
        return parts, self.url(requester, context, path)

    def url(self, requester: Mapping[str, Node], context: Mapping[str, Any], path: str | None = None) -> str:
        """path: where the answer before said that the next page is; else the requester's own."""
        text = self._expressions.text
        base = text(requester.get("url_base") or requester.get("url") or "", context)
        own = text(requester.get("path") or "", context).lstrip("/") if path is None else path
        if own.startswith(("http://", "https://")) or not base:
            return own
        return f"{base.rstrip('/')}/{own.lstrip('/')}" if own else base

    def option_path(self, option: Mapping[str, Node]) -> list[str]:
        """Where in a part of the request an option stands."""
        context = self._portions.context(option)
        return [self._expressions.text(part, context) for part in option.get("field_path") or [option["field_name"]]]

    def _injected(self, stream: Mapping[str, Node], portion: Portion, token: Any) -> Iterator[tuple[Mapping[str, Node], Any]]:
        retriever, sync = stream["retriever"], stream.get("incremental_sync") or {}
        paginator = retriever.get("paginator") or {}
        paginator = paginator if paginator.get("type") == "DefaultPaginator" else {}
        if paginator.get("page_token_option") and token is not None:
            yield paginator["page_token_option"], token
        if paginator.get("page_size_option"):
            yield paginator["page_size_option"], self._paging.size(paginator["pagination_strategy"])
        context, text = self._portions.context(sync), self._expressions.text
        for edge in ("start", "end"):
            if option := sync.get(f"{edge}_time_option"):
                yield option, portion.window.get(text(sync.get(f"partition_field_{edge}") or f"{edge}_time", context))
        routers = retriever.get("partition_router") or []
        for router in routers if isinstance(routers, list) else [routers]:
            if option := router.get("request_option"):
                yield (
                    option,
                    portion.partition.get(self._expressions.value(router["cursor_field"], self._portions.context(router), TEXT)),
                )
            for parent in router.get("parent_stream_configs") or []:
                if option := parent.get("request_option"):
                    yield option, portion.partition.get(text(parent["partition_field"], self._portions.context(parent)))
