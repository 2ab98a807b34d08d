"""What writing one record means, as collections and ingest jobs ask for it."""

from collections.abc import Iterable, Mapping
from typing import Any

from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.records import Records
from doubles.salesforce.schema import ObjectSchema

Values = Mapping[str, Any]


def insert(records: Records, name: str, values: Values) -> str:
    (made,) = records.insert(name, [values], by_client=True)
    return made


def update(records: Records, name: str, values: Values) -> str:
    """By the record's id, in any case of its name."""
    own = next((one for one in values if one.lower() == "id"), "")
    found = str(values.get(own) or "")
    if not found:
        raise SalesforceError(400, "MISSING_ARGUMENT", "Id not specified in an update call", [])
    _there(records, name, found)
    records.update(name, found, {one: value for one, value in values.items() if one != own}, by_client=True)
    return found


def upsert(records: Records, name: str, key: str, values: Values) -> tuple[str, bool]:
    """The record's id, and whether it was created."""
    own = next((one for one in values if one.lower() == key.lower()), "")
    if not own or values[own] in (None, ""):
        raise SalesforceError(400, "MISSING_ARGUMENT", f"{key} not specified", [])
    found = records.find_by(name, key, values[own])
    if len(found) > 1:
        message = f"{key}: more than one record found for external id field: [{', '.join(str(one['Id']) for one in found)}]"
        raise SalesforceError(400, "DUPLICATE_EXTERNAL_ID", message, [key])
    if not found:
        return insert(records, name, values), True
    records.update(name, str(found[0]["Id"]), {one: value for one, value in values.items() if one != own}, by_client=True)
    return str(found[0]["Id"]), False


def delete(records: Records, objects: Iterable[ObjectSchema], found: str) -> str:
    """The id's first letters say of which object it is."""
    schema = next((one for one in objects if found.startswith(one.key_prefix)), None)
    if schema is None:
        raise SalesforceError(400, "MALFORMED_ID", "malformed id", [])
    _there(records, schema.name, found)
    records.delete(schema.name, found)
    return found


def _there(records: Records, name: str, found: str) -> None:
    try:
        records.get(name, found)
    except SalesforceError as error:
        if error.code == "NOT_FOUND":
            raise SalesforceError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []) from None
        raise
