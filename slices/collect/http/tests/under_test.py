"""The door of the collect suite to an endpoint: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Connection, Mode
from slices.collect.http.client import HttpSource
from slices.collect.http.inbox import Inbox
from slices.collect.http.receiving import Answer, Receiver, receiver
from slices.collect.http.slice import SLICE
from tests.conformance.fixtures import NOW, REGION, shared_session
from tests.conformance.sent_events import Event, EventsUnderTest

KEY = base64.b64encode(bytes(range(32))).decode()
KEYS: Mapping[str, Any] = {"shop": f"whsec_{KEY}"}
ONE_BY_ONE = 300  # rows, from which on each is a request
MICROSECOND = timedelta(microseconds=1)


def signed(body: bytes, at: datetime, *, message: str = "", key: str = KEY, **more: str) -> dict[str, str]:
    """The headers of a request as Standard Webhooks has them."""
    message, moment = message or f"msg_{uuid.uuid4().hex}", str(int(at.timestamp()))
    digest = hmac.new(base64.b64decode(key), f"{message}.{moment}.".encode() + body, hashlib.sha256).digest()
    told = {"webhook-id": message, "webhook-timestamp": moment, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
    return {**told, **more}


def request(path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """As API Gateway hands it on; bodies that are no text in base 64."""
    event = {"version": "2.0", "routeKey": f"POST {path}", "rawPath": path, "headers": dict(headers)}
    try:
        return {**event, "body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {**event, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


class Endpoint:
    """A connection's endpoint over a bucket in memory. now: the time there.  waited: for how long batches have waited."""

    def __init__(self, options: Mapping[str, Any], connection: str = "out", keys: Mapping[str, Any] = KEYS) -> None:
        self.bucket, self.connection, self.options, self.keys = f"inbox-{uuid.uuid4().hex[:12]}", connection, options, keys
        self.now, self.waited = NOW, list[float]()
        self.s3 = shared_session().client("s3")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def inbox(self, clock: Callable[[], datetime]) -> Inbox:
        return Inbox(self.s3, self.bucket, naming.inbox_prefix(SLICE.id, self.connection), clock, self.waited.append)

    def receiver(self) -> Receiver:
        """As a fresh function has it."""

        def clock() -> datetime:
            return self.now

        return receiver({self.connection: self.options}, lambda _: self.inbox(clock), lambda *_, **__: self.keys, clock)

    def send(self, table: str, body: bytes, at: datetime, **more: Any) -> Answer:
        self.now = max(at, self.now + MICROSECOND) if self.now.replace(microsecond=0) == at else at
        headers = more.pop("headers", None) or signed(body, self.now, **more)
        return self.receiver().receive(request(f"/{self.connection}/{table}", body, headers))


class HttpUnderTest(EventsUnderTest):
    """Tables of JSON objects, sent as arrays."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_sequence"}
    secret_values: Sequence[str] = (KEY,)

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {"tables": "none", "secret": "senders"}
        self.endpoint = Endpoint(self.options)

    def open_source(self, aws: Any) -> OpenSource:
        """With the tables that the connection names now, which a test changes without a program."""

        def opened(connection: Connection, _: Mapping[str, Any]) -> HttpSource:
            now = replace(connection, options={**connection.options, "tables": self.options["tables"]})
            return HttpSource(now, aws, self.endpoint.inbox(lambda: NOW), lambda: NOW)

        return opened

    def drop_table(self, table: str) -> None:
        """The connection names it no more."""
        del self._columns[table]
        self.options["tables"] = ", ".join(self._columns) or "none"

    def send(self, table: str, events: Sequence[Event], at: datetime) -> None:
        body = json.dumps(events, ensure_ascii=False).encode()
        more = {"content-encoding": "gzip"} if self.packed else {}
        answer = self.endpoint.send(table, gzip.compress(body) if self.packed else body, at, **more)
        assert (answer.status, answer.count) == (202, len(events)), answer

    def _made(self, table: str) -> None:
        self.options["tables"] = ", ".join(self._columns)

    def _sent(self, table: str, events: Sequence[Event], at: datetime) -> None:
        for some in [events] if len(events) < ONE_BY_ONE else [[one] for one in events]:
            self.send(table, some, at)


class PackedUnderTest(HttpUnderTest):
    """The same with gzip."""

    packed = True
