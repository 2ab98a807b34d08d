"""Collects tables by a tap, for a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from threading import Timer
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.projection import place_of, projected
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Mode, Table
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults
from shared_metadata.spelling import did_you_mean
from systems.singer import states
from systems.singer.catalog import DELETED, FULL, LOG_BASED, Stream, chosen, streams_of
from systems.singer.declared import CURSOR_TYPES
from systems.singer.options import config_of, lag_of
from systems.singer.process import Tap
from systems.singer.tap_file import Document

DELETED_COLUMN = SchemaColumn("_deleted", "boolean")
DISCOVER_SECONDS, SAMPLE_SECONDS = 240.0, 60.0


class SingerSource(Source):
    """One connection, while one step works. aws: the boto3 session that Parquet is written with; only `extract` needs it."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], document: Document, aws: Any = None) -> None:
        self._place = f"connection {connection.name} ({connection.position})"
        self._document, self._aws, self._lag = document, aws, lag_of(connection)
        config = config_of(connection, secret, document)
        self._tap = partial(Tap, document, config, place=self._place, reference=str(connection.options.get("secret") or ""))
        self._catalog: Any = None
        self._known: dict[str, Stream] | None = None

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return sorted(name for name, stream in self._streams().items() if not stream.why_no_table())

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        there = set(self.tables())
        return {name: Schema(self._streams()[name].columns) if name in there else None for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        """Values of the first records that a run brings, which is then ended."""
        if self._document["image"]:  # which only a task runs
            return sampled(column.type, [])
        found, stream, values = source_name(column), self._streams()[table], list[Any]()
        own = json.dumps(stream.id).encode()
        with self._tap() as tap:
            timer = Timer(SAMPLE_SECONDS, tap.end)
            timer.daemon = True
            timer.start()
            for line in tap.messages(chosen(self._catalog, stream, [found], cursor=""), None):
                if b'"RECORD"' in line and own in line and isinstance(record := json.loads(line).get("record"), dict):
                    values.append(record.get(found))
                if len(values) >= SAMPLE_ROWS or tap.ended_here:
                    break
            timer.cancel()
        return sampled(column.type, values)

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        return {name: self._streams()[name].defaults() for name in tables if name in self._streams()}

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """No tap tells."""
        return {name: Size() for name in tables if name in self._streams()}

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        stream = self._stream(flow, table)
        by_source = {column.source: column for column in stream.columns}
        by_name = {column.name: column for column in reversed(stream.columns)}  # of equal ones the first

        def find(name: str, source: str) -> SchemaColumn:
            if (found := by_source.get(source) or by_name.get(source.lower())) is None:
                remedy = did_you_mean(source, by_source) + "change the program"
                raise DefinitionError(f"{table.source} has no column {source}", place=place_of(flow, table), remedy=remedy)
            return found

        found = projected(flow, table, Schema(stream.columns), find)
        return Schema((*found.columns, DELETED_COLUMN)) if stream.reports_deletes else found

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        """One part, always: whether anything is new only a run of the tap tells."""
        stream = self._stream(flow, table)
        until, state = states.of_cursor(window.cursor)
        merged = flow.mode == Mode.MERGE
        cursor = self._cursor(flow, table, stream) if merged and flow.cursor else None
        known = {column.source: column.type for column in stream.columns}
        beside = {cursor.source} if cursor else set()
        beside |= {source for source in known if source.lower() in flow.filter.lower()}
        beside |= {DELETED} if stream.reports_deletes else set()
        types = {c.source: c.type for c in schema.columns if c.source}
        types |= {source: known[source] for source in sorted(beside - {*types})}
        lower = window.interval.start if window.rerun else until - timedelta(seconds=self._lag) if until else None
        cut: dict[str, Any] = {}
        if cursor and cursor.source_type in CURSOR_TYPES:  # what only rises is cut by the tap alone
            bounds = {"lower": to_text(lower) if lower else None, "upper": to_text(window.interval.end)}
            cut = {"field": cursor.source, "day": cursor.source_type == "date", **bounds}
        goes_on = merged and (stream.forced == LOG_BASED or (cursor is not None and stream.forced != FULL))
        part = {
            "catalog": chosen(self._catalog, stream, [*types], cursor=cursor.source if cursor else ""),
            "stream": stream.table,
            "said": dict(stream.said),
            "known": {source: known[source] for source in types},
            "fields": types,
            "state": state if not window.rerun and goes_on else None,
            "cut": cut,
            "deleted": f"({identifier(DELETED)} IS NOT NULL)" if stream.reports_deletes else "",
        }
        return TablePlan((part,), states.cursor_text(window.interval.end, None))

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from systems.singer.extracting import Extraction
        from systems.singer.messages import Reader
        from systems.singer.pages import Pages

        part, place, end = request.part, place_of(request.flow, request.table), request.window.interval.end
        stream = streams_of(part["catalog"], {part["stream"]: part["said"]}, self._place)[part["stream"]]
        merged, timed = request.flow.mode == Mode.MERGE, bool(part["cut"])

        def handed_on(state: Any) -> str:
            if not merged:
                return states.cursor_text(end, None)
            return states.cursor_text(end, states.handed_on(part["state"], state, end, self._lag, timed=timed, place=place))

        pages, reader = Pages(self._aws, request, place), Reader(stream, part["known"], place)
        try:
            return Extraction(self._tap, reader, pages, part["catalog"], not merged, handed_on, place).run(
                part["state"], resume, deadline
            )
        finally:
            pages.close()

    def close(self) -> None:
        """Nothing stays open."""

    # -- the pieces

    def _streams(self) -> dict[str, Stream]:
        if self._known is None:
            self._catalog = self._document["catalog"]
            if self._catalog is None:
                with self._tap() as tap:
                    self._catalog = tap.discover(DISCOVER_SECONDS)
            self._known = streams_of(self._catalog, self._document["tables"], self._place)
        return self._known

    def _stream(self, flow: Flow, table: Table) -> Stream:
        """Raises DefinitionError for a table that the tap's catalog has not, or that can be none."""
        stream = self._streams().get(table.source)
        if stream is None:
            remedy = did_you_mean(table.source, self._streams()) + "change the program, or the tap's configuration"
            raise DefinitionError(f"the tap's catalog has no stream {table.source}", place=place_of(flow, table), remedy=remedy)
        if why := stream.why_no_table():
            raise DefinitionError(f"{table.source} can be no table: {why}", place=place_of(flow, table), remedy="leave it out")
        return stream

    def _cursor(self, flow: Flow, table: Table, stream: Stream) -> SchemaColumn:
        """The column by which rows are cut. Raises DefinitionError for one by which the tap does not go."""
        column = next((column for column in stream.columns if column.name == flow.cursor), None)
        if column is None:
            raise DefinitionError(f"{table.source} has no column {flow.cursor}", place=place_of(flow, table), remedy="change CURSOR")
        own = stream.replication_key
        if own and own != column.source and stream.forced != FULL:
            raise DefinitionError(
                f"the tap reads {table.source} by {own}, and a cut by {flow.cursor} would lose rows",
                place=place_of(flow, table),
                remedy=f"write CURSOR {own.lower()}",
            )
        return column
