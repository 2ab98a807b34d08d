"""Objects of Salesforce as `describe` sees them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doubles.salesforce import Field, SalesforceServer
from shared_metadata.program import Connection, Mode, Position
from slices.collect.salesforce.client import SalesforceSource
from slices.collect.salesforce.tests.conftest import Crm
from slices.collect.salesforce.tests.under_test import client_secret

PLACE = (
    Field("BillingAddress", "address"),
    Field("Where__c", "location"),
    Field("Logo__c", "base64"),
    Field("Fee__c", "currency", precision=18, scale=2),
    Field("Opened__c", "date"),
)


@pytest.fixture
def source(server: SalesforceServer) -> Iterator[SalesforceSource]:
    server.org.add_object("Place__c", PLACE)
    opened = SalesforceSource(
        Connection("crm", "salesforce", {"secret": "crm"}, Position("p.sql", 1, 1)),
        client_secret(server),
        aws=None,
        grant_of=None,
        part_mb=32,
    )
    yield opened
    opened.close()


def test_an_object_is_merged_by_its_id_and_what_moves_when_it_changes(source: SalesforceSource) -> None:
    told = source.defaults(["Place__c", "Nowhere__c"])
    assert list(told) == ["Place__c"] and (told["Place__c"].key, told["Place__c"].cursor) == (("id",), "systemmodstamp")
    assert told["Place__c"].mode is None and told["Place__c"].deletes.startswith("IsDeleted")


def test_fields_have_salesforces_type_words_and_compounds_only_their_parts(source: SalesforceSource) -> None:
    described = source.describe(["Place__c"])["Place__c"]
    assert described is not None
    found = {column.source: column for column in described.columns}
    assert not {"BillingAddress", "Where__c", "Logo__c"} & set(found)
    assert {"BillingCity", "BillingLatitude", "Where__Latitude__s"} <= set(found)
    fee, opened = found["Fee__c"], found["Opened__c"]
    assert (fee.name, fee.type, fee.source_type, fee.nullable) == ("fee__c", "double", "currency", True)
    assert (opened.name, opened.type, opened.source_type) == ("opened__c", "date", "date")


def test_objects_are_found_in_any_case_and_odd_names_are_not_there(source: SalesforceSource) -> None:
    names = ["Place__c", "PLACE__C", "Plaice", "../limits", "Place__c/describe", ""]
    found = source.describe(names)
    assert found["Place__c"] == found["PLACE__C"] is not None
    assert [found[name] for name in names[2:]] == [None] * 4


def test_an_object_is_described_as_it_is_collected(crm: Crm) -> None:
    crm.apply(mode=Mode.REPLACE)
    crm.run()
    latest = crm.cloud.reader.latest_schema("lake.crm.account:staged")
    connection = Connection("crm", "salesforce", {"secret": "crm"}, Position("p.sql", 1, 1))
    source = SalesforceSource(connection, client_secret(crm.server), aws=None, grant_of=None, part_mb=32)
    described = source.describe(["Account"])["Account"]
    assert latest and described and latest.schema.columns[:-2] == described.columns
    assert source.tables() == ["Account"] and source.session.requests == 2
    source.close()
