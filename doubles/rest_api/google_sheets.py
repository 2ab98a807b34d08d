"""Google Drive's export of spreadsheets, by https://developers.google.com/workspace/drive/api/reference/rest/v3/files/export."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from doubles.rest_api.google_oauth import ACCESS, exchanged
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

FILE = "1aBcD_e-F"
HEADER = ("key", "name", "total", "note")


def error(status: int, reason: str, message: str) -> Said:
    return Said(status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}})


UNKNOWN = error(404, "notFound", "File not found: 1aBcD_e-F.")


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.path == "/token":
        return None
    if asked.headers.get("authorization") != f"Bearer {ACCESS}" or api.expired:
        return error(401, "authError", "Invalid Credentials")
    return UNKNOWN if "rows" in api.denied else None  # what a user may not read is not there


def exported(api: Api, asked: Asked) -> Said:
    """The first sheet, its first row the header; a cell without a value is empty."""
    if asked.one("mimeType") != "text/csv":
        return error(400, "badRequest", "The requested conversion is not supported.")
    text = io.StringIO()
    csv.DictWriter(text, HEADER).writeheader()
    csv.DictWriter(text, HEADER).writerows(api.rows["rows"])
    return Said(200, text.getvalue().encode())


def record(number: int, at: datetime) -> Record:
    return {"key": f"r{number}", "name": 'it\'s "new"; né,\nand more', "total": "1.50", "note": ""}


def changed(row: Record, at: datetime) -> None:
    row["name"] = f"changed {at:%H:%M}"


VENDOR = Vendor(
    routes={("POST", "/token"): exchanged, ("GET", f"/drive/v3/files/{FILE}/export"): exported},
    refused=refused,
    limited=lambda _: error(429, "rateLimitExceeded", "Rate Limit Exceeded"),
    unknown=UNKNOWN,
)
