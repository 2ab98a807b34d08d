"""An API of tables of records: who may ask, what is limited, which route answers, and what it was asked."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from doubles.https import serving

Record = dict[str, Any]
BASE = "BASE"  # in an answer: the address at which it was asked


@dataclass(frozen=True)
class Asked:
    """A request.  headers: by their names in small letters.  body: of JSON or of a form; {} for none."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any

    def one(self, name: str, default: str = "") -> str:
        """A parameter that stands once."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True)
class Said:
    """body: as JSON; bytes as they are."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Vendor:
    """What its API has of its own.

    routes: method, pattern of paths ▸ what answers, which takes the API, the request, and the pattern's groups by their names.
    refused: why a request is not taken (credentials, headers, rights); None where it is.
    limited: the answer to one request too many, which may be repeated after so many seconds, where the vendor says for how long.
    """

    routes: Mapping[tuple[str, str], Callable[..., Said]]
    refused: Callable[[Api, Asked], Said | None]
    limited: Callable[[int], Said]
    unknown: Said


class Api:
    """rows: table ▸ its records as they are now.  coming: what is answered to the next requests instead.  asked: all of them.

    between: what happens at the vendor's after each answer.  most: on a page; 0 for as many as are asked for and documented.
    token: the one that is taken.  expired: whether it is over.  denied: tables that it may not read.  now: the vendor's time.
    """

    def __init__(self, vendor: Vendor, token: str, most: int = 0) -> None:
        self.vendor, self.token, self.most = vendor, token, most
        self.rows: defaultdict[str, list[Record]] = defaultdict(list)
        self.coming: list[Said] = []
        self.asked: list[Asked] = []
        self.between: Callable[[], None] = lambda: None
        self.expired, self.denied = False, set[str]()
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        if self.coming:
            return self.coming.pop(0)
        if refused := self.vendor.refused(self, asked):
            return refused
        for (method, pattern), answers in self.vendor.routes.items():
            if method == asked.method and (found := re.fullmatch(pattern, asked.path)):
                said = answers(self, asked, **found.groupdict())
                self.between()
                return said
        return self.vendor.unknown

    def on_page(self, wanted: Any, default: int, most: int) -> int:
        """How many records a page has."""
        size = min(int(wanted or default), most)
        return min(size, self.most) if self.most else size


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The address at which it answers."""
    with serving(_handler(api)) as place:
        yield f"http://{place}"


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            form = "form-urlencoded" in self.headers.get("Content-Type", "")
            body = parse_qs(sent.decode(), keep_blank_values=True) if form else json.loads(sent or b"{}")
            at, headers = urlsplit(self.path), {name.lower(): value for name, value in self.headers.items()}
            said = api.answer(Asked(self.command, at.path, parse_qs(at.query, keep_blank_values=True), headers, body))
            base = f"http://{self.headers['Host']}"
            is_json = not isinstance(said.body, bytes)
            text = json.dumps(said.body, ensure_ascii=False).replace(f"{BASE}/", f"{base}/").encode() if is_json else said.body
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value.replace(BASE, base))
            self.send_header("Content-Type", "application/json" if is_json else "text/csv")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a line for each call is nothing to read."""

    return Handler
