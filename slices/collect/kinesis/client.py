"""Reads streams for a batch: finds where it ends in each shard to plan it, and reads from there to there to extract it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import beside
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.kinesis.config import read_config
from slices.collect.kinesis.cutting import Cutting
from slices.collect.kinesis.logic import TOLD
from slices.collect.kinesis.positions import Range, in_parts, read_cursor, written
from slices.collect.kinesis.sampling import Sampling
from slices.collect.kinesis.streams import Stream
from systems.events.columns import collected, described

KnownTable = Callable[[str], Schema | None]
OpenClient = Callable[[str], Any]  # region ▸ a client of Kinesis


class KinesisSource(Source):
    """One connection, while one step works. aws: the boto3 session.  kinesis: opens a client.  clock: tells the time.

    known: a table's columns as the program in effect was compiled against them; None for none.
    """

    def __init__(
        self,
        connection: Connection,
        aws: Any,
        kinesis: OpenClient,
        clock: Callable[[], datetime],
        known: KnownTable = lambda table: None,
    ) -> None:
        self._config, self._aws, self._kinesis, self._clock, self._known = read_config(connection), aws, kinesis, clock, known
        self.place = f"connection {connection.name} ({connection.position})"
        self._streams, self._samplings = dict[str, Stream | None](), dict[str, Sampling]()
        self._schemas: dict[str, Schema | None] = {}

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return sorted(self._config.arns)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._described(name) for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        stream = self._stream(table)
        return sampled(column.type, self._sampling(stream).values(source_name(column), SAMPLE_ROWS) if stream else [])

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """How much a stream holds it does not tell."""
        return {name: Size() for name in tables if self._stream(name)}

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        locked = [
            name for name in (self.tables() if tables is None else tables) if (stream := self._stream(name)) and stream.is_locked
        ]
        remedy = "name the key as the connection's `kms_key`, and let its policy allow the functions' roles"
        return {} if self._config.kms_key else dict.fromkeys(locked, f"it is encrypted with a key of its owner's: {remedy}")

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        self._there(flow, table)
        known = self._described(table.source)
        assert known is not None
        return collected(flow, table, known, TOLD)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        stream = self._there(flow, table)
        aside = self._beside(flow, table, schema)
        if window.took is not None:
            return _planned([Range.of(plain) for plain in window.took["ranges"]], window.cursor, aside)
        end = window.interval.end
        known = read_cursor(window.cursor)
        since = window.interval.start if known and not window.rerun else None
        cutting = Cutting(stream, end, since, self._clock(), str(flow.position), skip=self._config.gap == "skip")
        if window.rerun:
            return _planned(cutting.between(window.interval.start), window.cursor or written({}), aside)
        ranges, left = cutting.ranges(known)
        return _planned(ranges, written(left), aside) if ranges or window.first else None

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.kinesis.extracting import Extraction

        return Extraction(request, self._there(request.flow, request.table, deadline), self._config, self._aws).run(resume, deadline)

    def close(self) -> None:
        for sampling in self._samplings.values():
            sampling.close()

    # -- the pieces

    def _there(self, flow: Flow, table: Table, deadline: Deadline | None = None) -> Stream:
        """The stream of a table. Raises DefinitionError where there is none."""
        place = str(flow.position)
        if table.source not in self._config.arns:
            remedy = "add its ARN to the connection's `streams`, and deploy again"
            raise DefinitionError(f"the connection names no stream {table.source}", place=place, remedy=remedy)
        stream = self._opened(table.source, deadline) if deadline else self._stream(table.source)
        if stream is None:
            remedy = "correct the connection's `streams`, or make the stream"
            raise DefinitionError(f"there is no stream {self._config.arns[table.source]}", place=place, remedy=remedy)
        return stream

    def _stream(self, table: str) -> Stream | None:
        """None for one that is not there, or is none of the connection's."""
        if table not in self._streams:
            stream = self._opened(table) if table in self._config.arns else None
            self._streams[table] = stream if stream and stream.is_there else None
        return self._streams[table]

    def _opened(self, table: str, deadline: Deadline | None = None) -> Stream:
        arn = self._config.arns[table]
        return Stream(self._kinesis(arn.split(":")[3]), arn, self.place, deadline)

    def _described(self, table: str) -> Schema | None:
        if table not in self._schemas:
            self._schemas[table] = self._looked_at(table)
        return self._schemas[table]

    def _looked_at(self, table: str) -> Schema | None:
        stream = self._stream(table)
        if stream is None or self._config.format == "text":
            return TOLD.texts if stream else None
        return described(self._sampling(stream).keys(), self._known(table), TOLD)

    def _sampling(self, stream: Stream) -> Sampling:
        return self._samplings.setdefault(stream.name, Sampling(stream, self._config, self._clock()))

    def _beside(self, flow: Flow, table: Table, schema: Schema) -> list[Any]:
        known = self._described(table.source) if flow.filter else None
        return [dataclasses.asdict(column) for column in beside(flow, schema, known)] if known else []


def _planned(ranges: Sequence[Range], cursor: str, aside: list[Any]) -> TablePlan:
    """The plan of at least one part, also where there are no events."""
    parts = tuple({"ranges": part, "beside": aside} for part in in_parts(ranges) or [[]])
    return TablePlan(parts, cursor, {"ranges": [one.plain() for one in ranges]})
