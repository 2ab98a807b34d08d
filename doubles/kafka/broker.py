"""Answers a client's requests from what the cluster holds, by the rights that the user has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from doubles.kafka import wire
from doubles.kafka.batches import sent
from doubles.kafka.cluster import Cluster, Topic
from doubles.kafka.sasl import MECHANISMS, Refused, Signing, Users

# https://kafka.apache.org/protocol.html#protocol_api_keys and #protocol_error_codes
PRODUCE, FETCH, OFFSETS, METADATA, COORDINATOR, HANDSHAKE, VERSIONS, PRODUCER_ID, AUTHENTICATE = 0, 1, 2, 3, 10, 17, 18, 22, 36
NAMES = {PRODUCE: "Produce", FETCH: "Fetch", OFFSETS: "ListOffsets", METADATA: "Metadata", COORDINATOR: "FindCoordinator"}
SPOKEN = {
    PRODUCE: (3, 7), FETCH: (4, 11), OFFSETS: (4, 5), METADATA: (12, 12), COORDINATOR: (0, 2), HANDSHAKE: (0, 1), VERSIONS: (0, 3),
    PRODUCER_ID: (0, 1), AUTHENTICATE: (0, 1),
}  # fmt: skip
OUT_OF_RANGE, UNKNOWN_TOPIC, TOPIC_DENIED, GROUP_DENIED, UNSUPPORTED_MECHANISM, SIGN_IN_FAILED = 1, 3, 29, 30, 33, 58
COMMITTED, NODE, NO_ID = 1, 1, UUID(int=0)
LATEST, EARLIEST = -1, -2


class HangUp(Exception):
    """The connection ends here."""


@dataclass
class Rules:
    """What a test has go wrong, or forbids.

    denied: pairs of user and topic.  errors: a request's name ▸ error codes of its next answers about topics.
    breaks: is asked, before and after each request is done, whether the connection ends there: of its name, and whether it is done.
    group_denied: as for a user who has rights on no group.
    """

    denied: set[tuple[str, str]] = field(default_factory=set)
    errors: dict[str, list[int]] = field(default_factory=dict)
    breaks: Callable[[str, bool], bool] = lambda name, done: False
    group_denied: bool = True


class Conversation:
    """One client's connection.  address: where the broker says that it is."""

    def __init__(self, cluster: Cluster, users: Users | None, rules: Rules, address: tuple[str, int]) -> None:
        self._cluster, self._users, self._rules, self._address = cluster, users, rules, address
        self._signing: Signing | None = None
        self.calls = list[str]()

    def answer(self, message: bytes) -> bytes:
        """The answer to a request, without its length. Raises HangUp."""
        reader = wire.Reader(message)
        api, version, correlation = reader.int16(), reader.int16(), reader.int32()
        reader.optional_text()
        head = wire.int32(correlation)
        if api == VERSIONS:
            return head + self._versions(version)
        if api in (HANDSHAKE, AUTHENTICATE):
            return head + (self._handshake(reader) if api == HANDSHAKE else self._authenticate(reader, version))
        if self._users is not None and not (self._signing and self._signing.user):
            raise HangUp
        name = NAMES.get(api, "")
        if self._rules.breaks(name, False):
            raise HangUp
        if api == METADATA:
            reader.tags()
            body = wire.NO_TAGS + self._metadata(reader)
        elif api == FETCH:
            body = self._fetch(reader, version)
        else:
            body = {OFFSETS: self._offsets, COORDINATOR: self._coordinator, PRODUCE: self._produce, PRODUCER_ID: self._producer}[api](
                reader, version
            )
        if self._rules.breaks(name, True):
            raise HangUp
        return head + body

    # -- who it is

    def _versions(self, version: int) -> bytes:
        if version > SPOKEN[VERSIONS][1]:
            return wire.int16(35) + wire.many([wire.int16(VERSIONS) + wire.int16(0) + wire.int16(SPOKEN[VERSIONS][1])])
        pairs = [wire.int16(api) + wire.int16(least) + wire.int16(most) for api, (least, most) in SPOKEN.items()]
        if version < 3:
            return wire.int16(0) + wire.many(pairs) + (wire.int32(0) if version else b"")
        return wire.int16(0) + wire.compact_many(pair + wire.NO_TAGS for pair in pairs) + wire.int32(0) + wire.NO_TAGS

    def _handshake(self, reader: wire.Reader) -> bytes:
        mechanism = reader.text()
        known = self._users is not None and mechanism in MECHANISMS
        if known and self._users is not None:
            self._signing = Signing(self._users, mechanism)
        return wire.int16(0 if known else UNSUPPORTED_MECHANISM) + wire.many(map(wire.text, MECHANISMS))

    def _authenticate(self, reader: wire.Reader, version: int) -> bytes:
        if self._signing is None:
            raise HangUp
        lifetime = wire.int64(0) if version else b""
        try:
            answer = self._signing.answer(reader.data())
        except Refused:
            return wire.int16(SIGN_IN_FAILED) + wire.text("Authentication failed") + wire.data(b"") + lifetime
        return wire.int16(0) + wire.text(None) + wire.data(answer) + lifetime

    def _topic(self, name: str, request: str) -> tuple[Topic | None, int]:
        """A topic, or why it is not to be had."""
        if codes := self._rules.errors.get(request):
            return None, codes.pop(0)
        if ((self._signing.user if self._signing else ""), name) in self._rules.denied:
            return None, TOPIC_DENIED
        topic = self._cluster.topics.get(name)
        return topic, 0 if topic else UNKNOWN_TOPIC

    # -- what is there

    def _metadata(self, reader: wire.Reader) -> bytes:
        def asked() -> str | None:
            reader.take(16)
            name = reader.compact_text()
            reader.tags()
            return name

        wanted = reader.compact_many(asked)
        user = self._signing.user if self._signing else ""
        names = (
            [n for n in self._cluster.topics if (user, n) not in self._rules.denied] if wanted is None else [n or "" for n in wanted]
        )
        host, port = self._address
        broker = wire.int32(NODE) + wire.compact_text(host) + wire.int32(port) + wire.compact_text(None) + wire.NO_TAGS
        told = wire.int32(0) + wire.compact_many([broker]) + wire.compact_text("double") + wire.int32(NODE)
        return told + wire.compact_many(map(self._described, names)) + wire.NO_TAGS

    def _described(self, name: str) -> bytes:
        topic, error = self._topic(name, "Metadata")
        partitions = range(len(topic.partitions)) if topic else ()
        ids = wire.compact_many([wire.int32(NODE)])
        each = (
            wire.int16(0) + wire.int32(n) + wire.int32(NODE) + wire.int32(0) + ids + ids + wire.compact_many([]) + wire.NO_TAGS
            for n in partitions
        )
        told = wire.int16(error) + wire.compact_text(name) + (topic.id if topic else NO_ID).bytes
        told += wire.int8(bool(topic and topic.internal)) + wire.compact_many(each)
        return told + wire.int32(-(2**31)) + wire.NO_TAGS

    def _coordinator(self, reader: wire.Reader, version: int) -> bytes:
        host, port = self._address
        error = GROUP_DENIED if self._rules.group_denied else 0
        where = wire.int32(-1) + wire.text("") + wire.int32(-1) if error else wire.int32(NODE) + wire.text(host) + wire.int32(port)
        return (wire.int32(0) if version else b"") + wire.int16(error) + (wire.text(None) if version else b"") + where

    def _offsets(self, reader: wire.Reader, version: int) -> bytes:
        reader.int32()
        committed = reader.int8() == COMMITTED

        def partition() -> tuple[int, int]:
            number, _, moment = reader.int32(), reader.int32(), reader.int64()
            return number, moment

        asked = reader.many(lambda: (reader.text(), reader.many(partition)))
        with self._cluster.changed:
            found = [(name, [self._offset(name, number, moment, committed) for number, moment in each]) for name, each in asked]
        return wire.int32(0) + wire.many(wire.text(name) + wire.many(each) for name, each in found)

    def _offset(self, name: str, number: int, moment: int, committed: bool) -> bytes:
        topic, error = self._topic(name, "ListOffsets")
        if topic and number >= len(topic.partitions):
            topic, error = None, UNKNOWN_TOPIC
        at, offset = -1, -1
        if topic:
            log = topic.partitions[number]
            end = log.stable if committed else log.end
            at, offset = (-1, end) if moment == LATEST else (-1, log.start) if moment == EARLIEST else log.since(moment, end)
        return wire.int32(number) + wire.int16(error) + wire.int64(at) + wire.int64(offset) + wire.int32(0)

    # -- records

    def _fetch(self, reader: wire.Reader, version: int) -> bytes:
        reader.int32()
        wait_ms, least, most, committed = reader.int32(), reader.int32(), reader.int32(), reader.int8() == COMMITTED
        if version >= 7:
            reader.take(8)

        def partition() -> tuple[int, int, int]:
            number, _ = reader.int32(), reader.int32() if version >= 9 else 0
            offset = reader.int64()
            _ = reader.int64() if version >= 5 else 0
            return number, offset, reader.int32()

        asked = reader.many(lambda: (reader.text(), reader.many(partition)))
        until = time.monotonic() + wait_ms / 1000
        with self._cluster.changed:
            while True:
                found, size = self._read(asked, version, committed, most)
                left = until - time.monotonic()
                if size >= least or left <= 0:
                    break
                self._cluster.changed.wait(left)
        session = wire.int16(0) + wire.int32(0) if version >= 7 else b""
        return wire.int32(0) + session + wire.many(wire.text(name) + wire.many(each) for name, each in found)

    def _read(self, asked: Any, version: int, committed: bool, most: int) -> tuple[list[tuple[str, list[bytes]]], int]:
        """What is told of each partition, and how much there is of it; an error is told at once."""
        found, size = list[tuple[str, list[bytes]]](), 0
        for name, partitions in asked:
            each = list[bytes]()
            for number, offset, most_here in partitions:
                told, got = self._read_one(name, number, offset, min(most_here, most - size), version, committed)
                each.append(told)
                size += got
            found.append((name, each))
        return found, size

    def _read_one(self, name: str, number: int, offset: int, most: int, version: int, committed: bool) -> tuple[bytes, int]:
        topic, error = self._topic(name, "Fetch")
        if topic and number >= len(topic.partitions):
            topic, error = None, UNKNOWN_TOPIC
        log = topic.partitions[number] if topic else None
        if log and not log.start <= offset <= log.end:
            error = OUT_OF_RANGE
        end, stable, start, records, aborted = (log.end, log.stable, log.start, b"", []) if log else (-1, -1, -1, b"", [])
        if log and not error:
            before = stable if committed else end
            records = log.read(offset, before, most)
            aborted = [(producer, first) for producer, first, last in log.aborted if committed and last >= offset]
        told = wire.int32(number) + wire.int16(error) + wire.int64(end) + wire.int64(stable)
        told += wire.int64(start) if version >= 5 else b""
        told += wire.many(wire.int64(producer) + wire.int64(first) for producer, first in aborted)
        told += wire.int32(-1) if version >= 11 else b""
        return told + wire.data(records), len(records) or (1 << 30 if error else 0)

    def _producer(self, reader: wire.Reader, version: int) -> bytes:
        return wire.int32(0) + wire.int16(0) + wire.int64(self._cluster.new_producer()) + wire.int16(0)

    def _produce(self, reader: wire.Reader, version: int) -> bytes:
        reader.optional_text()
        reader.take(6)
        asked = reader.many(lambda: (reader.text(), reader.many(lambda: (reader.int32(), reader.data()))))
        found = [(name, [self._add(name, number, batch) + b"" for number, batch in each]) for name, each in asked]
        return wire.many(wire.text(name) + wire.many(each) for name, each in found) + wire.int32(0)

    def _add(self, name: str, number: int, batch: bytes) -> bytes:
        topic, error = self._topic(name, "Produce")
        at, base, start = -1, -1, -1
        if topic:
            with self._cluster.changed:
                log = topic.partitions[number]
                at = self._cluster.now_ms() if topic.append_time else -1
                base, start = log.end, log.start
                log.add(sent(batch, base, at if topic.append_time else None))
                self._cluster.changed.notify_all()
        return wire.int32(number) + wire.int16(error) + wire.int64(base) + wire.int64(at) + wire.int64(start)
