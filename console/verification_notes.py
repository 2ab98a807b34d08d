"""The notes of this machine's verifications: they stay where one was interrupted, so that the next one goes on there."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.target import Target
from shared_metadata.verification.notes import Notes


@contextmanager
def notes_of(target: Target) -> Iterator[Notes]:
    """The notes of an account and region, for one verification at a time; for another beside it ones that are gone with it."""
    path = Path(".atoll") / re.sub(r"[^\w.-]", "_", f"verify-{target.profile}-{target.region}.sqlite")
    path.parent.mkdir(exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        own = path if _taken(lock.fileno()) else None
        notes = Notes(own)
        try:
            yield notes
        finally:
            notes.close()
        if own:
            own.unlink(missing_ok=True)


def _taken(lock: int) -> bool:
    """Whether this process has the lock now, until it closes the file or ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
