"""Filters as SOQL, options, and what is refused before Salesforce is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Table
from slices.collect.salesforce.columns import schema_of
from slices.collect.salesforce.config import read_config
from slices.collect.salesforce.logic import check_flow, cursor_field
from slices.collect.salesforce.soql_filter import to_soql
from systems.salesforce.objects import SalesforceObject, object_schema, read_describe, read_schema

HERE = Position("program.atoll", 9, 2)
FLOW = Flow("lake.crm", Kind.COLLECT, "collect.salesforce", "lake", 3600, (Table("lake.crm.account:staged", "Account"),), HERE)
FIELDS = {
    "Name": "string",
    "CreatedDate": "datetime",
    "Since__c": "date",
    "Active__c": "boolean",
    "Size__c": "double",
    "Opens__c": "time",
}

FILTERS = {
    "name = 'O''Hare'": "Name = 'O\\'Hare'",
    "name = 'a\\b'": "Name = 'a\\\\b'",
    "createddate >= '2026-01-01'": "CreatedDate >= 2026-01-01T00:00:00Z",
    "createddate >= 2026-01-01T10:00:00+02:00": "CreatedDate >= 2026-01-01T08:00:00Z",
    "since__c = 2026-01-01 AND name = 'on 2026-01-01, N:3'": "(Since__c = 2026-01-01 AND Name = 'on 2026-01-01, N:3')",
    "createddate >= TIMESTAMP '2026-01-01 10:00:00+02:00'": "CreatedDate >= 2026-01-01T08:00:00Z",
    "DATE '2026-01-01' < since__c": "Since__c > 2026-01-01",
    "opens__c < '08:00:00'": "Opens__c < 08:00:00.000Z",
    "active__c": "Active__c = TRUE",
    "NOT active__c AND size__c <> -1.5": "((NOT Active__c = TRUE) AND Size__c != -1.5)",
    "active__c IS TRUE OR name IS NULL": "(Active__c = TRUE OR Name = null)",
    "name IS NOT NULL": "Name != null",
    "name IN ('a', 'b') OR name NOT IN ('c')": "(Name IN ('a', 'b') OR Name NOT IN ('c'))",
    "name LIKE 'A%' AND (size__c BETWEEN 1 AND 2)": "(Name LIKE 'A%' AND ((Size__c >= 1 AND Size__c <= 2)))",
    "name NOT LIKE 'A_'": "(NOT Name LIKE 'A_')",
}


@pytest.mark.parametrize(("condition", "soql"), FILTERS.items(), ids=str)
def test_filter_becomes_soql(condition: str, soql: str) -> None:
    assert to_soql(condition, FIELDS, "here") == soql


REFUSED = (
    "upper(name) = 'A'",
    "name = other",
    "size__c + 1 > 2",
    "name IN (SELECT x FROM y)",
    "owner.name = 'a'",
    "name = current_date",
    "EXISTS (SELECT 1)",
    "name ILIKE 'a'",
    "name LIKE 'a' ESCAPE '!'",
    "name IN UNNEST(x)",
    "size__c BETWEEN SYMMETRIC 1 AND 2",
    "name = CAST('1' AS INT)",
)


@pytest.mark.parametrize("condition", REFUSED)
def test_filter_that_soql_cannot_say_is_refused_with_its_place(condition: str) -> None:
    with pytest.raises(DefinitionError, match=r"^program\.atoll:9:2: Salesforce cannot filter by .* Remedy: "):
        check_flow(replace(FLOW, filter=condition), {})


def test_a_moment_that_is_another_each_day_is_refused_whatever_is_known() -> None:
    with pytest.raises(DefinitionError, match=r"`LAST_N_DAYS:30` is another time each day Remedy: write the moment"):
        check_flow(replace(FLOW, filter="createddate = LAST_N_DAYS:30"), {})


def test_filter_by_an_unknown_field_says_what_was_meant() -> None:
    with pytest.raises(DefinitionError, match=r"no field nme .*did you mean Name\?"):
        to_soql("nme = 'a'", FIELDS, "here")


def test_filter_with_a_value_that_is_no_date_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'soon' is not a datetime"):
        to_soql("createddate > 'soon'", FIELDS, "here")


def test_computed_column_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"Salesforce cannot compute 'Owner\.Name'"):
        check_flow(replace(FLOW, columns=(Column("owner", "Owner.Name"),)), {})


KNOWN = object_schema(
    SalesforceObject(
        "Account", {"Id": "id", "SystemModstamp": "datetime", "Rating__c": "string", "Due__c": "datetime", **FIELDS},
        calculated=frozenset({"Rating__c", "Due__c"}),
    )
)  # fmt: skip
EARLY = {  # what the first batch's plan would refuse
    "a filter by a formula": ({"filter": "rating__c = 'good'"}, r"Account\.Rating__c is calculated.*use REPLACE"),
    "a cursor that is a formula": ({"cursor": "due__c"}, r"the cursor Due__c is calculated"),
    "a cursor that is no moment": ({"cursor": "name"}, r"the cursor Name is a string, not a datetime"),
    "a cursor that is not there": ({"cursor": "dew__c"}, r"no field dew__c.*did you mean Due__c\?"),
    "a filter by what is not there": ({"filter": "nme = 'a'"}, r"no field nme.*did you mean Name\?"),
    "a value that is no date": ({"filter": "createddate > 'soon'"}, "'soon' is not a datetime"),
    "a moment that moves": ({"filter": "createddate = LAST_N_DAYS:30"}, "`LAST_N_DAYS:30` is another time each day"),
    "what is no SQL": ({"filter": "createddate >"}, "the WHERE clause is not SQL"),
}


@pytest.mark.parametrize("situation", EARLY)
def test_what_a_snapshot_tells_is_refused_before_any_batch(situation: str) -> None:
    changes, told = EARLY[situation]
    flow = replace(FLOW, mode=Mode.MERGE, key=("id",), **changes)
    with pytest.raises(DefinitionError, match=told):
        check_flow(flow, {"Account": KNOWN})
    check_flow(replace(flow, mode=Mode.REPLACE, filter=flow.filter if "rating" in flow.filter else ""), {"Account": KNOWN})


def test_what_a_snapshot_does_not_know_is_left_to_the_batch() -> None:
    check_flow(replace(FLOW, mode=Mode.MERGE, key=("id",), filter="rating__c = 'good'", cursor="due__c"), {})


def test_a_snapshot_says_of_a_formula_what_describe_says() -> None:
    described = read_describe({"name": "A", "fields": [{"name": "X__c", "type": "double", "calculated": True}]})
    assert object_schema(described).columns[0].source_type == "calculated double"
    assert read_schema("A", object_schema(described)) == SalesforceObject("A", {"X__c": "double"}, calculated=frozenset({"X__c"}))


def test_object_without_systemmodstamp_is_followed_by_what_it_has() -> None:
    fields = {"Id": "id", "CreatedDate": "datetime", "Name": "string"}
    for left_out, cursor in ({"": "CreatedDate", "CreatedDate": ""}).items():
        described = SalesforceObject("AccountHistory", {n: kind for n, kind in fields.items() if n != left_out}, {})
        assert cursor_field(replace(FLOW, mode=Mode.MERGE, cursor="systemmodstamp"), FLOW.tables[0], described) == cursor


def test_cursor_that_is_no_datetime_is_refused() -> None:
    described = SalesforceObject("Account", {"Name": "string"}, {})
    with pytest.raises(DefinitionError, match="the cursor Name is a string, not a datetime"):
        cursor_field(replace(FLOW, mode=Mode.MERGE, cursor="name"), FLOW.tables[0], described)


def test_two_columns_of_one_name_are_refused() -> None:
    described = read_describe({"name": "Account", "fields": [{"name": "A", "type": "string"}, {"name": "B", "type": "string"}]})
    flow = replace(FLOW, columns=(Column("x", "A"), Column("x", "B")))
    with pytest.raises(DefinitionError, match="two columns of Account would be called x"):
        schema_of(flow, flow.tables[0], described)


def test_unknown_type_is_collected_as_text() -> None:
    described = read_describe({"name": "Account", "fields": [{"name": "A", "type": "hologram"}]})
    assert schema_of(FLOW, FLOW.tables[0], described).columns[0].type == "string"


@pytest.mark.parametrize(
    ("options", "named"),
    [({}, "secret"), ({"secret": "crm", "lag": "soon"}, "lag"),
     ({"secret": "crm", "api_version": "v60"}, "api_version")],
)  # fmt: skip
def test_wrong_option_is_named_with_the_remedy(options: dict[str, object], named: str) -> None:
    with pytest.raises(
        DefinitionError,
        match=rf"^program\.atoll:9:2: the options of connection crm are wrong: `{named}` (?:takes|is missing).* Remedy: accepted are",
    ):
        read_config(Connection("crm", "salesforce", options, HERE))


def test_an_option_of_another_slice_of_the_system_is_none_of_this_ones_business() -> None:
    assert read_config(Connection("crm", "salesforce", {"secret": "crm", "of_another": 1}, HERE)).secret == "crm"


def test_lag_is_written_in_words() -> None:
    assert read_config(Connection("crm", "salesforce", {"secret": "crm", "lag": "2 minutes"}, HERE)).lag == 120


@pytest.mark.security
@pytest.mark.parametrize("name", ["Id FROM User", "Id, Name", "a\nb", "x) OR (Name", "naïve", "", "1st"])
def test_a_name_that_would_be_more_than_a_name_in_soql_is_refused(name: str) -> None:
    for answer in ({"name": "Account", "fields": [{"name": name, "type": "string"}]}, {"name": name, "fields": []}):
        with pytest.raises(DefinitionError, match="no name of an object or field"):
            read_describe(answer)
