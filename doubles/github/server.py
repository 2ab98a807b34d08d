"""Answers as https://docs.github.com/en/rest says, over HTTP on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

MOST_ON_PAGE = 100
ACCEPT, VERSION = "application/vnd.github+json", "2022-11-28"
TIMED = ("issues", "issues/comments")  # what takes `since`
Answer = tuple[int, dict[str, str], Any]


class GitHub:
    """Repositories by 'owner/name', each with lists of records: {'issues': […], 'issues/comments': […], 'labels': […]}.

    limits: of the next requests, how each is refused: 'primary', 'secondary', or 'busy'.  queries: of all requests.
    """

    def __init__(self, token: str) -> None:
        self.repositories: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.limits: list[str] = []
        self.queries: list[Mapping[str, str]] = []
        self._token = token

    def answer(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        self.queries.append(query)
        if headers.get("Authorization") != f"Bearer {self._token}":
            return 401, {}, {"message": "Bad credentials"}
        if not headers.get("User-Agent") or headers.get("Accept") != ACCEPT or headers.get("X-GitHub-Api-Version") != VERSION:
            return 403, {}, {"message": "Request forbidden by administrative rules."}
        if self.limits:
            return _limited(self.limits.pop(0))
        repository, below = self._found(path)
        if repository is None:
            return 404, {}, {"message": "Not Found"}
        if not below:
            return 200, {}, {"id": self._number(repository), "full_name": repository}
        if below not in self.repositories[repository]:
            return 404, {}, {"message": "Not Found"}
        return self._page(repository, below, query)

    def _found(self, path: str) -> tuple[str | None, str]:
        """The repository of a path, by its name or its number, and what of it is asked for."""
        parts = path.strip("/").split("/")
        if parts[0] == "repositories":
            known = {str(self._number(name)): name for name in self.repositories}
            return known.get(parts[1]), "/".join(parts[2:])
        name = "/".join(parts[1:3])
        return (name if parts[0] == "repos" and name in self.repositories else None), "/".join(parts[3:])

    def _number(self, repository: str) -> int:
        return [*self.repositories].index(repository) + 1

    def _page(self, repository: str, below: str, query: Mapping[str, str]) -> Answer:
        rows = self.repositories[repository][below]
        if below in TIMED:
            since = query.get("since", "")
            by = "updated_at" if query.get("sort") == "updated" else "created_at"
            rows = [row for row in rows if row["updated_at"] > since or not since]  # "after the given time"
            rows = sorted(rows, key=lambda row: row[by], reverse=query.get("direction", "desc") == "desc")
        size, page = min(int(query.get("per_page", 30)), MOST_ON_PAGE), int(query.get("page", 1))
        found, headers = rows[(page - 1) * size : page * size], dict[str, str]()
        if page * size < len(rows):  # links name a repository by its number
            target = f"repositories/{self._number(repository)}/{below}?{urlencode({**query, 'page': page + 1})}"
            headers["Link"] = f'<BASE/{target}>; rel="next"'
        return 200, headers, found


def _limited(how: str) -> Answer:
    if how == "primary":
        reset = str(int(time.time()) + 1)
        return 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}, {"message": "API rate limit exceeded for user ID 1."}
    if how == "secondary":
        return 429, {"Retry-After": "1"}, {"message": "You have exceeded a secondary rate limit."}
    return 502, {}, {"message": "Server Error"}


@contextmanager
def served(github: GitHub) -> Iterator[str]:
    """The address at which it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(github))
    base = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="github", daemon=True).start()
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, headers, found = github.answer(url.path, dict(parse_qsl(url.query)), dict(self.headers))
            body = json.dumps(found).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("BASE", f"http://{self.headers['Host']}"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler
