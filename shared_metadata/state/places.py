"""The places of warehouses: how many of a warehouse's tables are at work at once (`Warehouse.at_once`), and which have them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_metadata.program import Flow, Program, Warehouse
from shared_metadata.program.intervals import next_interval
from shared_metadata.state.records import Batch, FlowState
from shared_metadata.state.timeline import Programs

STAGE = "organize"  # the flows that work in a warehouse
BatchesAt = Callable[[Mapping[tuple[str, datetime], Collection[str]]], Mapping[tuple[str, datetime], Batch]]


def warehouse_of(program: Program, flow: Flow | None) -> Warehouse | None:
    """The warehouse in whose places a flow's tables are at work; None where it has no bound."""
    found = program.warehouses.get(flow.warehouse) if flow is not None and flow.stage == STAGE else None
    return found if found is not None and found.at_once else None


def warehouse_at(programs: Programs, flow: str, start: datetime) -> Warehouse | None:
    """The same for the batch of a flow that begins then, by the program that makes it."""
    known = programs.with_flow(flow, start)
    return warehouse_of(known[1], known[1].flows[flow]) if known else None


@dataclass(frozen=True)
class Taken:
    """The places of a warehouse, of which none is free.  by: the datasets that have them, sorted."""

    warehouse: str
    by: tuple[str, ...]


class TakenPlaces:
    """The places that have a worker at a moment, for whoever asks why a batch that is due has none.

    A warehouse's are looked up once, by one question for all of its tables whose next batch is over. What the conductor has started
    and no worker has claimed yet is not seen: for some seconds a place seems to be free.
    """

    def __init__(self, programs: Programs, states: Mapping[str, FlowState], batches_at: BatchesAt, now: datetime) -> None:
        self._programs, self._states, self._batches_at, self._now = programs, states, batches_at, now
        self._by = dict[str, tuple[str, ...]]()

    def of(self, flow: str, dataset: str) -> Taken | None:
        """The places for one of which a dataset waits whose batch is due; None where one is free, or its warehouse has no bound."""
        table = self._states[flow].tables.get(dataset) if flow in self._states else None
        warehouse = warehouse_at(self._programs, flow, table.watermark) if table is not None else None
        if warehouse is None:
            return None
        by = self._taken(warehouse.name)
        return Taken(warehouse.name, by) if len(by) >= warehouse.at_once and dataset not in by else None

    def _taken(self, name: str) -> tuple[str, ...]:
        if name not in self._by:
            wanted: dict[tuple[str, datetime], list[str]] = {}
            for flow, state in self._states.items():
                for dataset, table in state.tables.items():
                    if self._may_be_at_work(flow, table.watermark, name):
                        wanted.setdefault((flow, table.watermark), []).append(dataset)
            found = self._batches_at(wanted) if wanted else {}
            by = (one for key, batch in found.items() for one in wanted[key] if batch.running(one, self._now))
            self._by[name] = tuple(sorted(by))
        return self._by[name]

    def _may_be_at_work(self, flow: str, start: datetime, name: str) -> bool:
        """Whether a batch of that flow works there, and its first interval is over."""
        known = self._programs.with_flow(flow, start)
        if known is None:
            return False
        made = known[1].flows[flow]
        found = warehouse_of(known[1], made)
        return found is not None and found.name == name and next_interval(start, made.interval_seconds).end <= self._now
