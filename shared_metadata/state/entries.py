"""The record of the program versions that were applied, and of when each takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A program version and when it takes effect.

    at, by: when and by whom it was applied.  number: higher than that of all entries before it.
    restates: batches of the changed flows and their readers since the boundary, made by an earlier version, are reprocessed.
    """

    version: str
    boundary: datetime
    at: datetime
    by: str = ""
    number: int = 1
    restates: bool = False


@dataclass(frozen=True)
class Timeline:
    """The entries as they were applied, of which at most the last lies in the future; `revision` counts its changes.

    Each one's boundary lies after those before it, except where a restatement goes back further.
    """

    entries: tuple[Entry, ...] = ()
    revision: int = 0

    def active(self, now: datetime) -> Entry | None:
        """The entry of the present; None when nothing was ever applied."""
        return next((entry for entry in reversed(self.entries) if entry.boundary <= now), None)

    def pending(self, now: datetime) -> Entry | None:
        """The entry that has yet to take effect."""
        return self.entries[-1] if self.entries and self.entries[-1].boundary > now else None

    def former(self, now: datetime) -> Entry | None:
        """The entry before the active one, whose program a rollback brings back."""
        past = [entry for entry in self.entries if entry.boundary <= now]
        return next((entry for entry in reversed(past[:-1]) if entry.version != past[-1].version), None)

    @property
    def earliest(self) -> datetime:
        """The moment before which no further entry may lie, unless it restates."""
        return max((entry.boundary for entry in self.entries), default=BEGINNING)

    @property
    def next_number(self) -> int:
        """The next entry's number, higher than that of a cancelled one too."""
        return max([self.revision, *(entry.number for entry in self.entries)]) + 1
