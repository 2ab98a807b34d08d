"""Reads an API by airbyte-cdk as its manifest and the code beside it say, for a batch."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.projection import place_of
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import RetryLater
from shared_metadata.program import Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.rest import table_defaults
from systems.rest.airbyte.process import Kit
from systems.rest.client import RestSource
from systems.rest.columns import schema_of
from systems.rest.manifest import CHANGES, Node, components
from systems.rest.portions import BEYOND, Span
from systems.rest.window import cursor_text

LOOK_SECONDS = 240.0  # that a source is waited for, for an answer or a sample
PAUSE_SECONDS = 20.0  # of an API that asks for one, within a call; for a longer one the batch is tried again
COARSE: Mapping[str, int] = {"%S": 1, "%T": 1, "%s": 1, "%ms": 1, "%epoch_microseconds": 1, "%M": 60, "%H": 3_600}


class AirbyteSource(RestSource):
    """One connection, while one step works. Of a table's columns, defaults and cut all is as Atoll's own engine has it."""

    # -- what `atoll discover` and drift ask

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        """Values of the first records that a run brings, which is then ended."""
        found = source_name(column)
        return sampled(column.type, [record.get(found) for record in self.first(table, SAMPLE_ROWS)])

    def first(self, table: str, count: int) -> list[Mapping[str, Any]]:
        """The first records, no more than `count`, and fewer where they do not come in time. Raises RetryLater where nothing does."""
        now = self._clock()
        beyond = now + BEYOND
        job = self._job(self._document["streams"][table], Span(None, beyond, beyond), now) | {"pause": 1, "listed": False}
        with self._kit(self._place) as kit:
            timer = threading.Timer(LOOK_SECONDS, kit.end)
            timer.daemon = True
            timer.start()
            try:
                found, answered = list[Mapping[str, Any]](), False
                for line in kit.lines(job):
                    if line.startswith(b"="):
                        answered = answered or line.startswith(b"=end")
                        if answered and count == 1:
                            break
                        kit.answer("read" if line.startswith(b"=portion") else "next")
                    else:
                        found.append(json.loads(line))
                        if len(found) >= count:
                            break
            finally:
                timer.cancel()
            if kit.ended_here and not (found or answered):
                raise RetryLater("the API did not answer in time", place=self._place, remedy="nothing, it is tried again")
        return found

    # -- what a batch asks

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        """One part, always: whether anything is new only a run tells."""
        cursor, changes, wanted = self._taken(flow, table, schema, window)
        part = {**self._rows(flow, table, schema, wanted, cursor), "changes": changes}
        return TablePlan((part,), cursor_text(window))

    def _extracted(self, request: ExtractRequest, told: Mapping[str, Any], salt: str, deadline: Deadline) -> Extracted:
        from systems.rest.airbyte.extracting import Extraction
        from systems.rest.parquet_files import ParquetFiles

        part, place = request.part, place_of(request.flow, request.table)
        stream = self._stream(request.flow, request.table)
        stream = stream[CHANGES] if part["changes"] else stream
        key = table_defaults.key_of(stream, self._said(request.table.source))
        files = ParquetFiles(self._aws, request, place)
        job = self._job(stream, Span.of_plain(part["span"]), request.window.interval.end, changes=part["changes"])
        try:
            with self._kit(place) as kit:
                return Extraction(kit, stream, request, files, key, salt, numbered=self._is_numbered(stream)).run(job, told, deadline)
        finally:
            files.close()

    # -- the pieces

    def _check(self) -> None:
        """Asks the API once a step, so that a credential that is refused is told before anything else."""
        if self._answers or not self._document["streams"]:
            return
        self.first(next(iter([*self._document["check"], *self._document["streams"]])), 1)
        self._answers = True

    def _kit(self, place: str) -> Kit:
        return Kit(self._system, self._document, place=place, reference=self._reference)

    def _job(self, stream: Mapping[str, Node], span: Span, now: datetime, *, changes: bool = False) -> dict[str, Any]:
        """What the runner is told. The end is rounded up to what the format of the stream's cursor can say."""
        form = str((stream.get("incremental_sync") or {}).get("datetime_format") or "%S")
        coarse = next((seconds for mark, seconds in COARSE.items() if mark in form), 86_400)
        return {
            "manifest": self._document["manifest"],
            "config": self._config,
            "stream": stream["name"],
            "schema": schema_of(stream),
            "changes": changes,
            "start": _text(span.start - timedelta(seconds=1)) if span.start else "",
            "end": _text(span.end + timedelta(seconds=coarse)),
            "beyond": _text(span.beyond),
            "now": now.isoformat(),
            "hosts": [host.lower() for host in self._document["hosts"]],
            "pause": PAUSE_SECONDS,
            "listed": any(self._is_numbered(one) for one in components(stream["retriever"]) if one["type"] == "DeclarativeStream"),
        }

    def _is_numbered(self, stream: Mapping[str, Node]) -> bool:
        """Whether pages are numbers or offsets; what code asks for may be, unless the overlay says otherwise."""
        if self._said(stream["name"]).get("pages") or super()._is_numbered(stream):
            return super()._is_numbered(stream)
        retriever = stream["retriever"]
        paginator = retriever.get("paginator") or {}
        of_code = (retriever, retriever.get("requester") or {}, paginator, paginator.get("pagination_strategy") or {})
        return any(one.get("class_name") for one in of_code)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f%z}"
