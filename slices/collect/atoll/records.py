"""Puts together what is known of a completed batch: its event, its record where that is still of it, and its statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.intervals import from_text
from shared_metadata.state.records import Batch, Event, TableOutcome, TableStatus
from shared_metadata.store.event_reader import BatchTable
from shared_metadata.store.reader import MetadataReader
from slices.collect.atoll.slice import SLICE
from slices.collect.atoll.tables import AGED, KEPT, REPLACED


@dataclass(frozen=True)
class Made:
    """One table of a completed batch.

    flow: as the program has it, by which the batch was made, or else the active one; None where neither knows it.
    outcome: None where the record is another run's, or has aged; `record` says which.
    """

    dataset: str
    flow_id: str
    start: datetime
    end: datetime
    at: datetime
    token: int
    rows: int
    record: str
    flow: Flow | None = None
    outcome: TableOutcome | None = None
    program_version: str | None = None
    dollars: float | None = None

    @property
    def is_publication(self) -> bool:
        return self.flow is not None and self.flow.kind == Kind.PUBLISH

    @property
    def pointer(self) -> Mapping[str, Any] | None:
        return self.outcome.pointer if self.outcome else None


class Known:
    """The flows of a program.  own: those that collect Atoll's records, and those that read what these make, however far behind."""

    def __init__(self, program: Program) -> None:
        self.flows, self.own = program.flows, own_flows(program)


def own_flows(program: Program) -> frozenset[str]:
    """Each of their batches would be a row that the next ones are made for, without an end."""
    own = {flow.id for flow in program.flows.values() if flow.slice_id == SLICE.id}
    while True:
        made = {table.dataset for name in own for table in program.flows[name].tables}
        reading = {f.id for f in program.flows.values() if any(made.intersection(table.inputs) for table in f.tables)}
        if reading <= own:
            return frozenset(own)
        own |= reading


class Records:
    """new_reader: a reader of its own for a program, which keeps all programs that it reads: of months they would fill a function."""

    def __init__(self, reader: MetadataReader, new_reader: Callable[[], MetadataReader]) -> None:
        self._reader, self._new_reader = reader, new_reader
        self._active = Known(reader.active_program())
        self._last: tuple[str, Known] | None = None

    def is_own(self, event: Event) -> bool:
        """Whether the active program makes a flow of what is collected here."""
        return event.flow in self._active.own

    def of(self, events: Sequence[Event]) -> Iterator[Made]:
        """The tables of these batches, without those that are made of what is collected here."""
        wanted = [(event, dataset) for event in events for dataset in event.detail["datasets"]]
        tables = [_table(event, dataset) for event, dataset in wanted]
        batches, statistics = self._batches(tables), self._reader.statistics_of(set(tables))
        for (event, dataset), table in zip(wanted, tables, strict=True):
            found = self._made(event, dataset, batches.get(table[:2]), statistics.get(table))
            if found is not None:
                yield found

    def _batches(self, tables: Iterable[BatchTable]) -> dict[tuple[str, datetime], Batch]:
        wanted: dict[tuple[str, datetime], set[str]] = {}
        for flow, start, dataset in tables:
            wanted.setdefault((flow, start), set()).add(dataset)
        return self._reader.batches_at(wanted)

    def _made(self, event: Event, dataset: str, batch: Batch | None, statistics: Mapping[str, Any] | None) -> Made | None:
        told, token = event.detail, int(event.detail["token"])
        outcome = batch.outcomes.get(dataset) if batch else None
        kept = outcome is not None and outcome.status == TableStatus.COMMITTED and outcome.token == token
        version = batch.program_version if batch and kept and batch.workers[dataset].token == token else None
        known = self._known(version) if version else self._active
        if event.flow in known.own:
            return None
        record = KEPT if kept else REPLACED if batch and dataset in batch.workers else AGED
        return Made(
            dataset,
            event.flow,
            from_text(told["start"]),
            from_text(told["end"]),
            event.at,
            token,
            int(told["datasets"][dataset]),
            record,
            known.flows.get(event.flow) or self._active.flows.get(event.flow),
            outcome if kept else None,
            version,
            _dollars(outcome, statistics) if kept and outcome else None,
        )

    def _known(self, version: str) -> Known:
        if self._last is None or self._last[0] != version:
            self._last = version, Known(self._new_reader().program(version))
        return self._last[1]


def _table(event: Event, dataset: str) -> BatchTable:
    return event.flow, from_text(event.detail["start"]), dataset


def _dollars(outcome: TableOutcome, statistics: Mapping[str, Any] | None) -> float | None:
    """Statistics are put after the batch is committed, and do not say by which run of it: by its rows and its seconds."""
    if statistics is None or (statistics["rows"], float(statistics["seconds"])) != (outcome.rows, float(outcome.seconds)):
        return None
    return float(statistics["cost_dollars"])
