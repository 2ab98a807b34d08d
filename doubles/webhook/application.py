"""What the application does with requests: it keeps rows, and has what goes wrong on the way go wrong."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rows = list[dict[str, Any]]
Answer = tuple[int | None, Mapping[str, str]]  # status and headers; None for no answer at all
TAKEN = 204


@dataclass
class Application:
    """key: by which it tells rows apart; without one it adds each row, and takes one that is alike away for each that is to go.

    knows_keys: whether it takes a request's rows once, however often they come; without it and a key, it takes none away.
    refuses: rows that it refuses, with 422.  locked: the beginning of paths at which it takes no key.
    answers: to the next requests, instead of its own: a status, (status, headers), 'lost' where it does what it would and says
    nothing, or 'unheard' where it does neither.
    """

    key: Sequence[str] = ()
    knows_keys: bool = True
    refuses: Callable[[Mapping[str, Any]], bool] = lambda row: False
    answers: deque[Any] = field(default_factory=deque)
    locked: str = "/locked/"
    rows: Rows = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)  # path, headers by names in lower case, body
    taken: Rows = field(default_factory=list)  # each row to be written, in their order, as often as it was
    _seen: set[str] = field(default_factory=set)
    _lock: Any = field(default_factory=threading.Lock)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self._lock:
            return self._answer(path, {name.lower(): value for name, value in headers.items()}, body)

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path.startswith(self.locked):
            return 401, {}
        self.requests.append((path, headers, body))
        told = self.answers.popleft() if self.answers else TAKEN
        if told == "unheard":
            return None, {}
        if told not in ("lost", TAKEN):
            return told if isinstance(told, tuple) else (told, {})
        status = self._take(headers["webhook-id"], *read(headers["content-type"], body))
        return (None if told == "lost" else status), {}

    def _take(self, name: str, upserts: Rows, deletes: Rows) -> int:
        if self.knows_keys and name in self._seen:
            return TAKEN
        if any(map(self.refuses, upserts)):
            return 422
        self.keep(upserts)
        self._drop(deletes)
        self.taken += upserts
        self._seen.add(name)
        return TAKEN

    def keep(self, rows: Rows) -> None:
        for row in rows:
            if self.key:
                self.rows = [kept for kept in self.rows if not self._same(kept, row)]
            self.rows = [*self.rows, row]

    def _drop(self, rows: Rows) -> None:
        for row in rows if self.key or self.knows_keys else ():
            found = next((at for at, kept in enumerate(self.rows) if self._same(kept, row)), None)
            if found is not None:
                self.rows = self.rows[:found] + self.rows[found + 1 :]

    def _same(self, kept: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        return all(kept.get(name) == row.get(name) for name in self.key) if self.key else kept == row


def read(content_type: str, body: bytes) -> tuple[Rows, Rows]:
    """The rows to be written, and those to go."""
    if content_type == "application/json":
        said = json.loads(body)
        return said["upserts"], said["deletes"]
    lines = [json.loads(line) for line in body.splitlines()]
    return [line["upsert"] for line in lines if "upsert" in line], [line["delete"] for line in lines if "delete" in line]
