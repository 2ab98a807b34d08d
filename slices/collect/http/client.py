"""Reads what was sent for a batch: lists the requests that it takes to plan it, and reads these to extract it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import beside
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.http.config import read_config
from slices.collect.http.inbox import Inbox
from slices.collect.http.logic import TOLD, digest, in_parts, of_declared
from slices.collect.http.sampling import Sampling
from systems.events.columns import collected, described

KEPT = timedelta(days=naming.INBOX_DAYS)
NOTED = timedelta(days=1)  # a cursor is written so often at least, whether anything was sent or not

KnownTable = Callable[[str], Schema | None]


class HttpSource(Source):
    """One connection, while one step works. aws: the boto3 session.  clock: tells the time.

    known: a table's columns as the program in effect was compiled against them; None for none.
    """

    def __init__(
        self,
        connection: Connection,
        aws: Any,
        inbox: Inbox,
        clock: Callable[[], datetime],
        known: KnownTable = lambda table: None,
    ) -> None:
        self._config, self._aws, self._inbox, self._clock, self._known = read_config(connection), aws, inbox, clock, known
        self._samplings, self._schemas = dict[str, Sampling](), dict[str, Schema]()

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return sorted(self._config.names)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._described(name) if name in self._config.names else None for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        values = self._sampling(table).values(source_name(column), SAMPLE_ROWS) if table in self._config.names else []
        return sampled(column.type, values)

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """Counting what is kept would be listing it all."""
        return {name: Size() for name in tables if name in self._config.names}

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        self._there(flow, table)
        return collected(flow, table, self._described(table.source), TOLD)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        self._there(flow, table)
        until = json.loads(window.cursor)["until"] if window.cursor else None
        begins, ends = from_text(until) if until else None, window.interval.end
        if window.took is not None:
            begins = from_text(window.took["from"]) if window.took["from"] else None
            ends = from_text(window.took["until"])
        elif window.rerun:
            begins = window.interval.start
        if begins is not None and window.took is None:
            self._check_kept(flow, table, begins)
        self._inbox.settle(ends)
        names = list(self._inbox.names(table.source, begins, ends))
        told = {"from": to_text(begins) if begins else "", "until": to_text(ends), **digest(names)}
        if window.took is not None and told != window.took:
            what = f"of the {window.took['count']} requests that the batch took {len(names)} are there, or others"
            raise DefinitionError(f"{what}, and rows would be lost", place=str(flow.position), remedy=LEFT_AS_IT_IS)
        if not names and not window.rerun and begins is not None and ends - begins < NOTED:
            return None
        aside = self._beside(flow, table, schema)
        parts = tuple({"names": part, "beside": aside} for part in in_parts(names) or [[]])
        cursor = (window.cursor or json.dumps({"until": ""})) if window.rerun else json.dumps({"until": to_text(ends)})
        return TablePlan(parts, cursor, told)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.http.extracting import extract

        return extract(request, self._inbox, self._aws, resume, deadline)

    def close(self) -> None:
        for sampling in self._samplings.values():
            sampling.close()

    # -- the pieces

    def _there(self, flow: Flow, table: Table) -> None:
        """Raises DefinitionError for a table that the connection has not."""
        if table.source not in self._config.names:
            remedy = "add it to the connection's `tables`, and deploy again"
            raise DefinitionError(f"the connection names no table {table.source}", place=str(flow.position), remedy=remedy)

    def _check_kept(self, flow: Flow, table: Table, begins: datetime) -> None:
        """Raises DefinitionError where requests may have been deleted that no batch has taken."""
        horizon = self._clock() - KEPT
        if begins < horizon and self._config.gap == "refuse":
            span = f"from {to_text(begins)} to {to_text(horizon.replace(microsecond=0))}"
            raise DefinitionError(
                f"events of {table.source} that were sent {span} may be lost: they are kept for {naming.INBOX_DAYS} days",
                place=str(flow.position),
                remedy="to go on without them set the connection's `gap = 'skip'`",
            )

    def _described(self, table: str) -> Schema:
        if table not in self._schemas:
            self._schemas[table] = self._looked_at(table)
        return self._schemas[table]

    def _looked_at(self, table: str) -> Schema:
        """What the connection declares, or, where it declares none, what a sample tells."""
        if self._config.format == "text":
            return TOLD.texts
        if columns := self._config.columns[table]:
            return of_declared(columns)
        return described(self._sampling(table).keys(), self._known(table), TOLD)

    def _sampling(self, table: str) -> Sampling:
        return self._samplings.setdefault(table, Sampling(self._inbox, table, self._clock()))

    def _beside(self, flow: Flow, table: Table, schema: Schema) -> list[Any]:
        known = self._described(table.source) if flow.filter else None
        return [dataclasses.asdict(column) for column in beside(flow, schema, known)] if known else []
