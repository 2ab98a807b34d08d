"""Google Analytics' Data API, by https://developers.google.com/analytics/devguides/reporting/data/v1: reports of rows by offset."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from doubles.rest_api.google_oauth import ACCESS, exchanged
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

PROPERTY = "123456"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
# API's name ▸ the field of a double's record.
DIMENSIONS = {
    "date": "date",
    "eventName": "event_name",
    "sessionDefaultChannelGroup": "channel",
    "hostName": "host",
    "pagePath": "path",
}
METRICS = {
    **{"activeUsers": "active_users", "newUsers": "new_users", "totalUsers": "users", "sessions": "sessions"},
    **{"engagedSessions": "engaged_sessions", "screenPageViews": "views", "eventCount": "events", "eventValue": "value"},
    **{"userEngagementDuration": "engagement_seconds", "totalRevenue": "revenue", "keyEvents": "key_events"},
}
TABLES = {("date",): "daily", ("date", "eventName"): "events", ("date", "sessionDefaultChannelGroup"): "channels"}
OF_DAYS = {"today": 0, "yesterday": 1}


def error(status: int, name: str, message: str) -> Said:
    return Said(status, {"error": {"code": status, "status": name, "message": message}})


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.path == "/token":
        return None
    if asked.headers.get("authorization") != f"Bearer {ACCESS}" or api.expired:
        return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    if _table(asked) in api.denied:
        return error(403, "PERMISSION_DENIED", "User does not have sufficient permissions for this property.")
    return None


def reported(api: Api, asked: Asked) -> Said:
    """https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport; values are texts."""
    (span,) = asked.body["dateRanges"]
    start, end = (_day(api, span[edge]) for edge in ("startDate", "endDate"))
    names = [[one["name"] for one in asked.body[kind]] for kind in ("dimensions", "metrics")]
    fields = [DIMENSIONS[name] for name in names[0]]
    rows = [row for row in api.rows[_table(asked)] if start <= row["date"] <= end]
    rows.sort(key=lambda row: [row[field] for field in fields])
    offset, limit = int(asked.body.get("offset", 0)), int(asked.body["limit"])
    told = [
        {
            "dimensionValues": [{"value": row[field].replace("-", "") if field == "date" else row[field]} for field in fields],
            "metricValues": [{"value": str(row[METRICS[name]])} for name in names[1]],
        }
        for row in rows[offset : offset + limit]
    ]
    headers = {"dimensionHeaders": asked.body["dimensions"], "metricHeaders": asked.body["metrics"], "rowCount": len(rows)}
    metadata = {
        "currencyCode": "EUR",
        "timeZone": "Europe/Berlin",
        **{name: value for row in api.rows["metadata"] for name, value in row.items()},
    }
    return Said(200, {**headers, **({"rows": told} if told else {}), "metadata": metadata, "kind": "analyticsData#runReport"})


def record(table: str, number: int, at: datetime) -> Record:
    """A row; of `daily` each number is another day."""
    day = at.date() - timedelta(days=number if table == "daily" else 0)
    found: dict[str, Any] = dict.fromkeys(METRICS.values(), 40 + number) | {"revenue": 12.5, "value": 0.25, "key_events": 3.0}
    return {
        **found,
        "date": f"{day:%Y-%m-%d}",
        "event_name": f"event {number}",
        "channel": f"channel {number}",
        "host": "é.example",
        "path": f"/{number}",
    }


def changed(row: Record, at: datetime) -> None:
    """A day that is over changes."""
    row["users"] += 1
    row["revenue"] += 1


def _table(asked: Asked) -> str:
    return TABLES.get(tuple(one["name"] for one in asked.body["dimensions"]), "pages")


def _day(api: Api, text: str) -> str:
    return f"{api.now() - timedelta(days=OF_DAYS[text]):%Y-%m-%d}" if text in OF_DAYS else text


VENDOR = Vendor(
    routes={("POST", "/token"): partial(exchanged, scope=SCOPE), ("POST", rf"/v1beta/properties/{PROPERTY}:runReport"): reported},
    refused=refused,
    limited=lambda _: error(429, "RESOURCE_EXHAUSTED", "Exhausted property tokens per hour."),
    unknown=error(404, "NOT_FOUND", "Requested entity was not found."),
)
