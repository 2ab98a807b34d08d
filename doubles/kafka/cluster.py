"""What a cluster holds: topics of partitions, with transactions, retention and compaction, as a test moves them."""

from __future__ import annotations

import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition
from zlib import crc32

from doubles.kafka.batches import ABORT, COMMIT, TRANSACTIONAL, Batch, Headers, Record, control

_1970, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def millis(moment: datetime) -> int:
    return (moment - _1970) // _MILLISECOND


@dataclass
class Partition:
    """A log.  start: the oldest offset that is kept.  open: transactions that have begun here, producer ▸ first offset.

    aborted: of each transaction that was given up here its producer, its first offset and that of its end.
    """

    batches: list[Batch] = field(default_factory=list)
    start: int = 0
    end: int = 0
    open: dict[int, int] = field(default_factory=dict)
    aborted: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def stable(self) -> int:
        """The offset before which every transaction has ended."""
        return min(self.open.values(), default=self.end)

    def add(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.end = batch.last + 1
        if batch.attributes & TRANSACTIONAL and not batch.is_control:
            self.open.setdefault(batch.producer, batch.base)

    def finish(self, producer: int, kind: int, at_ms: int) -> None:
        first = self.open.pop(producer)
        if kind == ABORT:
            self.aborted.append((producer, first, self.end))
        self.add(control(self.end, kind, producer, at_ms))

    def read(self, offset: int, before: int, most_bytes: int) -> bytes:
        """Whole batches, from that which holds the offset on; at least one where there is one."""
        found, size = list[bytes](), 0
        for batch in self.batches[bisect_left(self.batches, offset, key=lambda one: one.last) :]:
            if batch.last >= before or (found and size + len(batch.encoded) > most_bytes):
                break
            found.append(batch.encoded)
            size += len(batch.encoded)
        return b"".join(found)

    def since(self, at_ms: int, before: int) -> tuple[int, int]:
        """The time and the offset of the first record that is as young; -1, -1 where there is none."""
        records = (r for b in self.batches if not b.is_control for r in b.records if self.start <= r.offset < before)
        return next(((record.at_ms, record.offset) for record in records if record.at_ms >= at_ms), (-1, -1))

    def trim(self, offset: int) -> None:
        self.start = max(self.start, offset)
        self.batches = [batch for batch in self.batches if batch.last >= self.start]

    def compact(self) -> None:
        """Keeps the newest record of each key, a tombstone too; offsets stay what they are, and so does the newest batch."""
        newest: dict[bytes | None, int] = {
            r.key: r.offset for b in self.batches if not b.is_control for r in b.records if r.key is not None
        }
        kept = [
            b if b.is_control else b.kept([r for r in b.records if newest.get(r.key, r.offset) == r.offset]) for b in self.batches
        ]
        self.batches = [batch for batch in kept if batch.records or batch is kept[-1]]


@dataclass
class Topic:
    """append_time: its records have the broker's time.  internal: none that people make."""

    name: str
    partitions: list[Partition]
    append_time: bool = False
    internal: bool = False
    id: uuid.UUID = field(default_factory=uuid.uuid4)


class Cluster:
    """Every change is made under `changed`, by which readers wait.  clock: the broker's."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.topics, self.changed, self._clock = dict[str, Topic](), Condition(), clock
        self._producers = 0

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def new_producer(self) -> int:
        with self.changed:
            self._producers += 1
            return 1000 + self._producers

    def create(self, name: str, partitions: int = 1, *, append_time: bool = False, internal: bool = False) -> Topic:
        with self.changed:
            self.topics[name] = Topic(name, [Partition() for _ in range(partitions)], append_time, internal)
            self.changed.notify_all()
            return self.topics[name]

    def grow(self, name: str, partitions: int) -> None:
        with self.changed:
            here = self.topics[name].partitions
            here += [Partition() for _ in range(partitions - len(here))]

    def delete(self, name: str) -> None:
        with self.changed:
            del self.topics[name]
            self.changed.notify_all()

    def put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        at: datetime | None = None,
        *,
        partition: int | None = None,
        headers: Headers = (),
        producer: int = -1,
    ) -> tuple[int, int]:
        """A record of a producer that chooses the partition by the key; its partition and offset.  producer: in its transaction."""
        with self.changed:
            here = self.topics[topic].partitions
            number = crc32(key or b"") % len(here) if partition is None else partition
            return number, self._put(here[number], [(value, key, at, headers)], producer)

    def put_many(
        self, topic: str, values: Sequence[bytes], key: bytes | None = None, at: datetime | None = None, partition: int = 0
    ) -> None:
        """Records in one batch."""
        with self.changed:
            self._put(self.topics[topic].partitions[partition], [(value, key, at, ()) for value in values], -1)

    def _put(
        self, log: Partition, records: Sequence[tuple[bytes | None, bytes | None, datetime | None, Headers]], producer: int
    ) -> int:
        base = log.end
        made = [
            Record(base + n, millis(at) if at else self.now_ms(), key, value, headers)
            for n, (value, key, at, headers) in enumerate(records)
        ]
        attributes = TRANSACTIONAL if producer >= 0 else 0
        log.add(Batch(base, base + len(made) - 1, tuple(made), attributes, producer, made[-1].at_ms))
        self.changed.notify_all()
        return base

    def commit(self, producer: int) -> None:
        self._finish(producer, COMMIT)

    def abort(self, producer: int) -> None:
        self._finish(producer, ABORT)

    def _finish(self, producer: int, kind: int) -> None:
        with self.changed:
            for topic in self.topics.values():
                for log in topic.partitions:
                    if producer in log.open:
                        log.finish(producer, kind, self.now_ms())
            self.changed.notify_all()

    def trim(self, topic: str, partition: int, offset: int) -> None:
        """Deletes what is older, as retention does."""
        with self.changed:
            self.topics[topic].partitions[partition].trim(offset)

    def compact(self, topic: str) -> None:
        with self.changed:
            for log in self.topics[topic].partitions:
                log.compact()

    def truncate(self, topic: str, partition: int, end: int) -> None:
        """Forgets the newest records, as an unclean election of a leader does."""
        with self.changed:
            log = self.topics[topic].partitions[partition]
            log.batches = [batch for batch in log.batches if batch.last < end]
            log.end, log.start = end, min(log.start, end)
