"""Facts about where datasets stand: the recorded states, batches, versions and events of a group of flows or of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import Batch, EventKind, FlowState, Version
from shared_metadata.store import items, keys
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.drift_records import Drift, drift_of


@dataclass(frozen=True)
class Completed:
    """The event of a committed batch. datasets: with the rows of each.  passed: further datasets that it completed, being empty."""

    flow: str
    interval: Interval
    token: int
    datasets: Mapping[str, int]
    passed: tuple[str, ...] = ()

    def completed_by(self, dataset: str) -> tuple[str, ...]:
        """The datasets that one of the batch's tables, being empty, has completed beside itself."""
        return tuple(name for name in self.passed if f"{name}:staged" == dataset)


@dataclass
class _OfFlows:
    """Items of flows, which make a whole only together."""

    states: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    aged: list[dict[str, Any]] = field(default_factory=list)

    def take(self, sk: str, values: dict[str, Any]) -> None:
        kinds = {
            keys.STATE_PREFIX: self.states,
            keys.BATCH_PREFIX: self.heads,
            keys.TABLE_PREFIX: self.tables,
            keys.AGED: self.aged,
        }
        next(found for prefix, found in kinds.items() if sk.startswith(prefix)).append(values)


@dataclass
class Facts:
    """flow ▸ state; flow and start ▸ batch; dataset and end ▸ version; flow, start and token ▸ event.

    headless: batches without a record of what their tables share.  aged: flow ▸ the end of its aged batches.
    forgotten: dataset ▸ the moment before which its versions are forgotten.
    """

    states: dict[str, FlowState] = field(default_factory=dict)
    batches: dict[tuple[str, datetime], Batch] = field(default_factory=dict)
    versions: dict[tuple[str, datetime], Version] = field(default_factory=dict)
    completed: dict[tuple[str, datetime, int], Completed] = field(default_factory=dict)
    schemas: set[tuple[str, int]] = field(default_factory=set)
    drifts: list[Drift] = field(default_factory=list)
    headless: set[tuple[str, datetime]] = field(default_factory=set)
    aged: dict[str, datetime] = field(default_factory=dict)
    forgotten: dict[str, datetime] = field(default_factory=dict)

    @staticmethod
    def of(found: Iterable[items.Item], completed: Iterable[Completed] = ()) -> Facts:
        """Facts from items of the table, in any order. completed: from events that were read before."""
        facts, of_flows = Facts(), _OfFlows()
        for item in found:
            facts._take(item, of_flows)
        facts.states = items.flow_states(of_flows.states)
        facts.batches = items.batches(of_flows.heads, of_flows.tables)
        facts.aged = {values["pk"].removeprefix(keys.FLOW_PREFIX): AgedBatches.of(values).through for values in of_flows.aged}
        facts.headless = facts.batches.keys() - items.batches(of_flows.heads, ()).keys()
        for done in completed:
            facts._take_completed(done)
        return facts

    def _take(self, item: items.Item, of_flows: _OfFlows) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if pk.startswith(keys.FLOW_PREFIX):
            of_flows.take(sk, items.from_item(item))
        elif pk.startswith(keys.DATASET_PREFIX):
            self._take_dataset(sk, items.from_item(item))
        elif pk.startswith(keys.EVENT_PREFIX) and item["kind"]["S"] == EventKind.BATCH_COMPLETED:
            self._take_completed(completed(item))
        elif (pk, sk) != tuple(keys.open_drifts().values()) and pk == keys.open_drifts()["pk"]:
            self.drifts.append(drift_of(items.from_item(item)))

    def _take_completed(self, done: Completed) -> None:
        key = (done.flow, done.interval.start, done.token)
        known = self.completed.get(key)
        self.completed[key] = done if known is None else _together(known, done)

    def _take_dataset(self, sk: str, values: dict[str, Any]) -> None:
        if sk.startswith("SCHEMA#"):
            self.schemas.add((values["dataset"], values["number"]))
        elif sk == keys.AGED:
            self.forgotten[values["pk"].removeprefix(keys.DATASET_PREFIX)] = from_text(values["before"])
        else:
            version = items.version(values)
            self.versions[version.dataset, version.interval.end] = version

    def records(self, flow: str, start: datetime, dataset: str) -> bool:
        """Whether there is a record of a table of a batch."""
        batch = self.batches.get((flow, start))
        return batch is not None and dataset in batch.datasets

    def has_aged(self, flow: str, end: datetime) -> bool:
        """Whether a batch that ends then has aged, so that it rightly has no record."""
        return flow in self.aged and end <= self.aged[flow]

    def has_cursor(self, dataset: str) -> bool:
        """Whether a cursor is recorded anywhere."""
        states = (state.tables[dataset].cursor for state in self.states.values() if dataset in state.tables)
        return any(states) or any(batch.moved[dataset].cursor for batch in self.batches.values() if dataset in batch.moved)

    def refilled(self, dataset: str, since: datetime) -> bool:
        """Whether drift has emptied a dataset's cursor since then, so that its next batch takes the whole table."""
        return any(
            drift.resolved_at is not None
            and drift.resolved_at >= since
            and any(f"{column.dataset}:staged" == dataset for column in drift.change.nulls)
            for drift in self.drifts
        )


def completed(item: items.Item) -> Completed:
    """The event of a committed batch."""
    event = items.event(items.from_item(item))
    detail = event.detail
    interval = Interval(from_text(detail["start"]), from_text(detail["end"]))
    return Completed(event.flow, interval, detail["token"], detail["datasets"], tuple(detail.get("passed", ())))


def _together(one: Completed, other: Completed) -> Completed:
    """The tables of one batch are committed in several transactions."""
    return replace(one, datasets={**one.datasets, **other.datasets}, passed=(*one.passed, *other.passed))
