"""Records: ids, system fields, values of every type, deletion, and the refusals of writes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer, identifiers
from doubles.salesforce.schema import FIELD_TYPES

EVERY_TYPE: dict[str, tuple[Field, Any, Any]] = {
    "id": (Field("V__c", "id"), "001000000000001", "001000000000001AAA"),
    "string": (Field("V__c"), "Grüße \U0001f6eb", "Grüße \U0001f6eb"),
    "textarea": (Field("V__c", "textarea", length=32000), "one\r\ntwo", "one\r\ntwo"),
    "boolean": (Field("V__c", "boolean"), True, True),
    "int": (Field("V__c", "int"), -2147483648, -2147483648),
    "long": (Field("V__c", "long"), 9223372036854775807, 9223372036854775807),
    "double": (Field("V__c", "double", precision=18, scale=8), 0.12345678, 0.12345678),
    "currency": (Field("V__c", "currency"), 16147805824397, 16147805824397.0),
    "percent": (Field("V__c", "percent"), 99.5, 99.5),
    "date": (Field("V__c", "date"), "1700-01-01", "1700-01-01"),
    "datetime": (Field("V__c", "datetime"), "2026-01-01T01:00:00.987+01:00", "2026-01-01T00:00:00.000+0000"),
    "time": (Field("V__c", "time"), "23:59:59.999Z", "23:59:59.999Z"),
    "picklist": (Field("V__c", "picklist", picklist_values=("a", "b")), "a", "a"),
    "multipicklist": (Field("V__c", "multipicklist"), "a;b", "a;b"),
    "reference": (Field("V__c", "reference", reference_to=("User",)), "005000000000001AAA", "005000000000001AAA"),
    "email": (Field("V__c", "email"), "a@example.com", "a@example.com"),
    "phone": (Field("V__c", "phone"), "+47 22 00 00 00", "+47 22 00 00 00"),
    "url": (Field("V__c", "url"), "https://example.com/?a=1&b=2", "https://example.com/?a=1&b=2"),
    "combobox": (Field("V__c", "combobox"), "free", "free"),
    "encryptedstring": (Field("V__c", "encryptedstring"), "secret", "secret"),
    "base64": (Field("V__c", "base64"), "AAEC", "AAEC"),
    "anyType": (Field("V__c", "anyType"), "anything", "anything"),
    "address": (Field("V__c", "address"), None, None),
    "location": (Field("V__c", "location"), None, None),
}


def test_every_field_type_has_a_case() -> None:
    assert set(EVERY_TYPE) == FIELD_TYPES


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", sorted(EVERY_TYPE))
def test_a_value_of_every_type_comes_back(server: SalesforceServer, api: Any, kind: str) -> None:
    field, given, expected = EVERY_TYPE[kind]
    server.org.add_object("Thing__c", [field])
    values = {} if given is None else {"V__c": given}
    assert api.call("POST", "/sobjects/Thing__c", json=values).status_code == 201
    assert api.values("SELECT V__c FROM Thing__c", "V__c") == [expected]
    described = api.call("GET", "/sobjects/Thing__c/describe").json()["fields"]
    assert [one["type"] for one in described if one["name"] == "V__c"] == [kind]


def test_compound_fields_are_made_of_their_parts(server: SalesforceServer, api: Any) -> None:
    values = {"Name": "x", "BillingCity": "Oslo", "Site__Latitude__s": 59.9, "Site__Longitude__s": 10.7}
    record_id = api.call("POST", "/sobjects/Account", json=values).json()["id"]
    record = api.call("GET", f"/sobjects/Account/{record_id}", params={"fields": "BillingAddress,Site__c"}).json()
    assert record["BillingAddress"]["city"] == "Oslo"
    assert record["Site__c"] == {"latitude": 59.9, "longitude": 10.7}
    fields = {one["name"]: one for one in api.call("GET", "/sobjects/Account/describe").json()["fields"]}
    assert fields["BillingPostalCode"]["compoundFieldName"] == "BillingAddress"
    assert fields["BillingAddress"]["createable"] is False


def test_the_checksum_of_an_id_is_salesforces() -> None:
    # The worked examples of the Bulk API guide.
    assert identifiers.with_checksum("005R0000000UyrW") == "005R0000000UyrWIAS"
    assert identifiers.with_checksum("005R0000000GiwjIAC"[:15]) == "005R0000000GiwjIAC"
    assert not identifiers.is_valid("005R0000000UyrWIAT")


def test_ids_carry_their_objects_prefix(server: SalesforceServer) -> None:
    server.org.add_object("First__c")
    server.org.add_object("Second__c")
    prefixes = [server.org.insert(name, [{}])[0][:3] for name in ("First__c", "Second__c")]
    assert prefixes == ["a00", "a01"]
    assert server.org.insert("Account", [{"Name": "x"}])[0].startswith("001")


def test_system_fields_follow_a_records_life(server: SalesforceServer, api: Any, clock: Any) -> None:
    (record_id,) = server.org.insert("Account", [{"Name": "x"}])
    clock.advance(minutes=1, milliseconds=600)
    server.org.update("Account", record_id, {"Name": "y"})
    clock.advance(minutes=1)
    assert api.call("DELETE", f"/sobjects/Account/{record_id}").status_code == 204
    soql = "SELECT CreatedDate, LastModifiedDate, SystemModstamp, IsDeleted, CreatedById FROM Account"
    assert api.query(soql).json()["totalSize"] == 0
    (record,) = api.call("GET", "/queryAll", params={"q": soql}).json()["records"]
    assert record["CreatedDate"] == "2026-03-01T12:00:00.000+0000"
    assert record["SystemModstamp"] == record["LastModifiedDate"] == "2026-03-01T12:02:00.000+0000"
    assert record["IsDeleted"] is True
    assert record["CreatedById"].startswith("005")


def test_deleted_and_updated_look_at_whole_minutes(server: SalesforceServer, api: Any, clock: Any) -> None:
    (gone,) = server.org.insert("Account", [{"Name": "gone"}], at=datetime(2026, 3, 1, 11, 0, tzinfo=UTC))
    (kept,) = server.org.insert("Account", [{"Name": "kept"}], at=datetime(2026, 3, 1, 11, 5, 30, tzinfo=UTC))
    server.org.delete("Account", gone, at=datetime(2026, 3, 1, 11, 6, 10, tzinfo=UTC))
    span = {"start": "2026-03-01T11:05:59Z", "end": "2026-03-01T11:06:59Z"}
    assert api.call("GET", "/sobjects/Account/updated", params=span).json() == {
        "ids": [kept], "latestDateCovered": "2026-03-01T11:06:00.000+0000"
    }  # fmt: skip
    assert api.call("GET", "/sobjects/Account/deleted", params=span).json()["deletedRecords"] == []
    span["end"] = "2026-03-01T11:07:00+00:00"
    deleted = api.call("GET", "/sobjects/Account/deleted", params=span).json()["deletedRecords"]
    assert deleted == [{"id": gone, "deletedDate": "2026-03-01T11:06:10.000+0000"}]


@pytest.mark.parametrize(
    "span",
    [
        {"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T11:00:30Z"},
        {"start": "2026-01-01T11:00:00Z", "end": "2026-03-01T11:00:00Z"},
        {"start": "yesterday", "end": "2026-03-01T11:00:00Z"},
        {"start": "2026-03-01T11:00:00Z"},
    ],
)
def test_a_wrong_replication_span_is_refused(api: Any, span: dict[str, str]) -> None:
    response = api.call("GET", "/sobjects/Account/deleted", params=span)
    assert (response.status_code, response.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Nothing__c": 1}, "INVALID_FIELD"),
        ({"BillingAddress": "x"}, "INVALID_FIELD"),
        ({"CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Name": "x" * 256}, "STRING_TOO_LONG"),
        ({"AnnualRevenue": "many"}, "JSON_PARSER_ERROR"),
        ({"AnnualRevenue": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"NumberOfEmployees": 2**31}, "JSON_PARSER_ERROR"),
        ({"Active__c": "perhaps"}, "JSON_PARSER_ERROR"),
        ({"Founded__c": "2026-02-30"}, "JSON_PARSER_ERROR"),
        ({"ParentId": "001000000000001AAB"}, "MALFORMED_ID"),
        ({"Carrier_Code__c": "TAKEN"}, "DUPLICATE_VALUE"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(
    server: SalesforceServer, api: Any, values: dict[str, Any], code: str
) -> None:
    server.org.insert("Account", [{"Name": "x", "Carrier_Code__c": "TAKEN"}])
    response = api.call("POST", "/sobjects/Account", json=values)
    assert (response.status_code, response.json()[0]["errorCode"]) == (400, code)
    assert api.query("SELECT COUNT() FROM Account").json()["totalSize"] == 1


def test_a_required_field_may_be_missing_in_no_write(server: SalesforceServer, api: Any) -> None:
    server.org.add_object("Strict__c", [Field("Code__c", nillable=False)])
    response = api.call("POST", "/sobjects/Strict__c", json={})
    assert response.json()[0] == {
        "message": "Required fields are missing: [Code__c]", "errorCode": "REQUIRED_FIELD_MISSING",
        "fields": ["Code__c"],
    }  # fmt: skip
    record_id = api.call("POST", "/sobjects/Strict__c", json={"Code__c": "a"}).json()["id"]
    assert api.call("PATCH", f"/sobjects/Strict__c/{record_id}", json={"Code__c": None}).status_code == 400


def test_unknown_records_objects_versions_and_methods_are_refused(api: Any) -> None:
    assert api.call("GET", "/sobjects/Nothing/describe").json()[0]["errorCode"] == "NOT_FOUND"
    assert api.call("GET", "/sobjects/Account/001000000000001AAA").status_code == 404
    assert api.call("PUT", "/sobjects/Account").status_code == 405
    assert api.session.get(f"{api.server.url}/services/data/v9.0/limits", timeout=30).status_code == 404
    assert api.call("POST", "/sobjects/Account", data="{").json()[0]["errorCode"] == "JSON_PARSER_ERROR"
