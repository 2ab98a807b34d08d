"""Looks at a topic's newest events: which keys they have, and what their values are."""

from __future__ import annotations

from slices.collect.kafka.config import Config
from slices.collect.kafka.connecting import Cluster
from slices.collect.kafka.logic import told
from slices.collect.kafka.positions import Range, Topic
from slices.collect.kafka.reading import Reader, Trimmed
from slices.collect.kafka.records import Gathering
from systems.events import sampled
from systems.events.lines import Lines

SAMPLE_EVENTS, PARTITIONS = 1000, 8


class Sampling(sampled.Sampling):
    """Events of the last offsets of a few partitions; where compaction has left little there, that little."""

    def __init__(self, cluster: Cluster, topic: Topic, config: Config) -> None:
        super().__init__(told(config.key))
        self._cluster, self._topic, self._config = cluster, topic, config

    def gather(self, lines: Lines) -> None:
        filled = [(number, kept) for number, kept in sorted(self._topic.partitions.items()) if kept.oldest < kept.end][-PARTITIONS:]
        if not filled:
            return
        most = SAMPLE_EVENTS // len(filled)
        with Reader(self._cluster, self._topic.name) as reader:
            for number, kept in filled:
                gathering = Gathering(lines, self._config)
                try:
                    for page in reader.pages(Range(number, max(kept.oldest, kept.end - most), kept.end)):
                        gathering.add(page.messages)
                except Trimmed:  # the rest is as good a sample
                    continue
