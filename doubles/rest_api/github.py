"""GitHub's REST API, by https://docs.github.com/en/rest: pages by number, links to them, `since` where it is taken, and its limits.

An API's rows: 'owner/name/issues' ▸ records, and so on for 'issues/comments', 'labels', 'pulls/1/reviews'.
"""

from __future__ import annotations

import time
from datetime import datetime
from urllib.parse import urlencode

from doubles.rest_api.pages import numbered
from doubles.rest_api.server import BASE, Api, Asked, Record, Said, Vendor

ACCEPT, VERSION = "application/vnd.github+json", "2022-11-28"
TIMED = ("issues", "issues/comments")  # what takes `since`
SORTED = (*TIMED, "pulls")
FORM = "%Y-%m-%dT%H:%M:%SZ"
UNKNOWN = Said(404, {"message": "Not Found"})


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("authorization") != f"Bearer {api.token}" or api.expired:
        return Said(401, {"message": "Bad credentials"})
    known = asked.headers.get("user-agent"), asked.headers.get("accept"), asked.headers.get("x-github-api-version")
    if any(asked.path.endswith(table.partition("/")[2]) for table in api.denied):
        return Said(403, {"message": "Resource not accessible by personal access token"})
    if not known[0] or known[1:] != (ACCEPT, VERSION):
        return Said(403, {"message": "Request forbidden by administrative rules."})
    return None


def repository(api: Api, asked: Asked, name: str) -> Said:
    return Said(200, {"id": _names(api).index(name) + 1, "full_name": name}) if name in _names(api) else UNKNOWN


def listed(api: Api, asked: Asked, name: str, below: str) -> Said:
    if name.isdigit():  # as links name a repository
        name = _names(api)[int(name) - 1] if int(name) <= len(_names(api)) else ""
    if f"{name}/{below}" not in api.rows:
        return UNKNOWN
    rows = api.rows[f"{name}/{below}"]
    if below in TIMED:
        since = asked.one("since")
        rows = [row for row in rows if row["updated_at"] > since or not since]  # "after the given time"
    if below in SORTED:
        by = "updated_at" if asked.one("sort") == "updated" else "created_at"
        rows = sorted(rows, key=lambda row: row[by], reverse=asked.one("direction", "desc") == "desc")
    page = int(asked.one("page", "1"))
    found, more = numbered(rows, page, api.on_page(asked.one("per_page"), 30, 100))
    query = urlencode({**{key: values[0] for key, values in asked.query.items()}, "page": page + 1})
    link = f'<{BASE}/repositories/{_names(api).index(name) + 1}/{below}?{query}>; rel="next"'
    return Said(200, found, {"Link": link} if more else {})


def _names(api: Api) -> list[str]:
    return [*dict.fromkeys("/".join(key.split("/")[:2]) for key in api.rows)]


def label(number: int, at: datetime) -> Record:
    return {"id": number, "name": f"label {number}", "color": "red", "default": True, "description": 'it\'s "new"'}


def issue(number: int, at: datetime) -> Record:
    said = {"title": "né", "state": "open", "labels": [{"name": "bug"}], "user": {"login": "ada"}}
    return {"id": 10_000 + number, "number": number, "created_at": f"{at:{FORM}}", "updated_at": f"{at:{FORM}}", **said}


def comment(number: int, at: datetime) -> Record:
    said = {"body": 'it\'s "new"; né', "author_association": "MEMBER", "user": {"login": "ada"}}
    moments = {"created_at": f"{at:{FORM}}", "updated_at": f"{at:{FORM}}"}
    return {"id": 20_000 + number, "issue_url": f"{BASE}/repos/acme/shop/issues/1", **moments, **said}


def pull_request(number: int, at: datetime) -> Record:
    said = {"draft": False, "head": {"ref": "né"}, "base": {"ref": "main"}, "merged_at": None, "requested_reviewers": []}
    return {**issue(number, at), "id": 30_000 + number, **said}


def review(number: int, at: datetime) -> Record:
    """It has no moment but the one at which it was made."""
    said = {"body": 'it\'s "new"; né', "state": "APPROVED", "commit_id": "ab12", "user": {"login": "ada"}}
    return {"id": 40_000 + number, "submitted_at": f"{at:{FORM}}", "author_association": "MEMBER", **said}


def release(number: int, at: datetime) -> Record:
    said = {"tag_name": f"v{number}", "name": "né", "body": 'it\'s "new"', "draft": False, "prerelease": True, "assets": []}
    return {"id": 50_000 + number, "created_at": f"{at:{FORM}}", "published_at": f"{at:{FORM}}", "author": {"login": "ada"}, **said}


def changed(row: Record, at: datetime) -> None:
    """One without a moment of its changes is called otherwise."""
    row["updated_at" if "updated_at" in row else "name" if "name" in row else "body"] = f"{at:{FORM}}"


def primary() -> Said:
    """The limit of an hour."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1)}
    return Said(403, {"message": "API rate limit exceeded for user ID 1."}, headers)


BUSY = Said(502, {"message": "Server Error"})
VENDOR = Vendor(
    routes={
        ("GET", r"/repos/(?P<name>[^/]+/[^/]+)"): repository,
        ("GET", r"/repos/(?P<name>[^/]+/[^/]+)/(?P<below>.+)"): listed,
        ("GET", r"/repositories/(?P<name>\d+)/(?P<below>.+)"): listed,
    },
    refused=refused,
    limited=lambda seconds: Said(429, {"message": "You have exceeded a secondary rate limit."}, {"Retry-After": str(seconds)}),
    unknown=UNKNOWN,
)
