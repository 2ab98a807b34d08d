"""What describe tells, and a schema that changes while clients look."""

from typing import Any

from doubles.salesforce import Field, SalesforceServer


def described(api: Any, name: str = "Account") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in api.call("GET", f"/sobjects/{name}/describe").json()["fields"]}


def test_describe_tells_what_a_type_mapping_needs(api: Any) -> None:
    fields = described(api)
    assert list(fields)[:2] == ["Id", "Name"]
    wanted = {"type": "currency", "soapType": "xsd:double", "precision": 18, "scale": 2, "length": 0, "nillable": True}
    assert wanted.items() <= fields["AnnualRevenue"].items()
    assert {"type": "id", "soapType": "tns:ID", "length": 18, "nillable": False}.items() <= fields["Id"].items()
    reference = {"referenceTo": ["Account"], "relationshipName": "Parent", "custom": False}
    assert reference.items() <= fields["ParentId"].items()
    assert [one["value"] for one in fields["Industry"]["picklistValues"]] == ["Aviation", "Energy"]
    assert {"externalId": True, "unique": True, "custom": True, "length": 10}.items() <= fields["Carrier_Code__c"].items()
    assert fields["Description"]["filterable"] is False
    assert fields["SystemModstamp"]["updateable"] is False


def test_the_global_describe_and_the_versions_lead_on(api: Any) -> None:
    (account,) = api.call("GET", "/sobjects/").json()["sobjects"]
    assert (account["name"], account["keyPrefix"], account["queryable"]) == ("Account", "001", True)
    assert api.session.get(api.server.url + account["urls"]["describe"], timeout=30).json()["name"] == "Account"
    versions = api.session.get(f"{api.server.url}/services/data", timeout=30).json()
    assert {"label": "v60.0", "url": "/services/data/v60.0", "version": "60.0"} in versions


def test_a_field_comes_and_goes(server: SalesforceServer, api: Any) -> None:
    server.org.insert("Account", [{"Name": "x"}])
    server.org.add_field("Account", Field("Fleet__c", "int"))
    server.org.add_field("Account", Field("Cargo__c", "boolean"))
    assert api.values("SELECT Fleet__c FROM Account", "Fleet__c") == [None]
    assert api.values("SELECT Cargo__c FROM Account", "Cargo__c") == [False]
    server.org.remove_field("Account", "Fleet__c")
    assert "Fleet__c" not in described(api)
    assert api.query("SELECT Fleet__c FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"


def test_a_compound_field_takes_its_parts_along(server: SalesforceServer, api: Any) -> None:
    server.org.remove_field("Account", "BillingAddress")
    assert not [name for name in described(api) if name.startswith("Billing")]


def test_a_field_that_changes_type_keeps_what_fits(server: SalesforceServer, api: Any) -> None:
    server.org.add_object("Thing__c", [Field("V__c")])
    server.org.insert("Thing__c", [{"V__c": "12"}, {"V__c": "twelve"}])
    server.org.add_field("Thing__c", Field("V__c", "double"))
    assert api.values("SELECT V__c FROM Thing__c", "V__c") == [12.0, None]
    server.org.add_field("Thing__c", Field("V__c"))
    assert api.values("SELECT V__c FROM Thing__c", "V__c") == ["12.0", None]
