"""Which batches are due: one pure function over the timeline of programs, the flows' states and the time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_metadata.covering import Covering
from shared_metadata.intervals import Interval, next_interval, to_text
from shared_metadata.program import Flow, Kind, Program, Table
from shared_metadata.records import Batch, FlowState
from shared_metadata.timeline import Programs, Standing

NAMED = re.compile(r":execution:.+-\d{8}T\d{4}Z-[0-9a-f]{10}-(\d+)$")


@dataclass(frozen=True)
class DueBatch:
    """A batch to start: the tables of one flow that are due in the same interval at the same attempt.

    first: the first of the flow's intervals that it is made of; which batch it is, is told by that.
    entry: the number of the timeline's entry that it belongs to.  again_until: as in Claim.
    moved: where its tables stand has to be stored before it is claimed (Standing.moved).
    program, until: the version that makes it, and when the next one takes effect.
    """

    flow: str
    slice_id: str
    interval: Interval
    datasets: tuple[str, ...]
    attempt: int
    all_tables: bool
    first: Interval
    entry: int = 0
    again_until: datetime | None = None
    moved: bool = False
    program: str = ""
    until: datetime | None = None

    @property
    def execution_name(self) -> str:
        """Deterministic, so that a repeated start is the same start; at most 80 of Step Functions' characters.

        How far a batch goes that covers missed intervals is decided anew in each round, until it is claimed.
        """
        again = (f"again {self.entry}",) if self.again_until else ()
        identity = "|".join((self.flow, str(self.first), *self.datasets, *again))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.flow)[:40].strip("-")
        return f"{readable}-{self.interval.start:%Y%m%dT%H%MZ}-{digest}-{self.attempt}"

    @property
    def covers_several(self) -> bool:
        """Whether it is made of more than one interval."""
        return self.interval != self.first

    def waits(self, recorded: Batch) -> bool:
        """Whether other tables were made through a later end, at which this batch cannot be read yet."""
        return recorded.begun(self.interval, self.program, self.until).end > self.interval.end

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

    A table's next batch starts where the table stands, and the program of that time says what it is. It is an interval, or all missed
    ones together (covering.py). It is due when its end has passed, every input is complete through its end, its last failed attempt
    is long enough ago, and it has failed fewer than MAX_ATTEMPTS times. `ignore_failures` drops the last two: an operator who starts
    a flow by hand does not want to wait. Datasets that a drift has quiesced are not due.
    """
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Round(known, states, now, ignore_failures).due()


def waits_for(
    programs: Programs | Program, states: Mapping[str, FlowState], now: datetime, flow: str, dataset: str
) -> tuple[str, ...]:
    """The inputs of a dataset that are not complete through the end of its next batch, at the first moment at which one may end."""
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Round(known, states, now, ignore_failures=True).waits_for(flow, dataset)


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
        self._covering = Covering(programs, states, self._standings, now)

    def due(self) -> list[DueBatch]:
        found = [batch for flow in self._programs.flow_ids if flow in self._states for batch in self._of_flow(self._states[flow])]
        return sorted(found, key=lambda batch: (batch.interval, batch.flow, batch.datasets))

    def waits_for(self, flow: str, dataset: str) -> tuple[str, ...]:
        standing = self._standings[flow, dataset]
        program = standing.program
        return self._covering.waits_for(program.flows[flow], table_of(program.flows[flow], dataset), standing) if program else ()

    def _of_flow(self, state: FlowState) -> list[DueBatch]:
        groups: dict[tuple[Interval, int, int, datetime | None], list[tuple[str, Standing]]] = {}
        for dataset, table in state.tables.items():
            standing = self._standings[state.flow, dataset]
            if standing.program is None:
                continue
            flow = standing.program.flows[state.flow]
            if self._stands_still(flow, state, dataset, standing):
                continue
            interval = self._covering.next_batch(flow, table_of(flow, dataset), standing)
            if interval is not None:
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
            next_interval(interval.start, flow.interval_seconds),
            first.entry,
            first.again_until,
            any(standing.moved for _, standing in group),
            self._programs.version(first.program),
            first.until,
        )

    def _stands_still(self, flow: Flow, state: FlowState, dataset: str, standing: Standing) -> bool:
        """A quiesced collect looks at its source again by and by, however often: only so it is seen that the source is mended."""
        quiesced, table = state.drifts(dataset), state.tables[dataset]
        if quiesced and flow.kind != Kind.COLLECT:
            return True
        if self._ignore_failures or standing.moved:
            return False
        return (table.stopped and not quiesced) or (table.retry_at is not None and table.retry_at > self._now)


def table_of(flow: Flow, dataset: str) -> Table:
    """What a flow makes a dataset of."""
    return next(table for table in flow.tables if table.dataset == dataset)
