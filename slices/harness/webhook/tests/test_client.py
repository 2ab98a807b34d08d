"""What is sent, to whom, and what answers mean."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from doubles.webhook.application import Application, read
from doubles.webhook.server import served
from infra.embedded.tls import ensure_certificate
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Connection, Position
from slices.harness.webhook.client import Webhook
from slices.harness.webhook.config import read_config
from slices.harness.webhook.logic import meaning
from slices.harness.webhook.receiver import read_receiver
from slices.harness.webhook.tests.under_test import KEY
from systems.application_target.application import Group
from tests.conformance.fixtures import FakeContext

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
GROUP = Group("key-1", 'hook.a/b "ü"', "2026-11-30T02:00:00Z", ['{"id":1,"text":"ü\\n"}', '{"id":2,"text":null}'], [])
GONE = Group("key-2", "hook.t", "2026-11-30T02:00:00Z", [], ['{"id":1}'])


def send(secret: Mapping[str, Any], group: Group = GROUP, *, seconds: float = 900, **options: Any) -> str:
    connection = Connection("hook", "webhook", {"secret": "partner", **options}, Position("program.sql", 1, 1))
    clock: Any = SimpleNamespace(clock=lambda: NOW)
    webhook = Webhook(connection, read_config(connection), read_receiver(connection, secret), clock)
    try:
        return webhook.send(group, Deadline.of(FakeContext(seconds))).whole
    finally:
        webhook.close()


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def url(application: Application) -> Iterator[str]:
    with served(application) as address:
        yield address


def test_a_body_says_whose_rows_it_has_and_has_them_as_they_are(application: Application, url: str) -> None:
    assert send({"url": f"{url}/in/{{table}}?of={{table}}"}) == "" and send({"url": url}, GONE) == ""
    (path, headers, body), (_, _, gone) = application.requests
    assert path == "/in/a%2Fb%20%22%C3%BC%22?of=a%2Fb%20%22%C3%BC%22"
    assert json.loads(body) == {
        **{"dataset": 'hook.a/b "ü"', "batch": "2026-11-30T02:00:00Z", "deletes": []},
        "upserts": [{"id": 1, "text": "ü\n"}, {"id": 2, "text": None}],
    }
    assert (
        json.loads(gone)["deletes"] == [{"id": 1}]
        and headers["webhook-id"] == "key-1"
        and headers["content-type"] == "application/json"
    )
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp())) and "webhook-signature" not in headers


def test_lines_of_json_say_of_each_row_whose_it_is(application: Application, url: str) -> None:
    send({"url": url}, format="ndjson")
    ((_, headers, body),) = application.requests
    assert [set(json.loads(line)) for line in body.splitlines()] == [{"dataset", "batch", "upsert"}] * 2
    assert read(headers["content-type"], body) == ([{"id": 1, "text": "ü\n"}, {"id": 2, "text": None}], [])


def test_a_header_of_the_secret_s_is_sent_and_so_is_a_signature(application: Application, url: str) -> None:
    send({"url": url, "key": KEY, "header": "Authorization", "value": "Bearer v3ry"})
    ((_, headers, _),) = application.requests
    assert headers["authorization"] == "Bearer v3ry" and headers["webhook-signature"].startswith("v1,")


def test_a_redirect_is_not_followed(application: Application, url: str) -> None:
    application.answers.append((302, {"location": f"{url}/elsewhere"}))
    with pytest.raises(
        DefinitionError, match=r"connection hook \(program.sql:1:1\): the application answers 302.*it is elsewhere now"
    ):
        send({"url": f"{url}/here"})
    assert [path for path, *_ in application.requests] == ["/here"]


def test_an_answer_that_does_not_come_is_for_later_and_one_too_late_too(application: Application, url: str) -> None:
    application.answers.append("lost")
    with pytest.raises(RetryLater, match="does not answer"):
        send({"url": url})
    with pytest.raises(RetryLater, match="time is over"):
        send({"url": url}, seconds=9)
    assert len(application.requests) == 1


def test_an_application_that_answers_nothing_is_waited_for_as_long_as_the_program_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(RetryLater, match="ReadTimeoutError"):
        send({"url": f"http://127.0.0.1:{server.getsockname()[1]}"}, timeout_seconds=1)


def test_over_https_a_certificate_is_verified_and_may_be_the_secret_s(application: Application, tmp_path: Path) -> None:
    tls = ensure_certificate(tmp_path)
    with served(application, tls.certificate, tls.key) as address:
        with pytest.raises(DefinitionError, match="certificate is not to be trusted"):
            send({"url": address})
        assert application.requests == []
        assert send({"url": address, "ca_certificate": tls.certificate.read_text()}) == "" and len(application.requests) == 1
    with pytest.raises(SecretError, match="ca_certificate of partner is not a certificate in PEM"):
        send({"url": address, "ca_certificate": "v3ry"})


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_rows_are_taken(status: int) -> None:
    assert meaning(status, {}, "partner", "here") == ""


@pytest.mark.parametrize("status", [400, 413, 422])
def test_rows_are_refused_without_the_application_s_words(application: Application, url: str, status: int) -> None:
    application.answers.append(status)
    assert send({"url": url}) == f"the application answers {status}"


@pytest.mark.parametrize("status", [408, 409, 423, 425, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize(
    ("after", "seconds"),
    [("", None), ("7", 7.0), ("0.5", 0.5), ("99999", 900.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)],
)
def test_what_passes_is_for_later_with_the_application_s_own_pause(status: int, after: str, seconds: float | None) -> None:
    with pytest.raises(RetryLater, match=str(status)) as caught:
        meaning(status, {"retry-after": after}, "partner", "here")
    assert caught.value.after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, SecretError),
        (403, SecretError),
        (404, DefinitionError),
        (410, DefinitionError),
        (101, DefinitionError),
        (308, DefinitionError),
    ],
)
def test_what_lasts_names_the_secret_and_what_to_do(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"here: the application answers {status}.*partner") as caught:
        meaning(status, {}, "partner", "here")
    assert caught.value.remedy  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        ({}, "`url` is no address"),
        ({"url": "http://v3ry.example.com"}, "`url` is no address"),
        ({"url": "ftp://127.0.0.1"}, "`url` is no address"),
        ({"url": "https://v3ry:v3ry@example.com"}, "`url` is no address"),
        ({"url": "https://{table}.example.com"}, "`url` is no address"),
        ({"url": "https://example.com/v3ry\r\nx: y"}, "`url` is no address"),
        ({"url": "https://example.com:v3ry"}, "`url` is no address"),
        ({"url": "https://[v3ry"}, "`url` is no address"),
        ({"url": "https://example.com", "key": "whsec_djNyeQ=="}, "`key` is shorter than 24 bytes"),
        ({"url": "https://example.com", "key": "v3ry!"}, "`key` is no base 64"),
        ({"url": "https://example.com", "header": "X-Key"}, "`header` and `value` come together"),
        ({"url": "https://example.com", "value": "v3ry"}, "`header` and `value` come together"),
        ({"url": "https://example.com", "header": "x: y", "value": "v3ry"}, "`header` is no header's name"),
        ({"url": "https://example.com", "header": "Webhook-Signature", "value": "v3ry"}, "`header` is no header's name"),
        ({"url": "https://example.com", "header": "content-length", "value": "v3ry"}, "`header` is no header's name"),
        ({"url": "https://example.com", "header": "X-Key", "value": "v3ry\r\nx: y"}, "`value` has characters"),
        ({"url": "https://example.com", "v3ry": "x"}, "other fields"),
    ],
)
def test_a_secret_that_is_not_usable_names_the_field_and_no_value(secret: dict[str, str], wrong: str) -> None:
    with pytest.raises(SecretError, match=wrong) as caught:
        send(secret)
    assert "v3ry" not in str(caught.value) and "atoll secret" in caught.value.remedy


def test_a_table_of_dots_has_no_place_in_an_address(application: Application, url: str) -> None:
    with pytest.raises(DefinitionError, match="which is dots"):
        send({"url": f"{url}/in/{{table}}"}, Group("k", "hook...", "b", ["{}"], []))
    assert application.requests == []


def test_neither_rows_nor_what_signs_is_in_a_log(application: Application, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    application.answers.extend([204, 422, 503])
    for _ in range(2):
        send({"url": url, "key": KEY, "header": "X-Key", "value": "v3ry-secret"})
    with pytest.raises(RetryLater):
        send({"url": url, "key": KEY, "header": "X-Key", "value": "v3ry-secret"})
    assert caplog.text and not [word for word in ("v3ry", KEY, '"id"', "ü") if word in caplog.text]


def test_an_answer_that_never_ends_is_left_when_its_time_is_up() -> None:
    """Its status is known; how it drips on counts for nothing."""
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n")
            while not over.wait(0.05):
                try:
                    connection.sendall(b".")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server,), daemon=True)
        dripping.start()
        began = time.monotonic()
        assert send({"url": f"http://127.0.0.1:{server.getsockname()[1]}"}, timeout_seconds=1) == ""
        took = time.monotonic() - began
        over.set()
        dripping.join(10)
    assert 0.9 < took < 60
