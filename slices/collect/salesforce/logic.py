"""Writes a batch's SOQL, and checks a flow as far as it can be checked before a batch; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from shared_metadata.contract.collect import Window
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode, Table
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.salesforce.columns import place, source_field
from systems.salesforce.objects import OBJECT_NAME, SalesforceObject, field_of, read_schema

DEFAULT_CURSOR = "systemmodstamp"
# An object without SystemModstamp is followed by the next best that it has; history objects are only ever created.
CURSOR_FIELDS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")
# The resource and the Bulk operation that leave nothing out. `query` has neither deleted records nor archived ones, such as tasks and
# events of a year ago: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_queryall.htm
QUERY = "queryAll"
MAX_SOQL_CHARACTERS = 100_000  # SOQL and SOSL Reference, "SOQL and SOSL Limits"
MAX_URL_SOQL = 12_000  # as it stands in a URL; a request's line and headers may have 16,384 bytes, and a token may be long


def selected_fields(columns: Sequence[SchemaColumn], described: SalesforceObject) -> list[str]:
    """What to SELECT: each collected field once, the Id that a query is resumed by, and IsDeleted where there is one."""
    extra = [name for name in ("Id", "IsDeleted") if name in described.fields]
    return list(dict.fromkeys([*extra, *(column.source for column in columns if column.source)]))


def cursor_field(flow: Flow, table: Table, described: SalesforceObject) -> str:
    """The datetime field of a record's last change; '' when the object has none: then every batch reads all of it."""
    if flow.mode == Mode.REPLACE:
        return ""
    source = next((source_field(c.source) for c in flow.columns if c.name == flow.cursor), flow.cursor)
    if source.lower() in ("", DEFAULT_CURSOR):
        return next((name for name in CURSOR_FIELDS if described.filters_by(name)), "")
    field = field_of(described, source, place(flow, table))
    if fault := _no_cursor(field, described):
        raise DefinitionError(f"the cursor {field} {fault}", place=place(flow, table), remedy=f"use CURSOR {DEFAULT_CURSOR}")
    return field


def _no_cursor(field: str, described: SalesforceObject) -> str:
    """Why a field does not record a record's changes; '' where it does."""
    if described.fields[field] != "datetime":
        return f"is a {described.fields[field]}, not a datetime"
    if field in described.calculated:
        return "is calculated: it moves without a change of the record, out of windows that were read and into such as never will be"
    return "" if described.filters_by(field) else "is no field by which Salesforce filters"


@dataclass(frozen=True)
class Range:
    """The range of records that a batch reads, by their cursor field: from `lower` (None: from the first) to before `upper`."""

    lower: datetime | None
    upper: datetime


def range_of(mode: Mode, window: Window, lag_seconds: int) -> Range:
    """The range of a batch. A MERGE re-reads `lag` of the former window, for changes that became visible late. An APPEND may read
    nothing twice: it stays behind by `lag` instead.
    """
    if window.took is not None:
        lower = window.took["from"]
        return Range(from_text(lower) if lower else None, from_text(window.took["until"]))
    lag = timedelta(seconds=lag_seconds)
    interval = window.interval
    if mode == Mode.APPEND:
        interval = Interval(interval.start - lag, interval.end - lag)
    if window.rerun:
        return Range(interval.start, interval.end)
    if window.first:
        return Range(None, interval.end)
    until = from_text(json.loads(window.cursor)["until"])
    return Range(until - lag if mode == Mode.MERGE else until, interval.end)


def cursor_text(span: Range) -> str:
    """What the commit stores; `range_of` reads it."""
    return json.dumps({"until": to_text(span.upper)})


def taken(span: Range) -> dict[str, str | None]:
    """What is kept of a batch for when it is run again (`TablePlan.took`); `range_of` reads it."""
    return {"from": to_text(span.lower) if span.lower else None, "until": to_text(span.upper)}


def left_out(described: SalesforceObject, goings: bool) -> str:
    """The condition of records to leave out of QUERY's: deleted ones, unless deletions are to be reported."""
    return "" if goings or not described.filters_by("IsDeleted") else "IsDeleted = FALSE"


def window(field: str, span: Range, described: SalesforceObject) -> str:
    """The SOQL of changes within the range; '' where there is no cursor.

    A field that is not Salesforce's own clock may be empty, and no range meets that: such records are read every time. Nor does it
    move when a record is deleted; that moves SystemModstamp.
    """
    if not field:
        return ""
    inside = _inside(field, span)
    also = [] if field in CURSOR_FIELDS else [f"{field} = null"]
    if span.lower and field != CURSOR_FIELDS[0] and all(map(described.filters_by, ("IsDeleted", CURSOR_FIELDS[0]))):
        also.append(f"(IsDeleted = TRUE AND {_inside(CURSOR_FIELDS[0], span)})")
    return f"(({inside}) OR {' OR '.join(also)})" if also else inside


def _inside(field: str, span: Range) -> str:
    lower = f"{field} >= {to_text(span.lower)} AND " if span.lower else ""
    return f"{lower}{field} < {to_text(span.upper)}"


def where(*conditions: str) -> str:
    """' WHERE …' of those that are not '', or '' for all records."""
    given = [condition for condition in conditions if condition]
    return " WHERE " + " AND ".join(given) if given else ""


def check_filter(flow: Flow, table: Table, described: SalesforceObject, fields: Iterable[str]) -> None:
    """Raises DefinitionError for a filter that SOQL does not take, or that records leave without being changed.

    fields: those that it names.
    """
    named = sorted(fields)
    if unfit := [name for name in named if not described.filters_by(name)]:
        raise DefinitionError(
            f"Salesforce takes no condition on {described.name}.{unfit[0]}",
            place=place(flow, table),
            remedy="filter by it in a view",
        )
    if flow.reports_left and (formulas := [name for name in named if name in described.calculated]):
        raise DefinitionError(
            f"{described.name}.{formulas[0]} is calculated: records leave the WHERE without a change by which they would be found",
            place=place(flow, table),
            remedy="filter by it in a view, or use REPLACE, which reads all records every time",
        )


def never_met(field: str, mode: Mode) -> str:
    """The SOQL of records that no batch meets but all would have to add again and again; '' for none."""
    return f"{field} = null" if field and mode == Mode.APPEND and field not in CURSOR_FIELDS else ""


def check_soql(soql: str, flow: Flow, table: Table) -> str:
    """Returns the query, if it is not too long for Salesforce."""
    if len(soql) > MAX_SOQL_CHARACTERS:
        raise DefinitionError(
            f"the query has {len(soql)} characters, and Salesforce takes {MAX_SOQL_CHARACTERS}",
            place=place(flow, table),
            remedy="select fewer columns",
        )
    return soql


def fits_url(soql: str) -> bool:
    """Whether a query can be asked by GET; REST knows no other way, and a Bulk job has no such limit."""
    return len(quote_plus(soql)) <= MAX_URL_SOQL


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks a collect flow without Salesforce: columns are fields, the filter is SOQL. Raises DefinitionError.

    known: the flow's tables as `discover` saw them, by their names there; these are checked for all that a batch's plan would refuse.
    """
    for column in flow.columns:
        if not OBJECT_NAME.fullmatch(source_field(column.source)):
            raise DefinitionError(
                f"Salesforce cannot compute {column.source!r}",
                place=str(flow.position),
                remedy="select plain fields of the object; collect a parent object by itself and join it in a view",
            )
    objects = [(table, read_schema(table.source, known[table.source])) for table in flow.tables if table.source in known]
    if not objects:
        filter_soql(flow, None, str(flow.position))
    for table, described in objects:
        cursor_field(flow, table, described)
        taken_soql(flow, table, described)


def taken_soql(flow: Flow, table: Table, described: SalesforceObject) -> str:
    """The SOQL of records that the flow's WHERE takes; '' where it has none. Raises DefinitionError."""
    from slices.collect.salesforce.soql_filter import fields_of

    if flow.filter:
        check_filter(flow, table, described, fields_of(flow.filter, described.fields, place(flow, table)))
    return filter_soql(flow, described.fields, place(flow, table))


def filter_soql(flow: Flow, fields: Mapping[str, str] | None, where: str) -> str:
    """The flow's WHERE in SOQL. fields: the object's, None where they are not known."""
    from slices.collect.salesforce.soql_filter import to_soql

    return f"({to_soql(flow.filter, fields, where)})" if flow.filter else ""
