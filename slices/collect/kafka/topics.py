"""Asks a cluster for its topics, and what each partition of one keeps."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import wait
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.kafka import connecting
from slices.collect.kafka.connecting import Cluster, Told, is_gone, meant
from slices.collect.kafka.positions import Kept, Range, Topic

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_LOOK_SECONDS = 0.05
OLDEST, END = -2, -1  # in the place of a moment
NONE_AS_YOUNG = -1  # the offset that is told for a moment
_OWN = "__"  # what topics of Kafka itself begin with


class Topics:
    """A client that only asks.  Raises RetryLater where the brokers are down, DefinitionError for what is denied."""

    def __init__(self, cluster: Cluster) -> None:
        from confluent_kafka.admin import AdminClient

        self._place, self._told = cluster.place, Told(cluster)
        self._client: AdminClient = AdminClient(cluster.settings(self._told))

    def names(self) -> list[str]:
        """Those that the user may see."""
        self._signed_in()
        listed = self._client.list_topics(timeout=connecting.ANSWER_SECONDS).topics
        return sorted(name for name, one in listed.items() if not name.startswith(_OWN) and one.error is None)

    def id(self, name: str) -> str | None:
        """A topic's id, '' where the brokers tell none; None for a topic that is not there."""
        from confluent_kafka import KafkaException

        try:
            return str(self._described(name).topic_id or "")
        except KafkaException as error:
            if is_gone(error.args[0]):
                return None
            raise meant(error.args[0], name, self._place) from None

    def topic(self, name: str) -> Topic | None:
        """None for one that is not there."""
        from confluent_kafka import KafkaException

        try:
            described = self._described(name)
            numbers = [one.id for one in described.partitions]
            oldest, ends = (self._offsets(name, numbers, moment) for moment in (OLDEST, END))
        except KafkaException as error:
            if is_gone(error.args[0]):
                return None
            raise meant(error.args[0], name, self._place) from None
        kept = {number: Kept(oldest[number].offset, ends[number].offset) for number in numbers}
        return Topic(name, str(described.topic_id or ""), kept)

    def between(self, topic: Topic, start: datetime, end: datetime) -> list[Range]:
        """Tells of each partition what lies between the first event that is as young as `start`, and that which is as young as `end`.

        Raises DefinitionError where some of it may have been deleted.
        """
        from confluent_kafka import KafkaException

        try:
            moments = [_millis(start), _millis(end), 0]
            begins, ends, oldest = (self._offsets(topic.name, topic.partitions, moment) for moment in moments)
        except KafkaException as error:
            raise meant(error.args[0], topic.name, self._place) from None
        found = list[Range]()
        for number, kept in sorted(topic.partitions.items()):
            if kept.oldest and oldest[number].timestamp > _millis(start):
                cause = (
                    f"{topic.name}, partition {number}: events before offset {kept.oldest} are deleted, perhaps some of the interval"
                )
                raise DefinitionError(cause, place=self._place, remedy="run again what begins later")
            first, last = (kept.end if one[number].offset < 0 else one[number].offset for one in (begins, ends))
            found += [Range(number, first, last)] if first < last else []
        return found

    # -- the pieces

    def _described(self, name: str) -> Any:
        """The library's description. Raises KafkaException."""
        from confluent_kafka import TopicCollection

        return self._answer(self._client.describe_topics(TopicCollection([name]))[name])

    def _offsets(self, name: str, partitions: Iterable[int], moment: int) -> dict[int, Any]:
        """What is told of each partition. moment: OLDEST, END, or milliseconds since 1970.

        Raises KafkaException; RetryLater where one is not told.
        """
        from confluent_kafka import IsolationLevel, TopicPartition, admin

        specs: Any = admin.OffsetSpec  # type: ignore[attr-defined]
        spec = specs.earliest() if moment == OLDEST else specs.latest() if moment == END else specs.for_timestamp(moment)
        asked = {TopicPartition(name, number): spec for number in partitions}
        answers = self._client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
        found = {one.partition: self._answer(future) for one, future in answers.items()}
        least = 0 if moment in (OLDEST, END) else NONE_AS_YOUNG
        if any(
            one.offset < least for one in found.values()
        ):  # what the library gives for a partition whose answer was lost, without an error
            raise RetryLater(f"the offsets of {name} were not told", place=self._place, remedy="nothing, the batch is tried again")
        return found

    def _answer(self, future: Any) -> Any:
        """Raises KafkaException of the topic; what the client has been told while it waited."""
        from confluent_kafka import KafkaError, KafkaException

        until = time.monotonic() + connecting.ANSWER_SECONDS
        while not future.done():
            self._told.check()
            if time.monotonic() > until:
                raise self._told.down()
            wait([future], _LOOK_SECONDS)
            self._client.poll(0)  # which is when it tells
        try:
            found = future.result()
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT):
                self._told.check()
                raise self._told.down() from None
            raise
        self._told.answered()
        return found

    def _signed_in(self) -> None:
        self._answer(self._client.describe_cluster())


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
