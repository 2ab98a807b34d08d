"""Looks at a stream's newest events: which keys they have, and what their values are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from slices.collect.kinesis.config import Config
from slices.collect.kinesis.logic import TOLD
from slices.collect.kinesis.positions import START, Position
from slices.collect.kinesis.records import gather
from slices.collect.kinesis.streams import Stream
from systems.events import sampled
from systems.events.lines import Lines

SAMPLE_EVENTS, FEWEST_EVENTS, SHARDS, LOOKS = 1000, 100, 8, 3
LOOK_BACK_SECONDS = (60, 3600, 86_400)


class Sampling(sampled.Sampling):
    """now: the time."""

    def __init__(self, stream: Stream, config: Config, now: datetime) -> None:
        super().__init__(TOLD)
        self._stream, self._config, self._now = stream, config, now

    def gather(self, lines: Lines) -> None:
        for shard in sorted(self._stream.shards(), reverse=True)[:SHARDS]:
            if lines.count < SAMPLE_EVENTS:
                gather(lines, self._stream.shard(shard), self._newest(shard), self._config.compression)

    def _newest(self, shard: str) -> list[dict[str, Any]]:
        """The last of a shard that a few looks find; from further back where these are few."""
        looks: list[datetime | Position] = [self._now - timedelta(seconds=back) for back in LOOK_BACK_SECONDS]
        for since in (*looks, START):
            found = list[dict[str, Any]]()
            for number, page in enumerate(self._stream.pages(shard, since, SAMPLE_EVENTS), 1):
                found += page.records
                if page.at_tip or (number >= LOOKS and (found or since != START)):
                    break
            if len(found) >= FEWEST_EVENTS:
                break
        return found[-SAMPLE_EVENTS:]
