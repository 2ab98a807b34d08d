"""Airtable's Web API, by https://airtable.com/developers/web/api: records without a time of change, and a formula that has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from doubles.rest_api.pages import numbered
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

BASE_ID, TABLE = "appA", "tblB"
FORMULA = re.compile(r"IS_AFTER\(LAST_MODIFIED_TIME\(\), DATETIME_PARSE\('([^']+)'\)\)")


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Bearer {api.token}" or api.expired:
        return Said(401, {"error": {"type": "AUTHENTICATION_REQUIRED", "message": "Authentication required"}})
    if "records" in api.denied:
        return Said(403, {"error": {"type": "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", "message": "Invalid permissions"}})
    return None


def listed(api: Api, asked: Asked) -> Said:
    """https://airtable.com/developers/web/api/list-records; what an offset is it does not say."""
    match = FORMULA.fullmatch(asked.one("filterByFormula"))
    if not match:
        return Said(422, {"error": {"type": "INVALID_FILTER_BY_FORMULA"}})
    since = datetime.fromisoformat(match[1])
    rows = [row for row in api.rows["records"] if datetime.fromisoformat(row["changed"]) > since]
    page, size = int(asked.one("offset", "1")), api.on_page(asked.one("pageSize"), 100, 100)
    found, more = numbered(rows, page, size)
    told = [{name: value for name, value in row.items() if name != "changed"} for row in found]
    return Said(200, {"records": told, **({"offset": str(page + 1)} if more else {})})


def record(number: int, at: datetime) -> Record:
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"id": f"rec{number:06d}", "createdTime": moment, "fields": {"Name": 'it\'s "new"; né', "Done": True}, "changed": moment}


def changed(row: Record, at: datetime) -> None:
    row["changed"] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    row["fields"]["Name"] = "changed"


VENDOR = Vendor(
    routes={("GET", f"/v0/{BASE_ID}/{TABLE}"): listed},
    refused=refused,
    limited=lambda _: Said(429, {"errors": [{"error": "RATE_LIMIT_REACHED"}]}),
    unknown=Said(404, {"error": "NOT_FOUND"}),
)
