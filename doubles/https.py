"""Doubles over HTTP, with TLS where they are given a certificate: those of JSON, and any other's handler."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, Any]]


class Api(Protocol):
    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """The status, and what is answered."""
        ...


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], certificate: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """The address at which it answers: 'host:port'. Who begins a connection and says nothing holds up nobody else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name=handler.__qualname__, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def served(api: Api, certificate: Path, key: Path) -> AbstractContextManager[str]:
    """The address at which it answers: 'host:port'."""
    return serving(_handler(api), certificate, key)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            form = "form-urlencoded" in self.headers.get("Content-Type", "")
            body = dict(parse_qsl(sent.decode())) if form else json.loads(sent or b"{}")
            at = urlsplit(self.path)
            status, told = api.answer(method, at.path, dict(parse_qsl(at.query)), self.headers, body)  # type: ignore[arg-type]
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a line for each call is nothing to read."""

    return Handler
