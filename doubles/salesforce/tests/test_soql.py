"""What SOQL finds, in which order, and how it refuses."""

from typing import Any

import pytest

from doubles.salesforce import SalesforceServer

ROWS: list[dict[str, Any]] = [
    {"Name": "Alaska", "AnnualRevenue": 1.5, "Active__c": True, "Founded__c": "1932-06-06", "Industry": "Aviation",
     "Audited__c": "2026-02-28T23:30:00Z", "NumberOfEmployees": 10, "Opens__c": "08:30:00.000Z"},
    {"Name": "Bob's 100%", "AnnualRevenue": 20000000, "Founded__c": "2020-01-01", "Audited__c": "2026-03-01T00:00:00Z"},
    {"Name": "C\\D_E", "AnnualRevenue": -3, "Active__c": True, "NumberOfEmployees": 2147483647},
    {"Name": "Ünïcode 漢", "Industry": "Energy"},
]  # fmt: skip


@pytest.fixture(autouse=True)
def rows(server: SalesforceServer) -> list[str]:
    return server.org.insert("Account", ROWS)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'alaska'", "A"),
        ("Name != 'alaska'", "BCÜ"),
        ("Name = 'Bob\\'s 100%'", "B"),
        ("Name = 'C\\\\D_E'", "C"),
        ("Name = '\\u00dcn\\u00efcode 漢'", "Ü"),
        ("Name LIKE 'b%'", "B"),
        ("Name LIKE '%100\\%'", "B"),
        ("Name LIKE 'C\\\\D\\_E'", "C"),
        ("Name LIKE '_laska'", "A"),
        ("(NOT Name LIKE 'a%')", "BCÜ"),
        ("Name IN ('Alaska', 'Bob\\'s 100%')", "AB"),
        ("Industry NOT IN ('Aviation')", "BCÜ"),
        ("Industry = null", "BC"),
        ("Industry != null", "AÜ"),
        ("Industry = ''", "BC"),
        ("Industry IN ('Energy', null)", "BCÜ"),
        ("Active__c = TRUE", "AC"),
        ("Active__c != true", "BÜ"),
        ("AnnualRevenue > 1.4", "AB"),
        ("AnnualRevenue >= 2e7", "B"),
        ("AnnualRevenue < 0", "C"),
        ("NOT AnnualRevenue < 0", "ABÜ"),
        ("NumberOfEmployees <= 10", "A"),
        ("Founded__c < 2020-01-01", "A"),
        ("Founded__c = 2020-01-01", "B"),
        ("Opens__c = 08:30:00.000Z", "A"),
        ("Audited__c >= 2026-03-01T00:00:00Z", "B"),
        ("Audited__c >= 2026-03-01T01:00:00+01:00", "B"),
        ("Audited__c < 2026-02-28T19:00:00.000-0500", "A"),
        ("Audited__c = TODAY", "B"),
        ("Audited__c = YESTERDAY", "A"),
        ("Audited__c = LAST_N_DAYS:2", "AB"),
        ("Audited__c > YESTERDAY", "B"),
        ("Name = 'Alaska' OR (Active__c = true AND AnnualRevenue < 0)", "AC"),
        ("(Name = 'Alaska' OR Active__c = true) AND AnnualRevenue < 0", "C"),
        ("account.name = 'Alaska'", "A"),
    ],
)
def test_where_finds_what_it_says(api: Any, where: str, found: str) -> None:
    assert "".join(name[0] for name in api.values(f"SELECT Name FROM Account WHERE {where}", "Name")) == found


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ("ORDER BY AnnualRevenue", "ÜCAB"),
        ("ORDER BY AnnualRevenue NULLS LAST", "CABÜ"),
        ("ORDER BY AnnualRevenue DESC", "ÜBAC"),
        ("ORDER BY AnnualRevenue DESC NULLS LAST", "BACÜ"),
        ("ORDER BY Active__c DESC, Name ASC LIMIT 3", "ACB"),
        ("ORDER BY Name LIMIT 2 OFFSET 1", "BC"),
        ("LIMIT 0", ""),
    ],
)
def test_order_limit_and_offset(api: Any, tail: str, found: str) -> None:
    assert "".join(name[0] for name in api.values(f"SELECT Name FROM Account {tail}", "Name")) == found


def test_an_id_is_found_by_either_of_its_forms(api: Any, rows: list[str]) -> None:
    for record_id in (rows[0], rows[0][:15]):
        assert api.values(f"SELECT Name FROM Account WHERE Id = '{record_id}'", "Name") == ["Alaska"]
    assert api.values(f"SELECT Id FROM Account WHERE Id IN ('{rows[1][:15]}')", "Id") == [rows[1]]


def test_count_answers_the_number_alone(api: Any) -> None:
    answer = api.query("SELECT COUNT() FROM Account WHERE Active__c = true").json()
    assert answer == {"totalSize": 2, "done": True, "records": []}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("soql", "code", "place", "message"),
    [
        ("SELECT Id FRM Account", "MALFORMED_QUERY", "Row:1:Column:11", "unexpected token: 'FRM'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "Row:1:Column:29", "unexpected token: '<EOF>'"),
        ("SELECT Id\nFROM Account\nLIMIT x", "MALFORMED_QUERY", "Row:3:Column:7", "unexpected token: 'x'"),
        ("SELECT Id FROM Account WHERE Id = 'a' AND Id = 'b' OR Id = 'c'", "MALFORMED_QUERY", "Column:52", "'OR'"),
        ("SELECT Id FROM Account WHERE Name = 'a\\q'", "MALFORMED_QUERY", "Column:37", "Illegal character sequence"),
        ("SELECT Id FROM Account WHERE Name ; 'a'", "MALFORMED_QUERY", "Column:35", "';'"),
        ("SELECT Foo__c FROM Account", "INVALID_FIELD", "Row:1:Column:8", "No such column 'Foo__c' on entity 'Account'"),
        ("SELECT Owner.Name FROM Account", "INVALID_FIELD", "Column:8", "Didn't understand relationship 'Owner'"),
        ("SELECT Id, id FROM Account", "INVALID_FIELD", "Column:12", "duplicate field selected: Id"),
        ("SELECT Id FROM Foo__c", "INVALID_TYPE", "Column:16", "sObject type 'Foo__c' is not supported"),
        ("SELECT Id FROM Account WHERE AnnualRevenue = '1'", "INVALID_FIELD", "Column:46", "must be of type double"),
        ("SELECT Id FROM Account WHERE Name = 1", "INVALID_FIELD", "Column:37", "should be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD", "Column:47", "type dateTime"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "Column:30", "can not be filtered"),
        ("SELECT Id FROM Account ORDER BY BillingAddress", "INVALID_FIELD", "Column:33", "can not be sorted"),
        ("SELECT Id FROM Account WHERE Id = 'zz'", "INVALID_QUERY_FILTER_OPERATOR", "Column:35", "invalid ID field: zz"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_refused_with_its_place(api: Any, soql: str, code: str, place: str, message: str) -> None:
    response = api.query(soql)
    (error,) = response.json()
    assert (response.status_code, error["errorCode"]) == (400, code)
    assert place in error["message"] and message in error["message"]


def test_the_longest_query_and_the_largest_offset_are_salesforces(api: Any) -> None:
    error = api.query("SELECT Id FROM Account OFFSET 2001").json()[0]
    assert error["errorCode"] == "NUMBER_OUTSIDE_VALID_RANGE"
    assert api.query("SELECT Id FROM Account WHERE Name = '" + "x" * 17_000 + "'").status_code == 414
    query = {"operation": "query", "query": "SELECT Id FROM Account WHERE Name = '" + "x" * 100_000 + "'"}
    assert "longer than 100000" in api.call("POST", "/jobs/query", json=query).json()[0]["message"]
