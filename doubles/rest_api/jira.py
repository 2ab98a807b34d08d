"""Jira Cloud's API, by https://developer.atlassian.com/cloud/jira/platform/rest/v3: JQL's minutes are the user's; pages by offset."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta, timezone

from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

EMAIL = "ada@example.com"
ZONE = timezone(timedelta(hours=-11))  # of the user: Pago Pago
JQL = re.compile(r'updated >= "(\d{4}-\d\d-\d\d \d\d:\d\d)" ORDER BY created ASC, key ASC')
LISTS = {"status": "statuses", "issuetype": "issue_types", "field": "issue_fields"}


def refused(api: Api, asked: Asked) -> Said | None:
    right = base64.b64encode(f"{EMAIL}:{api.token}".encode()).decode()
    if asked.headers.get("authorization") != f"Basic {right}" or api.expired:
        return Said(401, "Client must be authenticated to access this resource.")
    if asked.path.rpartition("/")[2] == "search" and "projects" in api.denied:
        return Said(403, {"errorMessages": ["You do not have permission"], "errors": {}})
    return None


def search(api: Api, asked: Asked) -> Said:
    """Pages by offset: what a token is the documentation does not say."""
    match = JQL.fullmatch(asked.body["jql"])
    if not match:
        return Said(400, {"errorMessages": ["Error in the JQL Query"], "errors": {}})
    since = datetime.strptime(match[1], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    rows = [row for row in api.rows["issues"] if moment(row["fields"]["updated"]) >= since]
    rows.sort(key=lambda row: (row["fields"]["created"], row["key"]))
    size, start = api.on_page(asked.body.get("maxResults"), 50, 100), int(asked.body.get("nextPageToken") or 0)
    more = {} if start + size >= len(rows) else {"nextPageToken": str(start + size)}
    return Said(200, {"issues": rows[start : start + size], "isLast": not more, **more})


def projects(api: Api, asked: Asked) -> Said:
    start, size, rows = int(asked.one("startAt", "0")), api.on_page(asked.one("maxResults"), 50, 50), api.rows["projects"]
    found = rows[start : start + size]
    return Said(200, {"startAt": start, "maxResults": size, "total": len(rows), "isLast": start + size >= len(rows), "values": found})


def whole(api: Api, asked: Asked, name: str) -> Said:
    return Said(200, api.rows[LISTS[name]])


def issue(number: int, at: datetime) -> Record:
    said = {"summary": 'it\'s "new"; né', "status": {"name": "To Do"}, "project": {"key": "SHOP"}, "customfield_10001": 3}
    return {"id": str(10_000 + number), "key": f"SHOP-{number}", "fields": {"updated": text(at), "created": text(at), **said}}


def project(number: int, at: datetime) -> Record:
    return {"id": str(number), "key": f"P{number}", "name": f"made {at:%H:%M}", "isPrivate": False, "projectTypeKey": "software"}


def status(number: int, at: datetime) -> Record:
    return {"id": str(number), "name": f"made {at:%H:%M}", "description": "", "statusCategory": {"key": "new"}}


def issue_type(number: int, at: datetime) -> Record:
    return {"id": str(number), "name": f"made {at:%H:%M}", "description": 'it\'s "new"; né', "subtask": False, "hierarchyLevel": 0}


def issue_field(number: int, at: datetime) -> Record:
    name = f"customfield_{number}"
    return {"id": name, "key": name, "name": f"made {at:%H:%M}", "custom": True, "schema": {"type": "number", "customId": number}}


def changed(row: Record, at: datetime) -> None:
    if "fields" in row:
        row["fields"]["updated"] = text(at)
    else:
        row["name"] = f"changed {at:%H:%M}"


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def text(at: datetime) -> str:
    """In the user's zone, as Jira writes it."""
    return at.astimezone(UTC).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S.000%z")


VENDOR = Vendor(
    routes={
        ("POST", "/rest/api/3/search/jql"): search,
        ("GET", "/rest/api/3/project/search"): projects,
        ("GET", f"/rest/api/3/(?P<name>{'|'.join(LISTS)})"): whole,
    },
    refused=refused,
    limited=lambda seconds: Said(429, {"errorMessages": ["Rate limit exceeded."]}, {"Retry-After": str(seconds)}),
    unknown=Said(404, {"errorMessages": ["Not found"]}),
)
