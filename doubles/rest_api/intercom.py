"""Intercom's API, by https://developers.intercom.com/docs/references/2.13/rest-api: searches by the day, newest first, by offset."""

from __future__ import annotations

import time
from datetime import datetime

from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

DAY = 86_400
LISTS = {"admins": "admins", "tags": "data"}


def error(status: int, code: str) -> Said:
    return Said(status, {"type": "error.list", "errors": [{"code": code, "message": code}]})


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Bearer {api.token}" or api.expired:
        return error(401, "unauthorized")
    if any(table in asked.path for table in api.denied):
        return error(403, "api_plan_restricted")
    return None


def search(api: Api, asked: Asked, table: str) -> Said:
    """`>` is by days: it begins with the next one."""
    query, pages = asked.body["query"], asked.body["pagination"]
    if (query["field"], query["operator"]) != ("updated_at", ">"):
        return error(400, "parameter_invalid")
    since = int(query["value"]) // DAY * DAY + DAY
    rows = sorted((row for row in api.rows[table] if row["updated_at"] >= since), key=lambda row: -row["updated_at"])
    start, size = int(pages.get("starting_after") or 0), api.on_page(pages.get("per_page"), 50, 150)
    more = start + size < len(rows)
    told = {"type": "pages", **({"next": {"per_page": size, "starting_after": str(start + size)}} if more else {})}
    found = {"data" if table == "contacts" else "conversations": rows[start : start + size]}
    return Said(200, {"type": "list", "total_count": len(rows), "pages": told, **found})


def listed(api: Api, asked: Asked, table: str) -> Said:
    return Said(200, {"type": "list", LISTS[table]: api.rows[table]})


def record(kind: str, number: int, at: datetime) -> Record:
    moment = int(at.timestamp())
    said = {"name": 'it\'s "new"; né', "email": "ada@example.com", "open": True, "state": "open", "tags": {"data": []}}
    return {"type": kind, "id": f"{number:06d}", "created_at": moment, "updated_at": moment, **said}


def tag(number: int, at: datetime) -> Record:
    return {"type": "tag", "id": f"{number:06d}", "name": f"made {at:%H:%M}"}


def changed(row: Record, at: datetime) -> None:
    row["name"] = f"changed {at:%H:%M}"
    if "updated_at" in row:
        row["updated_at"] = int(at.timestamp())


def limited(seconds: int) -> Said:
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + seconds)}
    return Said(429, error(429, "rate_limit_exceeded").body, reset)


VENDOR = Vendor(
    routes={("POST", "/(?P<table>contacts|conversations)/search"): search, ("GET", "/(?P<table>admins|tags)"): listed},
    refused=refused,
    limited=limited,
    unknown=error(404, "not_found"),
)
