"""Packages with code of their own that nobody here wrote: which tables airbyte-cdk reads of them, of invented answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from console.packages import wanted_of
from shared_metadata.contract.apart import process
from shared_metadata.errors import AtollError
from shared_metadata.program import Connection, Position
from systems.rest import document, options
from systems.rest.airbyte.client import AirbyteSource
from tests.systems.rest.airbyte.kit import installed
from tests.systems.rest.oracle.invented import answer_for, config_of

Atoll = Callable[..., Result]
pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.budget(900), pytest.mark.timeout(3600)]
README = Path(__file__).resolve().parents[4] / "systems" / "rest" / "airbyte" / "README.md"
_ROW = re.compile(r"^\| ([a-z-]+==[0-9.]+) \| (\d+ of \d+) \|", re.MULTILINE)
# What the invented configuration has to be so that what is read depends on it.
CONFIG: Mapping[str, Mapping[str, Any]] = {
    "their_typeform": {"form_ids": ["a"], "credentials": {"auth_type": "access_token", "access_token": "x"}},
}
OTHERS: Mapping[str, str] = {"typeform": "airbyte-cdk==7.39.1"}  # of which the one that it was written for is not to be had
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Invented:
    """An API that answers all that is asked for the same."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def _handler(invented: Invented) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(invented.answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


@contextmanager
def invented() -> Iterator[Invented]:
    api = Invented()
    yield api
    api.server.shutdown()
    api.server.server_close()


def here(node: Any, url: str) -> Any:
    """A manifest whose addresses are this machine's."""
    if isinstance(node, dict):
        return {key: url if key in ("url_base", "token_refresh_endpoint") else here(value, url) for key, value in node.items()}
    return [here(one, url) for one in node] if isinstance(node, list) else node


def read(folder: Path, api: Invented) -> dict[str, str]:
    """Table ▸ 'read', or why none of its records came."""
    found = document.read(folder)
    found["manifest"] = here(found["manifest"], api.url)
    told, config = dict(found["left_out"]), {**config_of(found["spec"]), **CONFIG.get(folder.name, {})}
    plain = {name: config[name] for name, _ in options.plain_fields(found) if config.get(name) is not None}
    secret = {name: config[name] for name, _ in options.secret_fields(found) if config.get(name) is not None}
    connection = Connection("c", folder.name, {**plain, "secret": "s"}, Position("program.sql", 1, 1))
    for name, stream in found["streams"].items():
        try:
            api.answer = answer_for(stream, config, NOW)
            source = AirbyteSource(connection, secret, found, clock=lambda: NOW)
            told[name] = "read" if source.first(name, 2) else "no record"
        except (AtollError, KeyError, TypeError) as error:
            told[name] = f"{type(error).__name__}: {error}"[:300]
    return told


def test_tables_of_packages_are_read_by_their_own_code(atoll: Atoll, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {match[1]: match[2] for match in _ROW.finditer(README.read_text())}
    found = {}
    with invented() as api:
        for package in said:
            name, _, version = package.partition("==")
            asked = ("--package", OTHERS[name]) if name in OTHERS else ()
            result = atoll("source", "add", f"{name}@{version}", "--engine", "airbyte", "--as", f"their_{name}", *asked)
            assert result.exit_code == 0, result.output
            added = Path("slices", "collect", f"their_{name}")
            _, packages = installed(*(asked[1:] or wanted_of(added)))
            monkeypatch.setattr(process, "APART", packages)
            told = read(added, api)
            found[package] = f"{sum(one == 'read' for one in told.values())} of {len(told)}"
            print(package, found[package], {table: why for table, why in told.items() if why != "read"})
    assert said and found == said
