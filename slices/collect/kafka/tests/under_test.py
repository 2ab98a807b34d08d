"""The door of the collect suite to a topic: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from doubles.kafka.sasl import Users
from doubles.kafka.server import Kafka
from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.kafka.client import KafkaSource
from slices.collect.kafka.slice import SLICE
from tests.conformance.sent_events import Event, EventsUnderTest

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


class KafkaUnderTest(EventsUnderTest):
    """Topics of JSON objects."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_sequence"}
    large_rows = 12_000
    secret_values: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self.broker = kafka()
        self.options: dict[str, Any] = {"brokers": self.broker.address, "auth": "none", "tls": False, "key": "json", "secret": ""}

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: KafkaSource(connection, secret, aws)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        for label in labels:
            self.broker.cluster.put(table, None, _key(label), at)

    def drop_table(self, table: str) -> None:
        self.broker.cluster.delete(table)

    def _made(self, table: str) -> None:
        self.broker.cluster.create(table)

    def _sent(self, table: str, events: Sequence[Event], at: datetime) -> None:
        for event in events:
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
