"""Which batches are due: one pure function over the timeline of programs, the flows' states and the time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.intervals import Interval, ceil, next_interval, to_text
from shared_metadata.program import Flow, Kind, Program, Table
from shared_metadata.records import FlowState
from shared_metadata.timeline import Programs, Standing

NAMED = re.compile(r":execution:.+-\d{8}T\d{4}Z-[0-9a-f]{10}-(\d+)$")


@dataclass(frozen=True)
class DueBatch:
    """A batch to start: the tables of one flow that are due in the same interval at the same attempt.

    entry: the number of the timeline's entry that it belongs to.  again_until: as in Claim.
    moved: where its tables stand has to be stored before it is claimed (Standing.moved).
    """

    flow: str
    slice_id: str
    interval: Interval
    datasets: tuple[str, ...]
    attempt: int
    all_tables: bool
    entry: int = 0
    again_until: datetime | None = None
    moved: bool = False

    @property
    def execution_name(self) -> str:
        """Deterministic, so that a repeated start is the same start; at most 80 of Step Functions' characters."""
        again = (f"again {self.entry}",) if self.again_until else ()
        identity = "|".join((self.flow, str(self.interval), *self.datasets, *again))
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
        found |= {"again": True} if self.again_until else {}
        return found if self.all_tables else {**found, "datasets": list(self.datasets)}


def attempts_named(owner: str) -> int:
    """How many attempts at a batch have names by now, if this execution was the last; 0 for one that the conductor did not start."""
    found = NAMED.search(owner)
    return int(found[1]) + 1 if found else 0


def due_batches(
    programs: Programs | Program, states: Mapping[str, FlowState], now: datetime, *, ignore_failures: bool = False
) -> list[DueBatch]:
    """The batches that may run now, oldest first, at most one for each table of a flow.

    A table's next batch starts where the table stands, and the program of that time says what it is. It is due when its end has
    passed, every input is complete through its end, its last failed attempt is long enough ago, and it has failed fewer than
    MAX_ATTEMPTS times. `ignore_failures` drops the last two: an operator who starts a flow by hand does not want to wait. Datasets
    that a drift has quiesced are not due.
    """
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Round(known, states, now, ignore_failures).due()


class _Round:
    """One question, and where every table stands."""

    def __init__(self, programs: Programs, states: Mapping[str, FlowState], now: datetime, ignore_failures: bool) -> None:
        self._programs, self._states, self._now, self._ignore_failures = programs, states, now, ignore_failures
        self._standings = {
            (flow, dataset): programs.standing(flow, dataset, state)
            for flow in programs.flow_ids
            if flow in states
            for dataset, state in states[flow].tables.items()
        }

    def due(self) -> list[DueBatch]:
        found = [batch for flow in self._programs.flow_ids if flow in self._states for batch in self._of_flow(self._states[flow])]
        return sorted(found, key=lambda batch: (batch.interval, batch.flow, batch.datasets))

    def _of_flow(self, state: FlowState) -> list[DueBatch]:
        groups: dict[tuple[Interval, int, int, datetime | None], list[tuple[str, Standing]]] = {}
        for dataset, table in state.tables.items():
            standing = self._standings[state.flow, dataset]
            if standing.program is None:
                continue
            flow = standing.program.flows[state.flow]
            if self._stands_still(flow, state, dataset, standing):
                continue
            interval = next_interval(standing.through, flow.interval_seconds)
            if interval.end <= self._now and self._complete(standing.program, flow, dataset, interval):
                attempts = 0 if standing.moved else table.attempts
                group = groups.setdefault((interval, attempts, standing.entry, standing.again_until), [])
                group.append((dataset, standing))
        return [self._batch(state.flow, interval, attempts, group) for (interval, attempts, _, _), group in groups.items()]

    def _batch(self, flow_id: str, interval: Interval, attempts: int, group: list[tuple[str, Standing]]) -> DueBatch:
        first = group[0][1]
        assert first.program is not None  # those without one are not due
        flow, datasets = first.program.flows[flow_id], tuple(sorted(dataset for dataset, _ in group))
        return DueBatch(
            flow_id,
            flow.slice_id,
            interval,
            datasets,
            attempts,
            len(datasets) == len(flow.tables),
            first.entry,
            first.again_until,
            any(standing.moved for _, standing in group),
        )

    def _complete(self, program: Program, flow: Flow, dataset: str, interval: Interval) -> bool:
        """Whether every input is complete through the batch's end, or lags no more than is tolerated."""
        table = _table(flow, dataset)
        return all(self._input_is_complete(program, name, flow.tolerates.get(name, 0), interval) for name in table.inputs)

    def _input_is_complete(self, program: Program, name: str, tolerated_seconds: int, interval: Interval) -> bool:
        """An input that lags must have made a batch since it began, and since the last switch: it is not read across one."""
        producer = self._programs.producer(program, name)
        standing = self._standings.get((producer.id, name)) if producer else None
        if standing is None or producer is None:
            return False
        if standing.through >= ceil(interval.end, producer.interval_seconds):  # the batch reads the version that covers its end
            return True
        if not tolerated_seconds or standing.through < interval.end - timedelta(seconds=tolerated_seconds):
            return False
        begins = self._states[producer.id].tables[name].begins
        switch = self._programs.last_switch(producer.id, interval.start)
        return all(moment is None or standing.through > moment for moment in (begins, switch))

    def _stands_still(self, flow: Flow, state: FlowState, dataset: str, standing: Standing) -> bool:
        """A quiesced collect looks at its source again by and by, however often: only so it is seen that the source is mended."""
        quiesced, table = state.drifts(dataset), state.tables[dataset]
        if quiesced and flow.kind != Kind.COLLECT:
            return True
        if self._ignore_failures or standing.moved:
            return False
        return (table.stopped and not quiesced) or (table.retry_at is not None and table.retry_at > self._now)


def _table(flow: Flow, dataset: str) -> Table:
    return next(table for table in flow.tables if table.dataset == dataset)
