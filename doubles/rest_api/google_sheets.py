"""Google Drive's export of spreadsheets, and the Sheets API's values of a sheet.

https://developers.google.com/workspace/drive/api/reference/rest/v3/files/export, …/workspace/sheets/api/reference/rest/v4.
An API's rows: 'rows' of the first sheet; 'sheets'; 'sheet_rows' of the one that is called TITLE, the others are empty.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from functools import partial

from doubles.rest_api.google_oauth import ACCESS, exchanged
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

FILE = "1aBcD_e-F"
HEADER = ("key", "name", "total", "note")
TITLE, GID = "It's «2026» & né", 77
SCOPE = "https://www.googleapis.com/auth/drive.readonly"


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


def sheets(api: Api, asked: Asked) -> Said:
    told = (
        {"properties": {"sheetId" if name == "gid" else name: value for name, value in row.items()}} for row in api.rows["sheets"]
    )
    return Said(200, {"sheets": [*told]})


def values(api: Api, asked: Asked) -> Said:
    """Texts as the sheet shows them, without the empty ones at a row's end; of an empty sheet none at all."""
    (wanted,) = asked.query["ranges"]
    quoted = re.fullmatch(r"'((?:[^']|'')*)'", wanted)
    title = quoted[1].replace("''", "'") if quoted else ""
    if title not in [row["title"] for row in api.rows["sheets"]] or asked.one("valueRenderOption") != "FORMATTED_VALUE":
        return error(400, "badRequest", f"Unable to parse range: {wanted}")
    rows = [[*HEADER], *([row[name] for name in HEADER] for row in api.rows["sheet_rows"])] if title == TITLE else []
    for row in rows:
        while row and row[-1] == "":
            row.pop()
    found = {"range": f"{wanted}!A1:D1000", "majorDimension": "ROWS", **({"values": rows} if rows else {})}
    return Said(200, {"spreadsheetId": FILE, "valueRanges": [found]})


def sheet(number: int, at: datetime, title: str = "") -> Record:
    grid = {"rowCount": 1000, "columnCount": 26}
    return {"gid": number, "title": title or f"Sheet {number}", "index": number, "sheetType": "GRID", "gridProperties": grid}


def retitled(row: Record, at: datetime) -> None:
    row["title"] = f"changed {at:%H:%M} {row['gid']}"


def record(number: int, at: datetime) -> Record:
    return {"key": f"r{number}", "name": 'it\'s "new"; né,\nand more', "total": "1.50", "note": ""}


def changed(row: Record, at: datetime) -> None:
    row["name"] = f"changed {at:%H:%M}"


VENDOR = Vendor(
    routes={
        ("POST", "/token"): partial(exchanged, scope=SCOPE),
        ("GET", f"/drive/v3/files/{FILE}/export"): exported,
        ("GET", f"/v4/spreadsheets/{FILE}"): sheets,
        ("GET", f"/v4/spreadsheets/{FILE}/values:batchGet"): values,
    },
    refused=refused,
    limited=lambda _: error(429, "rateLimitExceeded", "Rate Limit Exceeded"),
    unknown=UNKNOWN,
)
