"""Reads a Salesforce org for a batch: describe and count to plan it, REST pages or a Bulk job to extract it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Mode, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults
from shared_metadata.spelling import did_you_mean
from slices.collect.salesforce import deletions, logic
from slices.collect.salesforce.columns import place, schema_of
from slices.collect.salesforce.config import read_config
from slices.collect.salesforce.slice import SLICE
from slices.collect.salesforce.visibility import Visibility
from systems.salesforce.catalog import Catalog
from systems.salesforce.objects import SalesforceObject, object_defaults, object_schema
from systems.salesforce.refusals import Refused
from systems.salesforce.session import Session

GrantOf = Callable[..., RotatingGrant]
TOO_MUCH_TO_COUNT = ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE")


def open_source(
    connection: Connection,
    secret: Mapping[str, Any],
    *,
    aws: Any = None,
    grant_of: GrantOf | None = None,
    part_mb: int = SLICE.capabilities.part_mb,
) -> Source:
    """How CollectSteps opens a connection. aws: the boto3 session that Parquet is written with; only `extract` needs it.

    grant_of: the grant in a secret, by its reference and the place that errors name.  part_mb: of source text in one Parquet file.
    """
    return SalesforceSource(connection, secret, aws, grant_of, part_mb)


class SalesforceSource(Source):
    """One connection's org, while one step works. aws: the boto3 session that Parquet is written with."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], aws: Any, grant_of: GrantOf | None, part_mb: int) -> None:
        self._config = read_config(connection)
        origin = f"connection {connection.name} ({connection.position})"
        rotates = self._config.rotating_grant
        self._aws, self._part_mb = aws, part_mb
        self.session = Session(
            secret,
            reference=self._config.secret,
            place=origin,
            grant=grant_of(self._config.secret, place=origin) if rotates and grant_of else None,
            api_version=self._config.api_version,
            compression=self._config.compression,
        )
        self._catalog, self._visibility = Catalog(self.session), Visibility(self.session)

    def schema(self, flow: Flow, table: Table) -> Schema:
        with _at(flow, table):
            return schema_of(flow, table, self._describe(flow, table))

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        with _at(flow, table):
            return self._plan(flow, table, schema, window)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.salesforce.extracting import extract
        from slices.collect.salesforce.parquet_files import ParquetFiles

        files = ParquetFiles(self._aws, request, self._part_mb)
        try:
            with _at(request.flow, request.table):
                return extract(self.session, request.part, files, resume, deadline)
        finally:
            files.close()

    def tables(self) -> list[str]:
        return self._catalog.names()

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        found = {name: self._catalog.find(name) for name in tables}
        return {name: object_schema(described) if described else None for name, described in found.items()}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        field = source_name(column)
        answer = self.session.get(logic.QUERY, {"q": f"SELECT {field} FROM {table} LIMIT {SAMPLE_ROWS}"})
        return sampled(column.type, [record[field] for record in answer["records"]])

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        found = {name: self._catalog.find(name) for name in tables}
        return {name: object_defaults(described) for name, described in found.items() if described}

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        return self._catalog.sizes(tables)

    def close(self) -> None:
        self.session.close()

    def _describe(self, flow: Flow, table: Table) -> SalesforceObject:
        described = self._catalog.find(table.source)
        if described is None:
            raise DefinitionError(
                f"Salesforce has no object {table.source}, or the user may not read it",
                place=place(flow, table),
                remedy=did_you_mean(table.source, self.tables()) + "change the program, or grant the permission",
            )
        return described

    def _plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        described = self._describe(flow, table)
        field = logic.cursor_field(flow, table, described)
        span = logic.range_of(flow.mode, window, self._config.lag)
        if self._config.all_records:
            self._visibility.check(described.name)
        changes = bool(field and span.lower)
        taken, window_soql = logic.taken_soql(flow, table, described), logic.window(field, span, described)
        goings = changes or (flow.mode == Mode.MERGE and not window.first)  # those of an object without a cursor too
        conditions = [taken, logic.left_out(described, goings)]
        self._refuse_empty_cursor(flow, table, described, field, conditions)
        parts = [self._part(flow, table, described, schema.columns, logic.where(*conditions, window_soql))]
        if flow.reports_left and goings:
            left = left_columns(flow, schema.columns)
            parts.append(self._part(flow, table, described, left, logic.where(f"(NOT {taken})", window_soql), left=True))
        if gone := self._purged(flow, described, schema, window):
            parts.append(gone)
        found = [part for part in parts if part["count"] or not changes]
        return TablePlan(tuple(found), logic.cursor_text(span), logic.taken(span)) if found else None

    def _part(
        self,
        flow: Flow,
        table: Table,
        described: SalesforceObject,
        columns: Sequence[SchemaColumn],
        where: str,
        *,
        left: bool = False,
    ) -> dict[str, Any]:
        """A part of the plan. left: of records that the WHERE no longer takes."""
        count = self._count(described.name, where)
        fields = logic.selected_fields(columns, described)
        soql = logic.check_soql(f"SELECT {', '.join(fields)} FROM {described.name}", flow, table)
        bulk = count >= self._config.bulk_threshold_rows or not logic.fits_url(soql + where)
        return {"soql": soql, "where": where, "fields": fields, "bulk": bulk, "left": left, "count": count}

    def _purged(self, flow: Flow, described: SalesforceObject, schema: Schema, window: Window) -> dict[str, Any] | None:
        """The part of purged records, where the log of deletions is due and has any."""
        left = left_columns(flow, schema.columns)
        span = deletions.due(window, self._config.lag) if deletions.are_told(flow, described, left) else None
        if span is None or not self._config.purged_records:
            return None
        count = len(deletions.told(self.session, described.name, span))
        return deletions.part(described, left, span, count) if count else None

    def _refuse_empty_cursor(
        self, flow: Flow, table: Table, described: SalesforceObject, field: str, conditions: Sequence[str]
    ) -> None:
        unmet = logic.never_met(field, flow.mode)
        if unmet and (count := self._count(described.name, logic.where(*conditions, unmet))):
            raise DefinitionError(
                f"{count} record{'s' if count > 1 else ''} of {described.name} {'have' if count > 1 else 'has'} no {field}, "
                "so that no batch of an APPEND would meet them",
                place=place(flow, table),
                remedy=f"use CURSOR {logic.DEFAULT_CURSOR}, MERGE ON (id), or leave them out with WHERE {field.lower()} IS NOT NULL",
            )

    def _count(self, name: str, where: str) -> int:
        """The number of records to be read; a table too large to be counted, or by too long a query, counts as a large one."""
        soql = f"SELECT COUNT() FROM {name}{where}"
        if not logic.fits_url(soql):
            return int(self._config.bulk_threshold_rows)
        try:
            answer = self.session.get(logic.QUERY, {"q": soql})
            return int(answer["totalSize"])
        except Refused as error:
            if error.code not in TOO_MUCH_TO_COUNT:
                raise
            return int(self._config.bulk_threshold_rows)


@contextmanager
def _at(flow: Flow, table: Table) -> Iterator[None]:
    """Gives a refused request its place in the program, and an error that Step Functions knows."""
    try:
        yield
    except Refused as error:
        raise DefinitionError(error.what, place=place(flow, table), remedy=error.remedy) from None
