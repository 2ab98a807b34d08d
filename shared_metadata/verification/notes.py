"""Notes of a verification on disk: events and verified groups. It needs little memory, and goes on where it stopped."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.facts import Completed
from shared_metadata.verification.other_side import Seen

TABLES = """
CREATE TABLE IF NOT EXISTS began (at TEXT, revision INTEGER);
CREATE TABLE IF NOT EXISTS events
    (key TEXT, flow TEXT, begins TEXT, ends TEXT, token INTEGER, datasets TEXT, passed TEXT, PRIMARY KEY (flow, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS groups
    (look INTEGER, flows TEXT, datasets INTEGER, batches INTEGER, versions INTEGER, unseen TEXT, seen TEXT, differing TEXT,
     PRIMARY KEY (look, flows));
"""
Flows = tuple[str, ...]
FIRST, SECOND = 1, 2  # looks: what is only on its way differs in the first alone


@dataclass(frozen=True)
class Looked:
    """A verified group of flows. seen: its datasets.  unseen: see Verified.  differing: its differences."""

    datasets: int
    batches: int
    versions: int
    unseen: Mapping[str, str]
    seen: tuple[Seen, ...]
    differing: tuple[Difference, ...] = ()


class Notes:
    """Notes of one verification, under one revision of the timeline. path: None for a file that is gone with the process.

    for_report: the second look is noted too, though a difference in notes cannot be repaired.
    """

    def __init__(self, path: Path | None = None, *, for_report: bool = False) -> None:
        self._looks = (FIRST, SECOND) if for_report else (FIRST,)
        self._database, self._lock = sqlite3.connect(path or "", check_same_thread=False), threading.Lock()
        self._database.executescript(TABLES)

    def close(self) -> None:
        self._database.close()

    def begin(self, now: datetime, revision: int) -> datetime:
        """Returns when the verification began. Notes under another revision, or older than a day before `now`, are dropped."""
        row = self._database.execute("SELECT at, revision FROM began").fetchone()
        if row and row[1] == revision and (now - from_text(row[0])).total_seconds() < 86400:
            return from_text(row[0])
        with self._database:
            for table in ("began", "events", "days", "groups"):
                self._database.execute(f"DELETE FROM {table}")
            self._database.execute("INSERT INTO began VALUES (?, ?)", (to_text(now), revision))
        return now

    # -- events

    def has_day(self, day: str) -> bool:
        return self._database.execute("SELECT 1 FROM days WHERE day = ?", (day,)).fetchone() is not None

    def keep_day(self, day: str) -> None:
        """Notes that all events of a day were read."""
        with self._lock, self._database:
            self._database.execute("INSERT OR IGNORE INTO days VALUES (?)", (day,))

    def keep_events(self, events: Iterable[tuple[str, Completed]]) -> None:
        """Notes events by their keys; several threads may call it at a time."""
        rows = [(key, *_row(event)) for key, event in events]
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def events(self, flows: Flows) -> Iterator[Completed]:
        for flow in flows:
            rows = self._database.execute("SELECT begins, ends, token, datasets, passed FROM events WHERE flow = ?", (flow,))
            for begins, ends, token, datasets, passed in rows:
                interval = Interval(from_text(begins), from_text(ends))
                yield Completed(flow, interval, token, json.loads(datasets), tuple(json.loads(passed)))

    # -- groups

    def keep(self, look: int, flows: Flows, looked: Looked) -> None:
        if look not in self._looks:
            return
        figures = (looked.datasets, looked.batches, looked.versions)
        plain = (dict(looked.unseen), [one.to_plain() for one in looked.seen], [one.to_plain() for one in looked.differing])
        with self._lock, self._database:
            row = (look, json.dumps(flows), *figures, *map(json.dumps, plain))
            self._database.execute("INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def looked(self, look: int, wanted: Sequence[Flows]) -> dict[Flows, Looked]:
        """Those of these groups that have had this look."""
        rows = self._database.execute("SELECT * FROM groups WHERE look = ?", (look,))
        known = {tuple(json.loads(flows)): rest for _, flows, *rest in rows}
        return {flows: _looked(*known[flows]) for flows in wanted if flows in known}


def _row(event: Completed) -> tuple[str | int, ...]:
    start, end = to_text(event.interval.start), to_text(event.interval.end)
    return event.flow, start, end, event.token, json.dumps(dict(event.datasets)), json.dumps(event.passed)


def _looked(datasets: int, batches: int, versions: int, unseen: str, seen: str, differing: str) -> Looked:
    differences = tuple(map(Difference.from_plain, json.loads(differing)))
    return Looked(datasets, batches, versions, json.loads(unseen), tuple(map(Seen.from_plain, json.loads(seen))), differences)
