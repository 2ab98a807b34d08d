"""Notion's API, by https://developers.notion.com/reference: times of whole minutes, queries of 10,000 results, pages by offset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

SOURCE = "248104cd-477e-80af-bc30-000bd28de8f9"
MOST_FOUND = 10_000


def error(status: int, code: str) -> Said:
    return Said(status, {"object": "error", "status": status, "code": code, "message": code})


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Bearer {api.token}" or api.expired:
        return error(401, "unauthorized")
    if "notion-version" not in asked.headers:
        return error(400, "missing_version")
    if asked.path.rpartition("/")[2] in api.denied:
        return error(403, "restricted_resource")
    return None


def query(api: Api, asked: Asked, source: str) -> Said:
    """https://developers.notion.com/reference/query-a-data-source"""
    if source != SOURCE:
        return error(404, "object_not_found")
    wanted = asked.body
    if wanted["sorts"] != [{"timestamp": "created_time", "direction": "ascending"}]:
        return error(400, "validation_error")
    rows = [row for row in api.rows["pages"] if all(_holds(row, rule) for rule in wanted["filter"]["and"])]
    rows.sort(key=lambda row: (row["created_time"], row["id"]))
    return listed(api, rows, wanted.get("page_size"), wanted.get("start_cursor"))


def _holds(row: Record, rule: dict[str, Any]) -> bool:
    ((how, edge),) = rule[rule["timestamp"]].items()
    at, edge = (datetime.fromisoformat(one) for one in (row[rule["timestamp"]], edge))
    return at >= edge if how == "on_or_after" else at <= edge


def listed(api: Api, rows: list[Record], wanted: Any, cursor: Any) -> Said:
    """https://developers.notion.com/reference/intro#pagination; what a cursor is it does not say."""
    start, size = int(cursor or 0), api.on_page(wanted, 100, 100)
    more, cut = start + size < min(len(rows), MOST_FOUND), len(rows) > MOST_FOUND
    told = {
        "object": "list",
        "results": rows[start : start + size],
        "has_more": more,
        "next_cursor": str(start + size) if more else None,
    }
    status = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"} if cut else {"type": "complete"}
    return Said(200, {**told, "request_status": status})


def users(api: Api, asked: Asked) -> Said:
    return listed(api, api.rows["users"], asked.one("page_size"), asked.one("start_cursor"))


def page(number: int, at: datetime) -> Record:
    said = {
        "in_trash": False,
        "url": "https://www.notion.so/x",
        "properties": {"Name": {"title": [{"plain_text": 'it\'s "new"; né'}]}},
    }
    return {"object": "page", "id": f"{number:08d}-0000", "created_time": text(at), "last_edited_time": text(at), **said}


def user(number: int, at: datetime) -> Record:
    return {
        "object": "user",
        "id": f"{number:08d}-1111",
        "type": "person",
        "name": f"Ada {at:%H}",
        "person": {"email": "ada@example.com"},
    }


def changed(row: Record, at: datetime) -> None:
    row["last_edited_time" if row["object"] == "page" else "name"] = text(at)


def text(at: datetime) -> str:
    """A minute, without its seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")


VENDOR = Vendor(
    routes={("POST", r"/v1/data_sources/(?P<source>[^/]+)/query"): query, ("GET", "/v1/users"): users},
    refused=refused,
    limited=lambda seconds: Said(429, {"object": "error", "code": "rate_limited"}, {"Retry-After": str(seconds)}),
    unknown=error(404, "object_not_found"),
)
