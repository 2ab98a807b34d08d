"""Reads the installation's own records for a batch: what happened by the moment at which it was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import place_of, projected
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.sizes import Size
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.drift.column_values import ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.spelling import did_you_mean
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_actions import EVENT_DAYS
from slices.collect.atoll.config import read_config
from slices.collect.atoll.logic import Span, cursor_after, span_of
from slices.collect.atoll.records import Records
from slices.collect.atoll.tables import COMPLETED, TABLES


class AtollSource(Source):
    """The records of the installation whose functions ask. services: of the function."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._config, self._services = read_config(connection), services

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return sorted(TABLES)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: TABLES.get(name) for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        """Nothing: columns are never renamed."""
        return sampled(column.type, [])

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """The size of each, which is not counted."""
        return {name: Size() for name in tables if name in TABLES}

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        known = self._known(flow, table)
        columns = {column.source: column for column in known.columns}

        def find(name: str, source: str) -> SchemaColumn:
            if source.lower() not in columns:
                remedy = did_you_mean(source, columns) + "change the program"
                raise DefinitionError(f"{table.source} has no column {source}", place=place_of(flow, table), remedy=remedy)
            return columns[source.lower()]

        return projected(flow, table, known, find)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        self._check_cursor(flow, table, schema)
        kept_since = self._services.clock() - timedelta(days=EVENT_DAYS)
        span = span_of(window, self._config.behind, kept_since)
        if window.first:
            span = Span(self._first(span), span.until)
        else:
            # a batch without records leaves the cursor, and has seen that there were none
            seen = span.since if window.rerun else max(span.since, window.interval.start - self._config.behind)
            self._check_kept(flow, table, Span(seen, span.until), kept_since, again=window.rerun)
            if not self._has_any(span):
                return None
        return TablePlan((span.plain(),), (window.cursor if window.rerun else "") or cursor_after(span), span.plain())

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.atoll.extracting import Extraction

        return Extraction(request, self._records(), self._config, self._services).run(resume, deadline)

    def close(self) -> None: ...

    # -- the pieces

    def _known(self, flow: Flow, table: Table) -> Schema:
        found = TABLES.get(table.source)
        if found is None:
            remedy = f"{did_you_mean(table.source, TABLES)}there are {', '.join(sorted(TABLES))}"
            raise DefinitionError(f"Atoll's records have no table {table.source}", place=place_of(flow, table), remedy=remedy)
        return found

    def _check_cursor(self, flow: Flow, table: Table, schema: Schema) -> None:
        """Rows come by when they were recorded, whatever a program says."""
        for column in schema.columns:
            if column.name == flow.cursor and column.source != COMPLETED:
                what = f"the cursor {flow.cursor} does not rise as rows are added"
                raise DefinitionError(what, place=place_of(flow, table), remedy=f"write CURSOR {COMPLETED}")

    def _check_kept(self, flow: Flow, table: Table, span: Span, kept_since: datetime, *, again: bool) -> None:
        if span.since >= kept_since or span.is_empty or self._config.gap == "skip":
            return
        what = f"what was recorded from {to_text(span.since)} on is deleted after {EVENT_DAYS} days, and rows would be missing"
        remedy = LEFT_AS_IT_IS if again else "go on with what is left: set the connection's gap = 'skip'"
        raise DefinitionError(what, place=place_of(flow, table), remedy=remedy)

    def _first(self, span: Span) -> datetime:
        """When the first of a span's records was made: a batch that takes no more can be run again as long as that one is kept."""
        found = next(self._services.reader.completed(span.since, span.until), None)
        return found[1].at.replace(microsecond=0) if found else span.until

    def _has_any(self, span: Span) -> bool:
        """Whether anything was recorded but the batches of what is collected here."""
        records = self._records()
        return any(not records.is_own(event) for _, event in self._services.reader.completed(span.since, span.until))

    def _records(self) -> Records:
        def new_reader() -> MetadataReader:
            return MetadataReader(self._services.dynamodb, self._services.environment.atoll_metadata_table, self._services.clock)

        return Records(self._services.reader, new_reader)
