"""Klaviyo's API, by https://developers.klaviyo.com/en/reference: JSON:API, links to the next page, filters and orders by name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from doubles.rest_api.pages import by_value
from doubles.rest_api.server import BASE, Api, Asked, Record, Said, Vendor

FILTERS = {"profiles": r"greater-than\((updated),([^)]+)\)", "events": r"greater-or-equal\((datetime),([^)]+)\)"}
SIZES = {"profiles": (20, 100), "events": (200, 1000), "lists": (10, 10), "metrics": (200, 200)}


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Klaviyo-API-Key {api.token}" or api.expired:
        return error(401, "not_authenticated", "Authentication credentials were not provided.")
    if "revision" not in asked.headers:
        return error(400, "invalid", "Missing revision header.")
    if asked.path.rpartition("/")[2] in api.denied:
        return error(403, "permission_denied", "You do not have permission to perform this action.")
    return None


def error(status: int, code: str, detail: str) -> Said:
    return Said(status, {"errors": [{"status": status, "code": code, "detail": detail}]})


def listed(api: Api, asked: Asked, table: str) -> Said:
    """https://developers.klaviyo.com/en/reference/api_overview#pagination"""
    rows, wanted = api.rows[table], asked.one("filter")
    if wanted:
        match = re.fullmatch(FILTERS[table], wanted)
        if not match:
            return error(400, "invalid", "Invalid filter provided.")
        since = datetime.fromisoformat(match[2])
        rows = [
            row
            for row in rows
            if (at := datetime.fromisoformat(row["attributes"][match[1]])) > since or (at == since and "or" in wanted)
        ]
    sort = asked.one("sort", "id")
    size = api.on_page(asked.one("page[size]"), *SIZES[table])
    found, following = by_value(rows, asked.one("page[cursor]"), size, lambda row: [{**row["attributes"], **row}[sort], row["id"]])
    query = urlencode({**{name: values[0] for name, values in asked.query.items()}, "page[cursor]": following})
    return Said(200, {"data": found, "links": {"next": f"{BASE}/api/{table}?{query}" if following else None}})


def record(kind: str, number: int, at: datetime) -> Record:
    own = {"created": text(at), "updated": text(at), "datetime": text(at), "timestamp": int(at.timestamp())}
    own |= {"email": "ada@example.com", "name": 'it\'s "new"; né', "properties": {"a": 1}, "event_properties": {"value": 3}}
    return {"type": kind, "id": f"{number:06d}", "attributes": own, "relationships": {"metric": {"data": {"id": "7"}}}}


def changed(row: Record, at: datetime) -> None:
    if row["type"] != "event":
        row["attributes"]["updated"] = text(at)


def text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


VENDOR = Vendor(
    routes={("GET", "/api/(?P<table>profiles|events|lists|metrics)"): listed},
    refused=refused,
    limited=lambda seconds: Said(429, {"errors": [{"code": "throttled"}]}, {"Retry-After": str(seconds)}),
    unknown=error(404, "not_found", "Not found."),
)
