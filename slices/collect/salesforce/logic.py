"""What Salesforce's describe means as a schema, and which SOQL a batch asks for; pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.contract.collect import Window
from shared_metadata.errors import DefinitionError
from shared_metadata.intervals import Interval, from_text, to_text
from shared_metadata.program import Flow, Mask, Mode, Table
from shared_metadata.records import Schema, SchemaColumn

DEFAULT_CURSOR = "systemmodstamp"
# An object without SystemModstamp is followed by the next best that it has; history objects are only ever created.
CURSOR_FIELDS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")
OBJECT_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
# The resource and the Bulk operation that leave nothing out. `query` has neither deleted records nor archived ones, such as tasks and
# events of a year ago: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_queryall.htm
QUERY = "queryAll"
MAX_SOQL_CHARACTERS = 100_000  # SOQL and SOSL Reference, "SOQL and SOSL Limits"

# Field types: Object Reference, "Field Types"; numbers that are no integers are xsd:double in every API, also money, and
# `precision` and `scale` only say what the page lets a user type in: formulas and conversions go beyond them.
TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "double": "double",
    "currency": "double",
    "percent": "double",
    "date": "date",
    "datetime": "timestamptz",
    "time": "time",
}
# The Bulk API refuses compounds, whose parts are fields of their own, and binary data.
NOT_COLLECTED = frozenset({"address", "location", "base64"})


@dataclass(frozen=True)
class SalesforceObject:
    """An object as describe tells: its API name, and its fields that can be collected, name ▸ Salesforce type.

    excluded: those that cannot.  calculated: formulas and the like, whose values change without a change of the record.
    """

    name: str
    fields: Mapping[str, str]
    excluded: Mapping[str, str]
    calculated: frozenset[str] = frozenset()

    def find(self, name: str) -> str | None:
        """The API name of a field written in any case."""
        folded = name.lower()
        return next((field for field in self.fields if field.lower() == folded), None)


def read_describe(answer: Mapping[str, Any]) -> SalesforceObject:
    """The answer of `/sobjects/<name>/describe`. SOQL knows no quotes, so names stand in it as they are, or nowhere."""
    fields = {_api_name(field["name"]): field["type"] for field in answer["fields"]}
    return SalesforceObject(
        _api_name(answer["name"]),
        {name: kind for name, kind in fields.items() if kind not in NOT_COLLECTED},
        {name: kind for name, kind in fields.items() if kind in NOT_COLLECTED},
        frozenset(field["name"] for field in answer["fields"] if field.get("calculated")),
    )


def _api_name(name: str) -> str:
    """The name, if it is one as Salesforce makes them."""
    if not OBJECT_NAME.fullmatch(name):
        raise DefinitionError(f"Salesforce describes {name!r}, which is no name of an object or field", remedy="check login_url")
    return name


def schema_of(flow: Flow, table: Table, described: SalesforceObject) -> Schema:
    """The columns that the flow collects, `_batch` and `_deleted` last. Raises DefinitionError for a field that is not there.

    All are nullable: what Salesforce promises for a form does not bind old records.
    """
    where = place(flow, table)
    wanted = [(column.name, source_field(column.source)) for column in flow.columns]
    pairs = wanted or [(column.name, column.source) for column in object_schema(described).columns]
    pairs = [(name, source) for name, source in pairs if name not in table.masked(Mask.DROP)]
    columns: dict[str, SchemaColumn] = {}
    if not pairs:
        raise DefinitionError(f"MASK drops every field of {described.name}", place=where, remedy="leave one")
    for name, source in pairs:
        field = _field(described, source, where)
        if name in columns or name in ("_batch", "_deleted"):
            raise DefinitionError(
                f"two columns of {described.name} would be called {name}",
                place=where,
                remedy="select the columns by name and rename one with AS",
            )
        columns[name] = _column(name, field, described)
    own = (SchemaColumn("_batch", "timestamptz"), SchemaColumn("_deleted", "boolean"))
    return Schema((*columns.values(), *own))


def object_schema(described: SalesforceObject) -> Schema:
    """All columns that can be collected of an object, without Atoll's own; also of names that would collide in a warehouse."""
    return Schema(tuple(_column(name.lower(), name, described) for name in described.fields))


def _column(name: str, field: str, described: SalesforceObject) -> SchemaColumn:
    kind = described.fields[field]
    return SchemaColumn(name, TYPES.get(kind, "string"), True, field, kind)


def source_field(text: str) -> str:
    """The field in a projection's column, as SQL text."""
    return text.strip().strip('"')


def selected_fields(columns: Sequence[SchemaColumn], described: SalesforceObject) -> list[str]:
    """What to SELECT: each collected field once, the Id that a query is resumed by, and IsDeleted where there is one."""
    extra = [name for name in ("Id", "IsDeleted") if name in described.fields]
    return list(dict.fromkeys([*extra, *(column.source for column in columns if column.source)]))


def cursor_field(flow: Flow, table: Table, described: SalesforceObject) -> str:
    """The datetime field that says when a record changed; '' when the object has none: then every batch reads all of it."""
    if flow.mode == Mode.REPLACE:
        return ""
    source = next((source_field(c.source) for c in flow.columns if c.name == flow.cursor), flow.cursor)
    if source.lower() in ("", DEFAULT_CURSOR):
        return next((name for name in CURSOR_FIELDS if name in described.fields), "")
    field = _field(described, source, place(flow, table))
    if described.fields[field] != "datetime":
        raise DefinitionError(
            f"the cursor {field} is a {described.fields[field]}, not a datetime",
            place=place(flow, table),
            remedy=f"use CURSOR {DEFAULT_CURSOR}",
        )
    return field


@dataclass(frozen=True)
class Range:
    """Which records a batch reads, by their cursor field: from `lower` (None: from the first) to before `upper`."""

    lower: datetime | None
    upper: datetime


def range_of(mode: Mode, window: Window, lag_seconds: int) -> Range:
    """A MERGE re-reads `lag` of the former window, for changes that became visible late. An APPEND may read nothing twice: it
    stays behind by `lag` instead."""
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


def left_out(described: SalesforceObject, goings: bool) -> str:
    """What is left out of what QUERY has: the deleted records, unless it is to be told which have gone."""
    return "" if goings or "IsDeleted" not in described.fields else "IsDeleted = FALSE"


def window(field: str, span: Range, described: SalesforceObject) -> str:
    """SOQL of what changed within the range; '' where there is no cursor.

    A field that is not Salesforce's own clock may be empty, and no range meets that: such records are read every time. Nor does it
    move when a record is deleted; that moves SystemModstamp.
    """
    if not field:
        return ""
    inside = _inside(field, span)
    also = [] if field in CURSOR_FIELDS else [f"{field} = null"]
    if span.lower and field != CURSOR_FIELDS[0] and {"IsDeleted", CURSOR_FIELDS[0]} <= set(described.fields):
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
    """Raises DefinitionError for a filter that records leave without being changed. fields: those that it names."""
    if flow.reports_left and (formulas := sorted(described.calculated.intersection(fields))):
        raise DefinitionError(
            f"{described.name}.{formulas[0]} is calculated: records leave the WHERE without a change by which they would be found",
            place=place(flow, table),
            remedy="filter by it in a view, or use REPLACE, which reads all records every time",
        )


def never_met(field: str, mode: Mode) -> str:
    """SOQL of the records that no batch meets but all would have to add again and again; '' where there are none of that kind."""
    return f"{field} = null" if field and mode == Mode.APPEND and field not in CURSOR_FIELDS else ""


def check_soql(soql: str, flow: Flow, table: Table) -> str:
    """The query, if Salesforce takes one of that length."""
    if len(soql) > MAX_SOQL_CHARACTERS:
        raise DefinitionError(
            f"the query has {len(soql)} characters, and Salesforce takes {MAX_SOQL_CHARACTERS}",
            place=place(flow, table),
            remedy="select fewer columns",
        )
    return soql


def check_flow(flow: Flow) -> None:
    """What of a collect flow can be judged without Salesforce: columns are fields, the filter is SOQL. Raises DefinitionError."""
    for column in flow.columns:
        if not re.fullmatch(r"[A-Za-z]\w*", source_field(column.source)):
            raise DefinitionError(
                f"Salesforce cannot compute {column.source!r}",
                place=str(flow.position),
                remedy="select plain fields of the object; collect a parent object by itself and join it in a view",
            )
    if flow.filter:
        from slices.collect.salesforce.soql_filter import to_soql

        to_soql(flow.filter, None, str(flow.position))


def place(flow: Flow, table: Table) -> str:
    """Where in the program a table stands, for errors."""
    return f"{flow.position}: {table.dataset}"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """'did you mean X?' where something known is close, else ''."""
    folded = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f"did you mean {folded[close[0]]}? " if close else ""


def _field(described: SalesforceObject, name: str, where: str) -> str:
    found = described.find(name)
    if found:
        return found
    excluded = next((field for field in described.excluded if field.lower() == name.lower()), None)
    if excluded:
        raise DefinitionError(
            f"{described.name}.{excluded} is of type {described.excluded[excluded]}, which is not collected",
            place=where,
            remedy="select the fields that it is made of, or leave it out",
        )
    raise DefinitionError(
        f"{described.name} has no field {name}, or the user may not read it",
        place=where,
        remedy=did_you_mean(name, list(described.fields)) + "change the program, or grant field-level security",
    )
