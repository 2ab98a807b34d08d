"""HubSpot's CRM API, by https://developers.hubspot.com/docs/api-reference/crm: searches of 10,000 results, and lists."""

from __future__ import annotations

from datetime import UTC, datetime

from doubles.rest_api.pages import by_value
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

TABLES = ("contacts", "companies", "deals", "tickets")
MOST_FOUND = 10_000
MODIFIED = {"contacts": "lastmodifieddate"}  # of the others hs_lastmodifieddate


def error(status: int, category: str, message: str) -> Said:
    return Said(status, {"status": "error", "category": category, "message": message, "correlationId": "00"})


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Bearer {api.token}":
        return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
    if api.expired:
        return error(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.")
    if any(table in asked.path.split("/") for table in api.denied):
        return error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
    return None


def search(api: Api, asked: Asked, table: str) -> Said:
    """https://developers.hubspot.com/docs/api-reference/search/guide"""
    wanted, found = asked.body, [row for row in api.rows[table] if not row["archived"]]
    (group,) = wanted["filterGroups"]
    for rule in group["filters"]:
        if not isinstance(rule["value"], str):
            return error(400, "VALIDATION_ERROR", "a value is a text")
        found = [row for row in found if _holds(row, rule)]
    (sort,) = wanted["sorts"]
    found.sort(key=lambda row: int(row["properties"][sort["propertyName"]]), reverse=sort["direction"] != "ASCENDING")
    size, after = api.on_page(wanted.get("limit"), 10, 200), int(wanted.get("after") or 0)
    if after + size > MOST_FOUND:
        return error(400, "VALIDATION_ERROR", "The maximum amount of results is 10000")
    page = found[after : after + size]
    names = {*wanted["properties"], "hs_object_id"}
    told = [{**row, "properties": {k: v for k, v in row["properties"].items() if k in names}} for row in page]
    more = {"paging": {"next": {"after": str(after + size)}}} if after + size < len(found) else {}
    return Said(200, {"total": len(found), "results": told, **more})


def _holds(row: Record, rule: Record) -> bool:
    given, name = int(rule["value"]), rule["propertyName"]
    value = row["properties"][name]
    number = int(value) if name == "hs_object_id" else int(datetime.fromisoformat(value).timestamp() * 1000)
    return {"GTE": number >= given, "GT": number > given}[rule["operator"]]


def listed(api: Api, asked: Asked, table: str) -> Said:
    rows = [row for row in api.rows[table] if row["archived"] == (asked.one("archived") == "true")]
    size = api.on_page(asked.one("limit"), 10, 100)
    found, following = by_value(rows, asked.one("after"), size, lambda row: int(row["id"]))
    return Said(200, {"results": found, **({"paging": {"next": {"after": following}}} if following else {})})


def record(table: str, number: int, at: datetime) -> Record:
    own = {"hs_object_id": str(number + 1), "createdate": text(at), MODIFIED.get(table, "hs_lastmodifieddate"): text(at)}
    own |= {"email": "ada@example.com", "name": 'it\'s "new"; né', "never_asked": "x"}
    return {"id": str(number + 1), "properties": own, "createdAt": text(at), "updatedAt": text(at), "archived": False}


def archived(table: str, number: int, at: datetime) -> Record:
    return {**record(table, number, at), "archived": True, "archivedAt": text(at)}


def owner(number: int, at: datetime) -> Record:
    said = {"email": "ada@example.com", "firstName": "Ada", "lastName": "L", "userId": number, "archived": False}
    return {"id": str(number + 1), **said, "createdAt": text(at), "updatedAt": text(at)}


def changed(row: Record, at: datetime) -> None:
    row["updatedAt"] = text(at)
    for name in ("lastmodifieddate", "hs_lastmodifieddate"):
        if name in row.get("properties", {}):
            row["properties"][name] = text(at)


def text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


OBJECTS = "|".join(TABLES)
VENDOR = Vendor(
    routes={
        ("POST", rf"/crm/v3/objects/(?P<table>{OBJECTS})/search"): search,
        ("GET", rf"/crm/v3/objects/(?P<table>{OBJECTS})"): listed,
        ("GET", r"/crm/v3/(?P<table>owners)"): listed,
    },
    refused=refused,
    limited=lambda _: Said(429, {"status": "error", "errorType": "RATE_LIMIT", "policyName": "SECONDLY"}),
    unknown=Said(404, {"status": "error", "category": "OBJECT_NOT_FOUND"}),
)
