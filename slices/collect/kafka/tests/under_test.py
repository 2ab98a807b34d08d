"""The door of the collect suite to a topic: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from doubles.kafka.sasl import Users
from doubles.kafka.server import Kafka
from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.kafka.client import KafkaSource
from slices.collect.kafka.slice import SLICE
from tests.conformance import hostile
from tests.conformance.collect import Row

USER, PASSWORD = "atoll, reading=all", 'pa"ss, wörd={}\\'
NOBODY = "127.0.0.1:9"  # a port at which nothing listens


@cache
def kafka() -> Kafka:
    """A broker that lets everybody in."""
    return Kafka()


@cache
def locked() -> Kafka:
    """One at which users sign in."""
    return Kafka(Users({USER: PASSWORD}))


class KafkaUnderTest:
    """Topics of JSON objects."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_sequence"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND}
    large_rows, most_columns = 12_000, 500
    hostile_names = hostile.NAMES
    secret: Mapping[str, Any] = {}
    refused_secret: Mapping[str, Any] = {}
    unreachable_secret: Mapping[str, Any] = {}
    secret_values: Sequence[str] = ()
    unreadable_day = "2026-02-31"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    def __init__(self) -> None:
        self.made, self.broker = uuid.uuid4().hex[:8], kafka()
        self.options: dict[str, Any] = {"brokers": self.broker.address, "auth": "none", "tls": False, "key": "json", "secret": ""}
        self._columns: dict[str, dict[str, str]] = {}

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: KafkaSource(connection, secret, aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        table = f"thing-{self.made}-{len(self._columns) + 12}"
        self._columns[table] = dict(columns)
        self.broker.cluster.create(table)
        return table

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        for row in rows:
            self.send(table, {name: _plain(row.get(name)) for name in self._columns[table]}, at)

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self.send(table, {"label": label, "day": self.unreadable_day}, at)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        for label in labels:
            self.broker.cluster.put(table, None, _key(label), at)

    def drop_column(self, table: str, column: str) -> None:
        """Events have none from now on."""
        del self._columns[table][column]

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def rename_column(self, table: str, column: str, name: str) -> None:
        self._columns[table] = {name if one == column else one: kind for one, kind in self._columns[table].items()}

    def drop_table(self, table: str) -> None:
        self.broker.cluster.delete(table)

    def collected_name(self, column: str) -> str:
        return column

    def send(self, table: str, event: Mapping[str, Any], at: datetime) -> None:
        value = json.dumps(event, ensure_ascii=False).encode()
        self.broker.cluster.put(table, value, _key(event.get("label")), at)


class SignedInUnderTest(KafkaUnderTest):
    """The same of a cluster at which users sign in, whose brokers the secret names."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = locked()
        self.options = {"auth": "scram-sha-512", "tls": False, "key": "json"}
        self.secret = {"username": USER, "password": PASSWORD, "brokers": self.broker.address}
        self.refused_secret = {**self.secret, "password": "another"}
        self.unreachable_secret = {**self.secret, "brokers": NOBODY}
        self.secret_values = (PASSWORD,)


def _key(label: Any) -> bytes:
    return json.dumps({"label": label}, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
