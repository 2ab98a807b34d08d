"""Reads topics for a batch: turns its end into offsets to plan it, and reads from there to there to extract it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import beside
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.kafka.config import read_config, read_secret
from slices.collect.kafka.connecting import Cluster, token_of
from slices.collect.kafka.logic import told
from slices.collect.kafka.positions import Cursor, Cut, Range, Topic, cut, in_parts, unkept
from slices.collect.kafka.sampling import Sampling
from slices.collect.kafka.topics import Topics
from systems.events.columns import collected, described

KnownTable = Callable[[str], Schema | None]
log = logging.getLogger(__name__)


class KafkaSource(Source):
    """One connection, while one step works. aws: the boto3 session.

    known: a table's columns as the program in effect was compiled against them; None for none.
    """

    def __init__(self, connection: Connection, secret: Mapping[str, Any], aws: Any, known: KnownTable = lambda table: None) -> None:
        self._config, self._aws, self._known = read_config(connection), aws, known
        self.place = f"connection {connection.name} ({connection.position})"
        self._cluster = Cluster(self._config, read_secret(connection, secret), self.place, token_of(aws, self._config.cluster))
        self._told = told(self._config.key)
        self._found, self._samplings = dict[str, Topic | None](), dict[str, Sampling]()
        self._schemas: dict[str, Schema | None] = {}

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return list(self._config.names) or self._topics.names()

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._described(name) for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        topic = self._topic(table)
        return sampled(column.type, self._sampling(topic).values(source_name(column), SAMPLE_ROWS) if topic else [])

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """How many bytes a topic holds its brokers do not tell; its offsets tell how many events at most."""
        return {
            name: Size(rows=sum(kept.end - kept.oldest for kept in topic.partitions.values()))
            for name in tables
            if (topic := self._topic(name))
        }

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        self._there(flow, table)
        known = self._described(table.source)
        assert known is not None
        return collected(flow, table, known, self._told)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        topic = self._there(flow, table)
        aside = self._beside(flow, table, schema)
        if window.took is not None:
            return _planned(topic, self._taken_again(flow, topic, window.took), window.cursor, aside)
        if window.rerun:
            ranges = self._topics.between(topic, window.interval.start, window.interval.end)
            return _planned(topic, ranges, window.cursor or Cursor(topic.id, {}).text(), aside)
        found = cut(topic, Cursor.read(window.cursor))
        self._judge(flow, topic, found, window)
        changed = found.ranges or found.losses or window.first
        return _planned(topic, found.ranges, found.left.text(), aside) if changed else None

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.kafka.extracting import Extraction

        return Extraction(request, self._cluster, self._topics, self._aws).run(resume, deadline)

    def close(self) -> None:
        for sampling in self._samplings.values():
            sampling.close()

    # -- the pieces

    @cached_property
    def _topics(self) -> Topics:
        return Topics(self._cluster)

    def _taken_again(self, flow: Flow, topic: Topic, took: Mapping[str, Any]) -> list[Range]:
        """The ranges of a batch that is run again. Raises DefinitionError where its events are there no more."""
        ranges = [Range(*plain) for plain in took["ranges"]]
        lost = unkept(topic, ranges) if topic.id == took["topic"] else None
        if topic.id == took["topic"] and lost is None:
            return ranges
        gone = (
            f"events of {topic.name}, partition {lost.partition}, {lost.what}" if lost else f"{topic.name} was deleted and made again"
        )
        raise DefinitionError(f"{gone}: rows of the batch would be lost", place=str(flow.position), remedy=LEFT_AS_IT_IS)

    def _judge(self, flow: Flow, topic: Topic, found: Cut, window: Window) -> None:
        """Raises DefinitionError for events that may be lost, unless the connection goes on without them."""
        if not found.losses:
            return
        one, more = found.losses[0], len(found.losses) - 1
        others = f", and of {more} partitions more" if more else ""
        since = f"events of {topic.name} that came since {window.interval.start:%Y-%m-%d %H:%M:%S} UTC may be lost"
        told = f"{since}: of partition {one.partition} {one.what}{others}"
        if self._config.gap == "skip":
            log.warning("%s", told)
            return
        remedy = "let the topic keep its events for longer; to go on without them set the connection's `gap = 'skip'`"
        raise DefinitionError(told, place=str(flow.position), remedy=remedy)

    def _there(self, flow: Flow, table: Table) -> Topic:
        """The topic of a table. Raises DefinitionError where there is none."""
        place = str(flow.position)
        if self._config.names and table.source not in self._config.names:
            remedy = "add it to the connection's `topics`, and deploy again"
            raise DefinitionError(f"the connection names no topic {table.source}", place=place, remedy=remedy)
        topic = self._topic(table.source)
        if topic is None:
            remedy = "correct its name, or make the topic"
            raise DefinitionError(f"there is no topic {table.source}", place=place, remedy=remedy)
        return topic

    def _topic(self, table: str) -> Topic | None:
        """None for one that is not there, or is none of the connection's."""
        if table not in self._found:
            named = not self._config.names or table in self._config.names
            self._found[table] = self._topics.topic(table) if named else None
        return self._found[table]

    def _described(self, table: str) -> Schema | None:
        if table not in self._schemas:
            self._schemas[table] = self._looked_at(table)
        return self._schemas[table]

    def _looked_at(self, table: str) -> Schema | None:
        topic = self._topic(table)
        if topic is None or self._config.format == "text":
            return self._told.texts if topic else None
        return described(self._sampling(topic).keys(), self._known(table), self._told)

    def _sampling(self, topic: Topic) -> Sampling:
        return self._samplings.setdefault(topic.name, Sampling(self._cluster, topic, self._config))

    def _beside(self, flow: Flow, table: Table, schema: Schema) -> list[Any]:
        known = self._described(table.source) if flow.filter else None
        return [dataclasses.asdict(column) for column in beside(flow, schema, known)] if known else []


def _planned(topic: Topic, ranges: Sequence[Range], cursor: str, aside: list[Any]) -> TablePlan:
    """The plan of at least one part, also where there are no events."""
    parts = tuple({"topic": topic.id, "ranges": part, "beside": aside} for part in in_parts(ranges) or [[]])
    return TablePlan(parts, cursor, {"topic": topic.id, "ranges": [list(one) for one in ranges]})
