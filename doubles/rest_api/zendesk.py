"""Zendesk's Support API, by https://developer.zendesk.com/api-reference: exports in the order of changes, without the last minute."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from doubles.rest_api.pages import by_value
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

EMAIL = "ada@example.com"
CHANGED = {"tickets": "generated_timestamp", "users": "updated_at"}


def refused(api: Api, asked: Asked) -> Said | None:
    right = base64.b64encode(f"{EMAIL}/token:{api.token}".encode()).decode()
    if asked.headers.get("authorization") != f"Basic {right}" or api.expired:
        return Said(401, {"error": "Couldn't authenticate you"})
    if any(table in asked.path for table in api.denied):
        return Said(403, {"error": "Forbidden", "description": "You do not have access to this page."})
    return None


def exported(api: Api, asked: Asked, table: str) -> Said:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"""
    now, cursor = api.now().timestamp(), asked.one("cursor")
    if cursor and asked.one("start_time"):
        return Said(400, {"error": "this double takes one of them"})
    if not cursor and float(asked.one("start_time")) > now - 60:
        return Said(422, {"error": "StartTimeTooRecent", "description": "Too recent start_time. Use one older than 60 seconds"})
    rows = [row for row in api.rows[table] if changed_at(row, table) <= now - 60]
    if not cursor:
        rows = [row for row in rows if changed_at(row, table) >= float(asked.one("start_time"))]
    size = api.on_page(asked.one("per_page"), 1000, 1000)
    found, following = by_value(rows, cursor, size, lambda row: [changed_at(row, table), row["id"]])
    return Said(200, {table: found, "after_cursor": following or None, "end_of_stream": not following})


def listed(api: Api, asked: Asked, table: str) -> Said:
    """https://developer.zendesk.com/api-reference/introduction/pagination/#cursor-pagination"""
    size = api.on_page(asked.one("page[size]"), 100, 100)
    found, following = by_value(api.rows[table], asked.one("page[after]"), size, lambda row: row["id"])
    return Said(200, {table: found, "meta": {"has_more": bool(following), "after_cursor": following or None}})


def changed_at(row: Record, table: str) -> float:
    value = row[CHANGED[table]]
    return float(value) if isinstance(value, int) else datetime.fromisoformat(value).timestamp()


def ticket(number: int, at: datetime) -> Record:
    said = {"subject": 'it\'s "new"; né', "status": "open", "tags": ["a"], "custom_fields": [{"id": 7, "value": None}], "group_id": 7}
    return {"id": number + 1, "generated_timestamp": int(at.timestamp()), "created_at": text(at), "updated_at": text(at), **said}


def user(number: int, at: datetime) -> Record:
    said = {"name": "Ada", "email": EMAIL, "active": True, "role": "agent", "user_fields": {"vip": True}}
    return {"id": number + 1, "created_at": text(at), "updated_at": text(at), **said}


def group(number: int, at: datetime) -> Record:
    return {"id": number + 1, "name": "Support", "default": False, "deleted": False, "created_at": text(at), "updated_at": text(at)}


def organization(number: int, at: datetime) -> Record:
    said = {"name": 'it\'s "new"; né', "group_id": 7, "details": "", "domain_names": ["example.com"], "organization_fields": {"a": 1}}
    return {"id": number + 1, "created_at": text(at), "updated_at": text(at), **said}


def changed(row: Record, at: datetime) -> None:
    """A ticket by the system, which leaves `updated_at` as it was."""
    if "generated_timestamp" in row:
        row["generated_timestamp"] = int(at.timestamp())
    else:
        row["updated_at"] = text(at)


def text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


VENDOR = Vendor(
    routes={
        ("GET", r"/api/v2/incremental/(?P<table>tickets|users)/cursor\.json"): exported,
        ("GET", r"/api/v2/(?P<table>organizations|groups)\.json"): listed,
    },
    refused=refused,
    limited=lambda seconds: Said(429, {"error": "APIRateLimitExceeded"}, {"Retry-After": str(seconds)}),
    unknown=Said(404, {"error": "InvalidEndpoint"}),
)
