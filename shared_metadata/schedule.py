"""Which batches are due: one pure function over the program, the flows' states and the time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_metadata.intervals import Interval, next_interval, to_text
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.records import MAX_ATTEMPTS, FlowState


@dataclass(frozen=True)
class DueBatch:
    """A batch to start: the tables of one flow that are due in the same interval at the same attempt."""

    flow: str
    slice_id: str
    interval: Interval
    datasets: tuple[str, ...]
    attempt: int
    all_tables: bool

    @property
    def execution_name(self) -> str:
        """Deterministic, so that a repeated start is the same start; at most 80 of Step Functions' characters."""
        identity = "|".join((self.flow, str(self.interval), *self.datasets))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.flow)[:40].strip("-")
        return f"{readable}-{self.interval.start:%Y%m%dT%H%MZ}-{digest}-{self.attempt}"

    def execution_input(self) -> dict[str, object]:
        """Pointers only."""
        found: dict[str, object] = {
            "flow": self.flow,
            "start": to_text(self.interval.start),
            "end": to_text(self.interval.end),
        }
        return found if self.all_tables else {**found, "datasets": list(self.datasets)}


def due_batches(program: Program, states: Mapping[str, FlowState], now: datetime, *, ignore_failures: bool = False) -> list[DueBatch]:
    """The batches that may run now, oldest first, at most one for each table of a flow.

    A table's next batch starts at its watermark. It is due when its end has passed, every input is complete through its end,
    its last failed attempt is long enough ago, and it has failed fewer than MAX_ATTEMPTS times. `ignore_failures` drops the last
    two: an operator who starts a flow by hand does not want to wait. Datasets that a drift has quiesced are not due.
    """
    watermarks = {name: table.watermark for state in states.values() for name, table in state.tables.items()}
    found: list[DueBatch] = []
    for flow in program.flows.values():
        if flow.id in states:
            found += _due_of_flow(flow, states[flow.id], watermarks, now, ignore_failures)
    return sorted(found, key=lambda batch: (batch.interval, batch.flow, batch.datasets))


def _due_of_flow(
    flow: Flow, state: FlowState, watermarks: Mapping[str, datetime], now: datetime, ignore_failures: bool
) -> list[DueBatch]:
    groups: dict[tuple[Interval, int], list[str]] = {}
    for table in flow.tables:
        standing = state.tables.get(table.dataset)
        if standing is None or _stands_still(flow, state, table.dataset, now, ignore_failures):
            continue
        interval = next_interval(standing.watermark, flow.interval_seconds)
        complete = all(name in watermarks and watermarks[name] >= interval.end for name in table.inputs)
        if interval.end <= now and complete:
            groups.setdefault((interval, standing.attempts), []).append(table.dataset)
    return [
        DueBatch(flow.id, flow.slice_id, interval, tuple(sorted(datasets)), attempt, len(datasets) == len(flow.tables))
        for (interval, attempt), datasets in groups.items()
    ]


def _stands_still(flow: Flow, state: FlowState, dataset: str, now: datetime, ignore_failures: bool) -> bool:
    """A quiesced collect looks at its source again by and by, however often: only so it is seen that the source is mended."""
    quiesced, table = state.drifts(dataset), state.tables[dataset]
    if quiesced and flow.kind != Kind.COLLECT:
        return True
    if ignore_failures:
        return False
    return (table.attempts >= MAX_ATTEMPTS and not quiesced) or (table.retry_at is not None and table.retry_at > now)
