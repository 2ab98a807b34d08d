"""Notes of a verification: which days' events were read, which groups verified, in a file; the events beside it (`event_notes`)."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.event_notes import EventNotes, Folder, Shelf
from shared_metadata.verification.facts import Completed
from shared_metadata.verification.other_side import Seen

TABLES = """
CREATE TABLE IF NOT EXISTS begun (at TEXT, revision INTEGER);
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY) WITHOUT ROWID;
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

    shelf: where the events lie; by itself a folder beside the file.
    for_report: the second look is noted too, though a difference in notes cannot be repaired.
    """

    def __init__(self, path: Path | None = None, shelf: Shelf | None = None, *, for_report: bool = False) -> None:
        self._looks = (FIRST, SECOND) if for_report else (FIRST,)
        self._folder = tempfile.TemporaryDirectory() if path is None and shelf is None else None
        self._shelf = shelf or Folder(Path(self._folder.name) if self._folder else Path(f"{path}.events"))
        self._events = EventNotes(self._shelf, {})
        self._database, self._lock = sqlite3.connect(path or "", check_same_thread=False), threading.Lock()
        self._database.executescript(TABLES)

    def close(self) -> None:
        self._database.close()
        if self._folder:
            self._folder.cleanup()

    def begin(self, now: datetime, revision: int, part_of: Mapping[str, int]) -> datetime:
        """Returns when the verification began. Notes under another revision, or older than a day before `now`, are dropped.

        part_of: flow ▸ its part, of the programs under this revision.
        """
        self._events = EventNotes(self._shelf, part_of)
        row = self._database.execute("SELECT at, revision FROM begun").fetchone()
        if row and row[1] == revision and (now - from_text(row[0])).total_seconds() < 86400:
            return from_text(row[0])
        self.clear()
        with self._database:
            self._database.execute("INSERT INTO begun VALUES (?, ?)", (to_text(now), revision))
        return now

    def clear(self) -> None:
        """Drops all notes."""
        self._shelf.forget(list(self._files()))
        with self._database:
            for table in ("begun", "files", "days", "groups"):
                self._database.execute(f"DELETE FROM {table}")

    # -- events

    def has_day(self, day: str) -> bool:
        return self._database.execute("SELECT 1 FROM days WHERE day = ?", (day,)).fetchone() is not None

    def keep_day(self, day: str) -> None:
        """Notes that all events of a day were read."""
        with self._lock, self._database:
            self._database.execute("INSERT OR IGNORE INTO days VALUES (?)", (day,))

    def keep_events(self, day: str, events: Iterable[Completed]) -> None:
        """Notes all events of a day; several threads may call it at a time, each for another day."""
        names = self._events.keep(day, events)
        with self._lock, self._database:
            self._database.executemany("INSERT OR IGNORE INTO files VALUES (?)", [(name,) for name in names])

    def events(self, flows: Flows) -> Iterator[Completed]:
        """The noted events of a group of flows."""
        return self._events.of(flows, self._files())

    def _files(self) -> Iterator[str]:
        return (name for (name,) in self._database.execute("SELECT name FROM files ORDER BY name").fetchall())

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


def _looked(datasets: int, batches: int, versions: int, unseen: str, seen: str, differing: str) -> Looked:
    differences = tuple(map(Difference.from_plain, json.loads(differing)))
    return Looked(datasets, batches, versions, json.loads(unseen), tuple(map(Seen.from_plain, json.loads(seen))), differences)
