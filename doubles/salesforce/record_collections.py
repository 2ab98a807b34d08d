"""sObject Collections: up to 200 records in a request, with a result for each in their order.

REST API Developer Guide, "Using sObject Collections"
(https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm).
"""

from collections.abc import Callable
from typing import Any

from doubles.salesforce.call import Answer, Call
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.org import Org
from doubles.salesforce.schema import ObjectSchema
from doubles.salesforce.values import to_stored
from doubles.salesforce.writing import delete, insert, update, upsert

MOST = 200
Result = dict[str, Any]


def create(org: Org, call: Call) -> Answer:
    """`POST …/composite/sobjects`"""
    return _each(
        _records(org, call), lambda row: {"id": insert(org.records, _type(row), _values(row)), "success": True, "errors": []}
    )


def update_records(org: Org, call: Call) -> Answer:
    """`PATCH …/composite/sobjects`, each record with its `id`"""
    return _each(
        _records(org, call), lambda row: {"id": update(org.records, _type(row), _values(row)), "success": True, "errors": []}
    )


def upsert_records(org: Org, call: Call) -> Answer:
    """`PATCH …/composite/sobjects/<T>/<external id field>`: objects of one type only, and no record ids"""
    name, key = call.path["object"], call.path["field"]

    def one(row: Result) -> Result:
        if _type(row).lower() != name.lower():
            raise SalesforceError(400, "INVALID_TYPE", f"the record is no {name}", [])
        found, made = upsert(org.records, name, key, _values(row))
        return {"id": found, "success": True, "errors": [], "created": made}

    return _each(_records(org, call), one)


def delete_records(org: Org, call: Call) -> Answer:
    """`DELETE …/composite/sobjects?ids=<id>,<id>`"""
    ids = [one for one in call.query.get("ids", "").split(",") if one]
    _hold_to_size(len(ids))
    return _each(ids, lambda one: {"id": delete(org.records, org.store.objects(), one), "success": True, "errors": []})


def _each(rows: list[Any], one: Callable[[Any], Result]) -> Answer:
    """The results, of each by itself."""
    results = []
    for row in rows:
        try:
            results.append(one(row))
        except SalesforceError as error:
            told = {"statusCode": error.code, "message": error.message, "fields": error.fields or []}
            results.append({"success": False, "errors": [told]})
    return Answer(results)


def _records(org: Org, call: Call) -> list[Result]:
    """The records of a body; with allOrNone everything would have to be undone, which is not spoken here."""
    body = call.json()
    if body.get("allOrNone"):
        raise SalesforceError(501, "NOT_IMPLEMENTED", "the double takes no allOrNone")
    records = body.get("records")
    if not isinstance(records, list):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "records is required")
    _hold_to_size(len(records))
    for row in records:
        if not row.get("attributes", {}).get("type"):
            raise SalesforceError(400, "INVALID_INPUT", "Include an attribute with the type for each record")
        _hold_to_types(org.records.schema(_type(row)), row)
    return records


def _hold_to_types(schema: ObjectSchema, row: Result) -> None:
    """A value that is not of its field's type makes the whole body one that cannot be read, before anything is written."""
    for name, value in row.items():
        if (field := schema.find(name)) is not None:
            try:
                to_stored(field, value)
            except SalesforceError as error:
                if error.code == "JSON_PARSER_ERROR":
                    raise


def _hold_to_size(count: int) -> None:
    if count > MOST:
        raise SalesforceError(400, "EXCEEDED_MAX_SIZE_REQUEST", f"record limit reached. cannot submit more than {MOST} records")


def _type(row: Result) -> str:
    return str(row["attributes"]["type"])


def _values(row: Result) -> Result:
    return {name: value for name, value in row.items() if name != "attributes"}
