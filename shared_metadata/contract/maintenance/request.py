"""What the maintenance of one table is asked to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared_metadata.program import Flow


@dataclass(frozen=True)
class MaintenanceRequest:
    """One table to look after, and what of it has to stay.

    kept: pointers of all versions that may still be read.  through: batches that end later are not committed yet.
    sweep: files that no version needs are looked for as well, and deleted if they are as old as `sweep.SAFE_AGE`.
    """

    flow: Flow
    dataset: str
    kept: tuple[Mapping[str, Any], ...]
    through: datetime
    now: datetime
    sweep: bool


@dataclass(frozen=True)
class MaintenanceResult:
    """What was done to a table, counted.  needed: of a sweep the URLs of all data files that the table needs, wherever they are; None
    when that cannot be told, so that nothing is garbage.

    finished: False when there was not time enough for all of it.
    """

    done: Mapping[str, int] = field(default_factory=dict)
    needed: frozenset[str] | None = frozenset()
    finished: bool = True
