"""A service that runs statements elsewhere, in a file that all processes share: a statement is done when it was looked at so often.

A statement is JSON, whatever its driver wants to have back of it. What it shall do wrong, a test says beforehand (`shall`).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared_metadata.contract.waiting.statements import Look, Status

TABLES = """
CREATE TABLE IF NOT EXISTS statement (id INTEGER PRIMARY KEY, token TEXT UNIQUE, text TEXT, looks INTEGER DEFAULT 0,
                                      status TEXT DEFAULT 'runs', reason TEXT DEFAULT '');
CREATE TABLE IF NOT EXISTS shall (what TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS held (place TEXT, identity TEXT, rows TEXT, PRIMARY KEY (place, identity));
"""


class Lost(BaseException):
    """The process has ended: nothing catches it."""


class Remote:
    """The Engine of the tests' own slices, and the tables that they write to."""

    kind = "remote statement"

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._database() as connection:
            connection.executescript(TABLES)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level="IMMEDIATE")
        try:
            connection.execute("PRAGMA synchronous = OFF")  # it need not outlast the machine
            with connection:
                yield connection
        finally:
            connection.close()

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        with self._database() as connection:
            return connection.execute(sql, values).fetchall()

    # -- what a test says and sees

    def shall(self, what: str, value: Any) -> None:
        """need: looks of each statement until it is done.  limit: seconds of waiting.  die: 'exit' or 'raise' after the next submit.

        fail, transient: why statements fail; transient: only the first of each purpose.
        """
        self._ask("INSERT OR REPLACE INTO shall VALUES (?, ?)", what, json.dumps(value))

    def forget(self) -> None:
        """Everything, as if it were a new one."""
        for table in ("statement", "shall", "held"):
            self._ask(f"DELETE FROM {table}")

    def wanted(self, what: str, otherwise: Any = None) -> Any:
        found = self._ask("SELECT value FROM shall WHERE what = ?", what)
        return json.loads(found[0][0]) if found else otherwise

    def statements(self) -> list[dict[str, Any]]:
        rows = self._ask("SELECT id, token, text, looks, status FROM statement ORDER BY id")
        return [{**json.loads(text), "id": id, "token": t, "looks": looks, "status": s} for id, t, text, looks, s in rows]

    def purposes(self, status: str = "") -> list[str]:
        return [one["purpose"] for one in self.statements() if status in ("", one["status"])]

    def cancel_all(self, reason: str) -> int:
        """As an administrator does in the service's console; how many ran."""
        return len(self._ask("UPDATE statement SET status = 'cancelled', reason = ? WHERE status = 'runs' RETURNING id", reason))

    # -- the Engine

    def submit(self, text: str, token: str) -> str:
        with self._database() as connection:
            connection.execute("INSERT OR IGNORE INTO statement (token, text) VALUES (?, ?)", (token, text))
            (identity,) = connection.execute("SELECT id FROM statement WHERE token = ?", (token,)).fetchone()
        self._die()
        return f"s-{identity}"

    def _die(self) -> None:
        found = self._ask("DELETE FROM shall WHERE what = 'die' RETURNING value")
        if found and json.loads(found[0][0]) == "exit":
            os._exit(1)
        if found:
            raise Lost

    def look(self, id: str) -> Look:
        with self._database() as connection:
            connection.execute("UPDATE statement SET looks = looks + 1 WHERE id = ?", (_number(id),))
            found = "SELECT text, looks, status, reason FROM statement WHERE id = ?"
            text, looks, status, reason = connection.execute(found, (_number(id),)).fetchone()
        if status == Status.RUNS and looks > self.wanted("need", 2):
            status, reason = self._ended(_number(id), json.loads(text))
        used = {"lambda_invocation": 1.0} if status == Status.DONE else {}
        transient = status == Status.FAILED and reason == self.wanted("transient")
        return Look(Status(status), reason, transient, 1.5, 2.5, 1000, 3, used, json.loads(text))

    def _ended(self, id: int, text: Any) -> tuple[str, str]:
        first = not any(one["purpose"] == text["purpose"] and one["status"] == Status.FAILED for one in self.statements())
        reason = text.get("fail", "") or self.wanted("fail", "") or (self.wanted("transient", "") if first else "")
        status = Status.FAILED if reason else Status.DONE
        self._ask("UPDATE statement SET status = ?, reason = ? WHERE id = ?", status, reason, id)
        return status, reason

    def cancel(self, id: str) -> None:
        self._ask("UPDATE statement SET status = 'cancelled' WHERE id = ? AND status = 'runs'", _number(id))

    # -- the tables

    def put(self, place: str, identity: str, rows: list[Any]) -> None:
        """Instead of what this batch has put there before."""
        self._ask("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", place, identity, json.dumps(rows))

    def rows(self, place: str) -> list[Any]:
        found = self._ask("SELECT rows FROM held WHERE place = ? ORDER BY identity", place)
        return [row for (rows,) in found for row in json.loads(rows)]


def _number(id: str) -> int:
    return int(id.removeprefix("s-"))
