"""Which events a batch takes, by the offsets of each partition, which order its events and never change; no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_PARTS = 40


class Range(NamedTuple):
    """The events of a partition from an offset up to, and without, another."""

    partition: int
    begins: int
    ends: int


class Kept(NamedTuple):
    """What a partition keeps: from the oldest offset up to that of the next event that no transaction holds back any more."""

    oldest: int
    end: int


@dataclass(frozen=True)
class Topic:
    """A topic as it is now. id: another one once it was deleted and made again; '' where the brokers tell none."""

    name: str
    id: str
    partitions: Mapping[int, Kept]


@dataclass(frozen=True)
class Cursor:
    """Where the last batch ended: of the topic with this id, the next offset of each partition."""

    id: str
    offsets: Mapping[int, int]

    def text(self) -> str:
        return json.dumps({"topic": self.id, "offsets": {str(number): offset for number, offset in sorted(self.offsets.items())}})

    @staticmethod
    def read(text: str) -> Cursor | None:
        """None before the first batch."""
        values = json.loads(text) if text else {}
        if "offsets" not in values:
            return None
        return Cursor(values["topic"], {int(number): offset for number, offset in values["offsets"].items()})


@dataclass(frozen=True)
class Loss:
    """Events that may never be collected.  what: in words, with the offsets."""

    partition: int
    what: str


class Cut(NamedTuple):
    """What a batch takes of a topic, where it leaves it, and what it finds lost."""

    ranges: list[Range]
    left: Cursor
    losses: list[Loss]


def cut(topic: Topic, known: Cursor | None) -> Cut:
    """All that has come since the last batch; at first what the topic still keeps.

    A partition that is new is begun with its first event. Of a topic that was made again all is new, and of the former one is lost
    what was not collected. Where the newest events are gone, as after an unclean election, reading goes on behind what is there.
    """
    if known is None:
        ranges = [Range(number, kept.oldest, kept.end) for number, kept in sorted(topic.partitions.items())]
        return _made(topic, ranges, [])
    if _is_another(topic, known):
        gone = [
            Loss(number, f"from offset {offset} on, as the topic was deleted and made again")
            for number, offset in known.offsets.items()
        ]
        return _made(topic, cut(topic, None).ranges, gone)
    ranges, losses = list[Range](), list[Loss]()
    for number, kept in sorted(topic.partitions.items()):
        begins = known.offsets.get(number, 0)
        if kept.end < begins:
            losses.append(Loss(number, f"up to offset {begins}, as its newest event has {kept.end - 1} now"))
        elif kept.oldest > begins:
            losses.append(
                Loss(number, f"with the offsets {begins} to {kept.oldest - 1}, as the topic keeps those from {kept.oldest} on")
            )
        begins = min(max(begins, kept.oldest), kept.end)
        ranges.append(Range(number, begins, kept.end))
    return _made(topic, ranges, losses)


def unkept(topic: Topic, ranges: Iterable[Range]) -> Loss | None:
    """The first of these events that the topic has no more, or has others for."""
    for one in ranges:
        kept = topic.partitions.get(one.partition)
        if kept is None or kept.end < one.ends:
            return Loss(one.partition, f"up to offset {one.ends - 1}, which the topic has no more")
        if kept.oldest > one.begins:
            return Loss(
                one.partition, f"with the offsets {one.begins} to {kept.oldest - 1}, as the topic keeps those from {kept.oldest} on"
            )
    return None


def in_parts(ranges: Iterable[Range]) -> list[list[Any]]:
    """The ranges as they are handed out: each is a part of its own while it can be."""
    parts: list[list[Any]] = []
    for number, one in enumerate(ranges):
        if number < MOST_PARTS:
            parts.append([])
        parts[number % MOST_PARTS].append(list(one))
    return parts


def _is_another(topic: Topic, known: Cursor) -> bool:
    if topic.id and known.id:
        return topic.id != known.id
    return any(number not in topic.partitions or topic.partitions[number].end < offset for number, offset in known.offsets.items())


def _made(topic: Topic, ranges: Iterable[Range], losses: list[Loss]) -> Cut:
    left = Cursor(topic.id, {number: kept.end for number, kept in topic.partitions.items()})
    return Cut([one for one in ranges if one.begins < one.ends], left, losses)
