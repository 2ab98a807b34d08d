"""Reads a range of a partition, page by page, to exactly its last offset: by position, since control records and gaps count too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from shared_metadata.errors import RetryLater
from slices.collect.kafka import connecting
from slices.collect.kafka.connecting import Cluster, Told, meant
from slices.collect.kafka.positions import Range

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

PAGE_EVENTS = 5_000
_LOOK_SECONDS = 0.2
PLANNED_AGAIN = "nothing: the batch is planned again, and says whether anything is lost"


class Trimmed(RetryLater):
    """An event of the range is there no more: retention has overtaken it, or the topic is another one."""


class Page(NamedTuple):
    """position: the next offset after it.  done: it is the range's last."""

    messages: list[Message]
    position: int
    done: bool


class Reader:
    """One topic's. A context manager."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._topic, self._place, self._told = topic, cluster.place, Told(cluster)
        self._consumer = cluster.consumer(self._told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def pages(self, one: Range) -> Iterator[Page]:
        """Reads on to its end. Raises Trimmed, RetryLater where brokers are down, DefinitionError for what is denied or gone."""
        from confluent_kafka import TopicPartition

        position, heard = one.begins, time.monotonic()
        if position >= one.ends:
            return
        self._consumer.assign([TopicPartition(self._topic, one.partition, position)])
        try:
            while position < one.ends:
                found = self._next()
                messages, position = self._taken(found, one, position)
                if found:
                    heard = time.monotonic()
                else:
                    self._told.check()
                    if time.monotonic() > heard + connecting.ANSWER_SECONDS:
                        raise self._told.down()
                if messages or position >= one.ends:
                    self._told.answered()
                    yield Page(messages, position, position >= one.ends)
        finally:
            self._consumer.unassign()

    def _next(self) -> list[Message]:
        """What is there once something is: the library itself would wait until it is as much as it may be."""
        first = self._consumer.poll(_LOOK_SECONDS)
        return [] if first is None else [first, *self._consumer.consume(PAGE_EVENTS - 1, 0)]

    def _taken(self, found: list[Message], one: Range, position: int) -> tuple[list[Message], int]:
        """The range's events, and the next offset behind them: at least its end where there is nothing more of it."""
        messages: list[Message] = []
        for message in found:
            error, offset = message.error(), message.offset()
            if error is not None:
                position = max(position, self._heard(error, offset, one))
            elif message.partition() == one.partition and offset is not None and offset >= position:
                if offset >= one.ends:
                    return messages, one.ends
                messages.append(message)
                position = offset + 1
        return messages, position

    def _heard(self, error: KafkaError, offset: int | None, one: Range) -> int:
        """Where reading stands after what is told beside events."""
        from confluent_kafka import KafkaError

        code = error.code()
        if code == KafkaError._PARTITION_EOF and offset is not None and offset >= one.ends:
            return offset
        if code in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            what = f"{self._topic}, partition {one.partition}: of the events up to offset {one.ends - 1} some are there no more"
            raise Trimmed(what, place=self._place, remedy=PLANNED_AGAIN)
        if code in _of_groups():
            return 0
        if code in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._told.add(error)
            self._told.check()
            return 0
        raise meant(error, self._topic, self._place)


def _of_groups() -> tuple[int, ...]:
    """The library looks for the group that it was given the name of, and nothing here needs one."""
    from confluent_kafka import KafkaError

    return (
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    )
