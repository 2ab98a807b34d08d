"""What a collect batch took of its source: kept in the cursor that it left, and so in its record, for when it is run again.

A window is not its batch's interval: the first one has no lower bound, a later one begins where the last one ended and may end
before all is settled at its source. Who adds rows instead of merging them may take no other window for a batch that is run again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import Claim, TableState
from shared_metadata.store.reader import MetadataReader

BATCH = "batch"  # in a cursor: the batch that left it, and what that took
LOOKED_BACK = 20  # batches of the flow, for the last one of a table
NOTHING: Mapping[str, Any] = {}
LEFT_AS_IT_IS = "leave the batch as it is; to have all rows anew, collect into a table of another name"


def with_taken(cursor: str, interval: Interval, took: Mapping[str, Any] | None) -> str:
    """The cursor that a batch leaves. cursor: the slice's own, JSON text of an object if it tells what it took."""
    return json.dumps({**json.loads(cursor), BATCH: {**_texts(interval), "took": took}}) if took is not None else cursor


def taken_by(cursor: str, interval: Interval) -> Mapping[str, Any] | None:
    """What a batch took that left this cursor; NOTHING where it left that of a batch before, None where that is not known."""
    values: Any = None
    with suppress(ValueError):
        values = json.loads(cursor)
    batch = values.get(BATCH) if isinstance(values, dict) else None
    if batch is None:
        return None
    if batch["start"] != to_text(interval.start):
        return NOTHING
    found: Mapping[str, Any] = batch["took"]
    return found if batch["end"] == to_text(interval.end) else None


class Taken:
    """Looks it up; for all tables of a claim at once."""

    def __init__(self, reader: MetadataReader) -> None:
        self._reader = reader
        self._claim: Claim | None = None
        self._made: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def of(self, work: Work, state: TableState | None) -> Mapping[str, Any] | None:
        """What the batch took when it was made; None where it never was, so that it takes its interval.

        Raises DefinitionError where that is not known.
        """
        self._look(work)
        interval, cursor = work.claim.interval, self._made.get(work.table.dataset)
        took = taken_by(cursor, interval) if cursor is not None else None
        if took is None and (cursor is not None or _passed(state, interval)):
            raise _unknown(work)
        return took

    def left_before(self, work: Work, state: TableState | None) -> str | None:
        """The cursor that the batch before left: '' where there is none, None where it is not known."""
        if state and state.begins and work.claim.interval.start <= state.begins:
            return ""
        self._look(work)
        return self._before.get(work.table.dataset)

    def _look(self, work: Work) -> None:
        """Reads the batch of a claim, as it was made before, and the last ones before it."""
        claim = work.claim
        if claim == self._claim:
            return
        made = self._reader.batch(claim.flow, claim.interval.start, claim.datasets)
        self._made = {name: moved.cursor for name, moved in made.moved.items()} if made else {}
        self._before, moment = {}, claim.interval.start
        for _ in range(LOOKED_BACK if not claim.rerun else 0):
            missing = [name for name in claim.datasets if name not in self._before]
            interval = self._reader.batch_before(claim.flow, moment) if missing else None
            batch = self._reader.batch(claim.flow, interval.start, missing) if interval else None
            if interval is None or batch is None:
                break
            moment = interval.start
            if batch.interval.end == claim.interval.start:
                self._before |= {name: moved.cursor for name, moved in batch.moved.items() if name in missing}
        self._claim = claim


def _passed(state: TableState | None, interval: Interval) -> bool:
    """Whether the table's batches have come past this one, or may have."""
    if state is None:
        return False
    made = max(state.watermark, state.again_until or state.watermark)
    return interval.start < made and not (state.begins and interval.start < state.begins)


def unknown_before(work: Work) -> DefinitionError:
    return _refused(work, "is to be made again, and where the batch before it ended is not recorded")


def _unknown(work: Work) -> DefinitionError:
    return _refused(work, "cannot be run again: which rows it took is not recorded, since it is too old")


def _refused(work: Work, why: str) -> DefinitionError:
    name = work.table.dataset.removesuffix(":staged")
    return DefinitionError(
        f"batch {work.claim.interval} of {name} {why}; APPEND would lose rows, or add some twice",
        place=str(work.flow.position),
        remedy=LEFT_AS_IT_IS,
    )


def _texts(interval: Interval) -> dict[str, str]:
    return {"start": to_text(interval.start), "end": to_text(interval.end)}
