"""The snapshots of a table: the batch that made each, and those that can expire."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from shared_metadata.contract.batch_identity import Identity
from shared_metadata.program.intervals import from_text

# Another engine's query may read what was the current snapshot when it began.
READERS = timedelta(hours=6)
MAINTENANCE = "atoll.maintenance"  # in the summary of a snapshot that has the rows of the one before it
LOOKED = "atoll.rows-looked-through"  # in that of a merge


@dataclass(frozen=True)
class Made:
    """A snapshot and the batch that made it; None for maintenance and for others' commits.

    until: it was the current one until then; None where the table's log does not tell, or it still is.
    """

    snapshot_id: int
    parent_id: int | None
    at: datetime
    batch: Identity | None
    until: datetime | None = None


def expirable(
    snapshots: Sequence[Made], current: int | None, kept: Collection[int], flow: str, through: datetime, now: datetime
) -> list[int]:
    """The snapshots that need not be kept, and that have not been the current one for a while.

    What a batch asks of a table's history (batch_identity.standing) must have the same answer afterwards: whether its own commit, of
    unknown outcome, has landed; so the snapshots of batches that end after `through` stay. And whether a later batch stands already;
    so that of the latest batch stays, which `atoll state verify` looks for as well.
    """
    superseded = {made.parent_id: made.at for made in reversed(snapshots)}  # by the first that came upon it
    mine = [(made.batch, made.snapshot_id) for made in snapshots if made.batch and made.batch.flow == flow]
    latest = max(mine, key=lambda one: (from_text(one[0].start), from_text(one[0].end), one[0].token), default=None)
    stay = {current, *kept, *(snapshot_id for batch, snapshot_id in mine if from_text(batch.end) > through)}
    stay |= {latest[1]} if latest else set()
    return [
        made.snapshot_id
        for made in snapshots
        if made.snapshot_id not in stay and (made.until or superseded.get(made.snapshot_id, made.at)) < now - READERS
    ]


def made(table: Table) -> list[Made]:
    """The table's snapshots, oldest first. One to which the table was rolled back by hand was the current one twice."""
    until = {before.snapshot_id: _moment(after.timestamp_ms) for before, after in pairwise(table.metadata.snapshot_log)}
    return [
        Made(s.snapshot_id, s.parent_snapshot_id, _moment(s.timestamp_ms), Identity.read(_summary(s)), until.get(s.snapshot_id))
        for s in table.metadata.snapshots
    ]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def history(table: Table | None) -> Iterator[tuple[int, Identity]]:
    """The batches that made the table's snapshots."""
    for snapshot in table.metadata.snapshots if table else ():
        if identity := Identity.read(_summary(snapshot)):
            yield snapshot.snapshot_id, identity


def same_rows(table: Table, snapshot_id: int) -> bool:
    """Whether the table has the rows that it had as of a snapshot: since then, nothing but maintenance has changed it."""
    snapshot = table.current_snapshot()
    while snapshot is not None and snapshot.snapshot_id != snapshot_id:
        if MAINTENANCE not in _summary(snapshot) or snapshot.parent_snapshot_id is None:
            return False
        snapshot = table.snapshot_by_id(snapshot.parent_snapshot_id)
    return snapshot is not None


def rows_of_snapshot(table: Table, snapshot_id: int) -> int:
    """All rows of the table as of a snapshot, from the snapshot's own summary; 0 where it says nothing."""
    snapshot = table.snapshot_by_id(snapshot_id)
    summary = _summary(snapshot) if snapshot else {}
    return int(summary.get("total-records", 0)) - int(summary.get("total-position-deletes", 0))


def bytes_of_snapshot(table: Table, snapshot_id: int) -> int:
    """Those of the files of a snapshot, from its own summary; 0 where it says nothing."""
    snapshot = table.snapshot_by_id(snapshot_id)
    return int(_summary(snapshot).get("total-files-size", 0)) if snapshot else 0


def rewritten_by(table: Table, snapshot_id: int) -> tuple[int, int]:
    """The rows and bytes of the files that a snapshot has taken the place of: those whose rows were written anew, or replaced."""
    snapshot = table.snapshot_by_id(snapshot_id)
    summary = _summary(snapshot) if snapshot else {}
    return int(summary.get("deleted-records", 0)), int(summary.get("removed-files-size", 0))


def looked_through_by(table: Table, snapshot_id: int) -> int:
    """The rows of the files that a merge has looked through for the keys of its batch."""
    snapshot = table.snapshot_by_id(snapshot_id)
    return int(_summary(snapshot).get(LOOKED, 0)) if snapshot else 0


def _summary(snapshot: Snapshot) -> Mapping[str, str]:
    return snapshot.summary.additional_properties if snapshot.summary else {}
