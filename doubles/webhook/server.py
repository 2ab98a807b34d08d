"""The application over HTTP, with TLS where it is given a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from doubles.https import serving
from doubles.webhook.application import Application


@contextmanager
def served(application: Application, certificate: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """Its address, up to the path."""
    with serving(_handler(application), certificate, key) as place:
        yield f"http{'s' if certificate else ''}://{place}"


def _handler(application: Application) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers = application.answer(self.path, dict(self.headers), body)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "content-length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a line for each call is nothing to read."""

    return Handler
