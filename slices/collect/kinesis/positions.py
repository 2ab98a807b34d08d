"""Where in a shard a batch begins and ends, by sequence numbers, which order a shard's events and never change; no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_PARTS = 40


@dataclass(frozen=True)
class Position:
    """A place between two events of a shard.

    kind: 'start', before the oldest; 'at', right before the event `sequence`; 'after', right after it; 'end', after the last event of
    a shard that takes no more.
    """

    kind: str
    sequence: str = ""

    def plain(self) -> list[str]:
        return [self.kind, self.sequence] if self.sequence else [self.kind]

    def is_past(self, sequence: str) -> bool:
        """Whether the event lies before this position."""
        if self.kind in ("start", "end"):
            return self.kind == "end"
        number, mine = int(sequence), int(self.sequence)
        return number < mine or (number == mine and self.kind == "after")


START, END = Position("start"), Position("end")


class Shard(NamedTuple):
    """A shard as the stream lists it. parents: those that it was split or merged from, also such as are forgotten by now.

    low, high: of the hashes of its events' keys.
    """

    id: str
    parents: tuple[str, ...] = ()
    low: int = 0
    high: int = 2**128 - 1


class Range(NamedTuple):
    """The events of a shard from a position to another."""

    shard: str
    begins: Position
    ends: Position

    def plain(self) -> list[Any]:
        return [self.shard, self.begins.plain(), self.ends.plain()]

    @staticmethod
    def of(plain: Any) -> Range:
        shard, begins, ends = plain
        return Range(shard, Position(*begins), Position(*ends))


def read_cursor(cursor: str) -> dict[str, Position]:
    """Shard ▸ where the last batch ended in it."""
    values = json.loads(cursor) if cursor else {}
    return {shard: Position(*plain) for shard, plain in values.get("positions", {}).items()}


def written(positions: Mapping[str, Position]) -> str:
    return json.dumps({"positions": {shard: position.plain() for shard, position in sorted(positions.items())}})


def parents_first(shards: Iterable[Shard]) -> list[Shard]:
    """Each shard after those that it was made from."""
    left, ordered = {shard.id: shard for shard in shards}, list[Shard]()
    while left:
        ready = [shard for shard in left.values() if not any(parent in left for parent in shard.parents)]
        ordered += sorted(ready or left.values())
        for shard in ready or list(left.values()):
            del left[shard.id]
    return ordered


def in_parts(ranges: Iterable[Range]) -> list[list[Any]]:
    """The ranges as they are handed out: a shard's reads are bounded by the shard, so each is a part of its own while it can be."""
    parts: list[list[Any]] = []
    for number, one in enumerate(ranges):
        if number < MOST_PARTS:
            parts.append([])
        parts[number % MOST_PARTS].append(one.plain())
    return parts
