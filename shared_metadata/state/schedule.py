"""Decides which batches are due: one pure function over the timeline of programs, the flows' states and the time."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared_metadata.program import Flow, Kind, Program, Table
from shared_metadata.program.intervals import Interval, next_interval, to_text
from shared_metadata.state.covering import Covering
from shared_metadata.state.parts import input_of, part_of
from shared_metadata.state.records import Batch, FlowState
from shared_metadata.state.timeline import DatasetProgress, Programs

NAMED = re.compile(r":execution:.+-\d{8}T\d{4}Z-[0-9a-f]{10}-(\d+)$")


@dataclass(frozen=True)
class DueBatch:
    """A batch to start: the tables of one part of a flow that are due in the same interval at the same attempt.

    named: how the execution's input names the tables; empty for all tables of the flow.
    first: the first of the flow's intervals that it covers, which identifies the batch.
    entry: the number of the timeline's entry that it belongs to.  again_until: as in Claim.
    advanced: its tables' progress has to be stored before it is claimed (DatasetProgress.advanced).
    program, until: the version that makes it, and when the next one takes effect.  restated: as in DatasetProgress.
    """

    flow: str
    slice_id: str
    interval: Interval
    datasets: tuple[str, ...]
    attempt: int
    named: Mapping[str, Any] = field(compare=False)
    first: Interval
    entry: int = 0
    again_until: datetime | None = None
    advanced: bool = False
    program: str = ""
    until: datetime | None = None
    restated: int = 0

    @property
    def execution_name(self) -> str:
        """Deterministic, so that a repeated start is the same start; at most 80 of Step Functions' characters.

        The end of a batch that covers missed intervals is decided anew in each round, until it is claimed.
        """
        again = (f"again {self.restated or self.entry}",) if self.restated or self.again_until else ()
        identity = "|".join((self.flow, str(self.first), *self.datasets, *again))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.flow)[:40].strip("-")
        return f"{readable}-{self.interval.start:%Y%m%dT%H%MZ}-{digest}-{self.attempt}"

    @property
    def covers_several(self) -> bool:
        """Whether it covers more than one interval."""
        return self.interval != self.first

    def waits(self, recorded: Batch) -> bool:
        """Whether other tables were made through a later end, at which this batch cannot be read yet."""
        return recorded.begun(self.interval, self.program, self.until, self.restated).end > self.interval.end

    def execution_input(self) -> dict[str, object]:
        """The execution's input: pointers only."""
        found: dict[str, object] = {
            "flow": self.flow,
            "start": to_text(self.interval.start),
            "end": to_text(self.interval.end),
        }
        return {**found, **({"again": True} if self.again_until else {}), **self.named}

    def only(self, datasets: Sequence[str]) -> DueBatch:
        """The batch with some of its tables only."""
        return (
            self
            if len(datasets) == len(self.datasets)
            else replace(self, datasets=tuple(datasets), named={"datasets": list(datasets)})
        )


def attempts_named(owner: str) -> int:
    """How many attempts at a batch have names by now, if this execution was the last; 0 for one that the conductor did not start."""
    found = NAMED.search(owner)
    return int(found[1]) + 1 if found else 0


def due_batches(
    programs: Programs | Program, states: Mapping[str, FlowState], now: datetime, *, ignore_failures: bool = False
) -> list[DueBatch]:
    """The batches that may run now, oldest first, at most one for each table of a flow.

    A table's next batch starts where the table stands, and the program of that time defines it. It is an interval, or all missed
    ones together (covering.py). It is due when its end has passed, every input is complete through its end, its last failed attempt
    is long enough ago, and it has failed fewer than MAX_ATTEMPTS times. `ignore_failures` drops the last two: an operator who starts
    a flow by hand does not want to wait. Datasets that a drift has quiesced are not due.
    """
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Round(known, states, now, ignore_failures).due()


class Waiting:
    """What datasets wait for at a moment: the one answer of the conductor, of `run`, `status` and `why`."""

    def __init__(self, programs: Programs | Program, states: Mapping[str, FlowState], now: datetime) -> None:
        known = programs if isinstance(programs, Programs) else Programs.always(programs)
        self._round = _Round(known, states, now, ignore_failures=True)

    def of(self, flow: str, dataset: str) -> tuple[str, ...]:
        """The inputs that are not complete through the end of its next batch, at the first moment at which one may end."""
        return self._round.waits_for(flow, dataset)


@dataclass(frozen=True)
class _Tables:
    """A flow's tables in a program, and the numbers of their parts, by dataset, and the number of tables in a part."""

    by_name: Mapping[str, Table]
    part: Mapping[str, int]
    sizes: Mapping[int, int]


class _Round:
    """One question with the progress of every table."""

    def __init__(self, programs: Programs, states: Mapping[str, FlowState], now: datetime, ignore_failures: bool) -> None:
        self._programs, self._states, self._now, self._ignore_failures = programs, states, now, ignore_failures
        self._progress = {
            (flow, dataset): programs.progress(flow, dataset, state)
            for flow in programs.flow_ids
            if flow in states
            for dataset, state in states[flow].tables.items()
        }
        self._covering = Covering(programs, states, self._progress, now)
        self._tables: dict[tuple[int, str], _Tables] = {}

    def due(self) -> list[DueBatch]:
        found = [batch for flow in self._programs.flow_ids if flow in self._states for batch in self._of_flow(self._states[flow])]
        return sorted(found, key=lambda batch: (batch.interval, batch.flow, batch.datasets))

    def waits_for(self, flow: str, dataset: str) -> tuple[str, ...]:
        progress = self._progress[flow, dataset]
        program = progress.program
        if program is None:
            return ()
        made_by = program.flows[flow]
        return self._covering.waits_for(made_by, self._tables_of(program, made_by).by_name[dataset], progress)

    def _of_flow(self, state: FlowState) -> list[DueBatch]:
        groups: dict[tuple[Interval, int, int, datetime | None, int], list[tuple[str, DatasetProgress]]] = {}
        for dataset, table in state.tables.items():
            progress = self._progress[state.flow, dataset]
            if progress.program is None:
                continue
            flow = progress.program.flows[state.flow]
            if self._stands_still(flow, state, dataset, progress):
                continue
            known = self._tables_of(progress.program, flow)
            interval = self._covering.next_batch(flow, known.by_name[dataset], progress)
            if interval is not None:
                attempts, part = table.attempts if progress.through == table.watermark else 0, known.part[dataset]
                group = groups.setdefault((interval, attempts, progress.entry, progress.again_until, part), [])
                group.append((dataset, progress))
        return [
            self._batch(state.flow, interval, attempts, part, group) for (interval, attempts, _, _, part), group in groups.items()
        ]

    def _tables_of(self, program: Program, flow: Flow) -> _Tables:
        key = (id(program), flow.id)
        if key not in self._tables:
            part = part_of(flow)
            self._tables[key] = _Tables({table.dataset: table for table in flow.tables}, part, Counter(part.values()))
        return self._tables[key]

    def _batch(
        self, flow_id: str, interval: Interval, attempts: int, part: int, group: list[tuple[str, DatasetProgress]]
    ) -> DueBatch:
        first = group[0][1]
        assert first.program is not None  # datasets without one are not due
        flow, datasets = first.program.flows[flow_id], tuple(sorted(dataset for dataset, _ in group))
        whole = len(datasets) == self._tables_of(first.program, flow).sizes[part]
        return DueBatch(
            flow_id,
            flow.slice_id,
            interval,
            datasets,
            attempts,
            input_of(flow, part) if whole else {"datasets": list(datasets)},
            next_interval(interval.start, flow.interval_seconds),
            first.entry,
            first.again_until,
            any(progress.advanced for _, progress in group),
            self._programs.version(first.program),
            first.until,
            first.restated,
        )

    def _stands_still(self, flow: Flow, state: FlowState, dataset: str, progress: DatasetProgress) -> bool:
        """Whether a table stands still. A quiesced collect keeps checking its source, however often, to notice its repair."""
        quiesced, table = state.drifts(dataset), state.tables[dataset]
        if quiesced and flow.kind != Kind.COLLECT:
            return True
        if self._ignore_failures or progress.advanced:
            return False
        return (table.stopped and not quiesced) or (table.retry_at is not None and table.retry_at > self._now)
