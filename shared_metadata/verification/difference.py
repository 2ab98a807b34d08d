"""One difference between a record and what it has to be, with its place, cause and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared_metadata.contract.landed import Landed
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.records import Batch, TableOutcome, TableState
from shared_metadata.store import keys
from shared_metadata.verification.derive import Derived
from shared_metadata.verification.facts import Completed

REPAIR = "atoll state repair"
FROM_A_BACKUP = "bring the item back from a backup (`atoll state import`, or point-in-time recovery)"


class Kind(StrEnum):
    """The kinds of difference."""

    STATE = "the state is missing"
    WATERMARK = "the watermark differs"
    CURSOR = "the cursor differs"
    BATCH = "the batch is missing"
    VERSION = "the version is missing"
    POINTER = "the version differs"
    EVENT = "the event is missing"
    SCHEMA = "the schema version is missing"
    GAP = "batches are missing"
    BEHIND = "the other side holds less"
    AHEAD = "the other side holds more"


@dataclass(frozen=True)
class Difference:
    """One difference. held, due: the record as it is and as it has to be, for the repair; `due` is None where it is unknown.

    place: the item, by its keys.  found, expected: the same for readers.
    """

    kind: Kind
    flow: str
    dataset: str
    place: str
    found: str
    expected: str
    cause: str
    remedy: str
    interval: Interval | None = None
    held: Any = field(default=None, compare=False)
    due: Any = field(default=None, compare=False)

    @property
    def repairable(self) -> bool:
        return self.due is not None

    def to_dict(self) -> dict[str, Any]:
        names = ("flow", "dataset", "place", "found", "expected", "cause", "remedy", "repairable")
        return {"what": self.kind.value, **{name: getattr(self, name) for name in names}}

    def to_plain(self) -> dict[str, Any]:
        """All but `held` and `due`, of which only that it is known."""
        named = {name: getattr(self, name) for name in ("flow", "dataset", "place", "found", "expected", "cause", "remedy")}
        interval = [to_text(self.interval.start), to_text(self.interval.end)] if self.interval else None
        return {**named, "kind": self.kind.value, "interval": interval, "due": True if self.repairable else None}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> Difference:
        interval = Interval(*map(from_text, values["interval"])) if values["interval"] else None
        return Difference(**{**values, "kind": Kind(values["kind"]), "interval": interval})


def lost_state(flow: str, dataset: str, derived: Derived) -> Difference:
    due = derived.state if derived.cursor_known else None
    expected = f"complete through {to_text(due.watermark)}" if due else "nothing tells where it stood"
    return Difference(
        Kind.STATE,
        flow,
        dataset,
        place(keys.state(flow, dataset)),
        "nothing",
        expected,
        "the item was deleted",
        REPAIR if due else FROM_A_BACKUP,
        due=due,
    )


def other_watermark(flow: str, dataset: str, held: TableState, due: TableState) -> Difference:
    back = held.watermark < due.watermark
    return Difference(
        Kind.WATERMARK,
        flow,
        dataset,
        place(keys.state(flow, dataset), "table.watermark"),
        to_text(held.watermark),
        to_text(due.watermark),
        "it lies before batches that are committed" if back else "no batch is committed up to there",
        REPAIR,
        held=held,
        due=due,
    )


def other_cursor(flow: str, dataset: str, held: TableState, due: TableState) -> Difference:
    return Difference(
        Kind.CURSOR,
        flow,
        dataset,
        place(keys.state(flow, dataset), "table.cursor"),
        held.cursor or "none",
        due.cursor or "none",
        "the last committed batch left another one",
        REPAIR,
        held=held,
        due=due,
    )


def gap_in_batches(flow: str, dataset: str, gap: Interval) -> Difference:
    again = f"atoll run {flow} --from {to_text(gap.start)} --to {to_text(gap.end)}"
    return Difference(
        Kind.GAP,
        flow,
        dataset,
        place(keys.batch(flow, gap.start)),
        "nothing",
        f"batches through {to_text(gap.end)}",
        "neither the batches nor their events are recorded, though later ones are committed",
        f"`{again}` makes them again",
        gap,
    )


def lost_head(batch: Batch) -> Difference:
    return Difference(
        Kind.BATCH,
        batch.flow,
        ", ".join(batch.datasets),
        place(keys.batch(batch.flow, batch.interval.start)),
        "nothing",
        f"batch {batch.interval}",
        "its tables are recorded, and the item of what they share is gone",
        REPAIR,
        batch.interval,
        due=replace(batch, datasets=()),
    )


def lost_event(batch: Batch, dataset: str, outcome: TableOutcome) -> Difference:
    return Difference(
        Kind.EVENT,
        batch.flow,
        dataset,
        f"{keys.EVENT_PREFIX}<day>",
        "nothing",
        f"batch {batch.interval} completed under token {outcome.token}",
        "the batch is committed, and its event is gone",
        REPAIR,
        batch.interval,
        due=Completed(batch.flow, batch.interval, outcome.token, {dataset: outcome.rows}),
    )


def lost_schema(batch: Batch, dataset: str, outcome: TableOutcome) -> Difference:
    return Difference(
        Kind.SCHEMA,
        batch.flow,
        dataset,
        place(keys.schema(dataset, outcome.schema_version)),
        "nothing",
        f"the schema of batch {batch.interval}",
        "the item was deleted",
        "bring it back from a backup; the next batch whose schema is not the last one registered makes a new one",
        batch.interval,
    )


def more_there(flow: str, dataset: str, watermark: datetime, newest: Landed) -> Difference:
    again = f"atoll run {flow} --from {to_text(watermark)} --to {to_text(newest.interval.end)}"
    return Difference(
        Kind.AHEAD,
        flow,
        dataset,
        newest.place,
        f"batch {newest.interval} under token {newest.token}",
        f"nothing after {to_text(watermark)} but the next batch",
        "it was committed there, and the record of it is lost, as after a restore of the metadata table to an earlier moment",
        f"`{again}` makes these batches again, each in the place of its own rows",
        newest.interval,
    )


def less_there(flow: str, dataset: str, last: Interval, newest: Landed | None) -> Difference:
    start = newest.interval.end if newest else last.start
    again = f"atoll run {flow} --from {to_text(start)} --to {to_text(last.end)}"
    return Difference(
        Kind.BEHIND,
        flow,
        dataset,
        newest.place if newest else dataset,
        f"batch {newest.interval} is the last one" if newest else "no batch of Atoll",
        f"batch {last}",
        "what was committed there is gone: the table was dropped, rolled back, or restored to an earlier moment",
        f"`{again}` makes it again",
        last,
    )


def place(key: keys.Key, part: str = "") -> str:
    return " ".join((*key.values(), part)).strip()


def said_of(pointer: Mapping[str, Any]) -> str:
    return next((f"{name} {pointer[name]}" for name in ("snapshot_id", "manifest") if name in pointer), "a pointer")
