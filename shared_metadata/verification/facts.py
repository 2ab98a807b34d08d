"""Facts about where datasets stand: the recorded states, batches, versions and events of a group of flows or of all.

Of states and schemas there is one for a dataset; of what there is for each batch, little is held in memory (Packed).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any

from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.records import Batch, EventKind, FlowState, Version
from shared_metadata.store import items, keys
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.drift_records import Drift, drift_of
from shared_metadata.verification.packed import Packed

BatchKey = tuple[str, datetime]  # a flow, and the batch's start
TableKey = tuple[str, datetime, str]  # … and the dataset
SHARED = ("end", "program_version")
OF_A_TABLE = ("worker", "outcome", "pins")

moment = lru_cache(4096)(from_text)  # a batch's moments recur in its records: one object for all of them


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


class Facts:
    """flow ▸ state; flow, start and dataset ▸ the batch with that table alone; dataset and end ▸ version; flow, start, token ▸ event.

    heads: flow and start ▸ what the batch's tables share.  headless: those of which that is not recorded ▸ the tables that are.
    aged: flow ▸ the end of its aged batches.  forgotten: dataset ▸ the moment before which its versions are forgotten.
    """

    def __init__(self) -> None:
        self.states: dict[str, FlowState] = {}
        self.heads = Packed[BatchKey, Mapping[str, str]](lambda _, values: values)
        self.batches = Packed[TableKey, Batch](self._batch)
        self.versions = Packed[tuple[str, datetime], Version](_version)
        self.completed = Packed[tuple[str, datetime, int], Completed](_completed)
        self.schemas: set[tuple[str, int]] = set()
        self.drifts: list[Drift] = []
        self.headless: dict[BatchKey, list[str]] = {}
        self.aged: dict[str, datetime] = {}
        self.forgotten: dict[str, datetime] = {}
        self._with_cursor: set[str] = set()

    @staticmethod
    def of(found: Iterable[items.Item], completed: Iterable[Completed] = ()) -> Facts:
        """Facts from items of the table, in any order. completed: from events that were read before."""
        facts, states = Facts(), list[dict[str, Any]]()
        for item in found:
            facts._take(item, states)
        for done in completed:
            facts._take_completed(done)
        facts.states = items.flow_states(states)
        facts._find_headless()
        return facts

    def _take(self, item: items.Item, states: list[dict[str, Any]]) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if pk.startswith(keys.FLOW_PREFIX):
            values = items.from_item(item)
            if sk.startswith(keys.STATE_PREFIX):
                states.append(values)
            else:
                self._take_batch(intern(pk.removeprefix(keys.FLOW_PREFIX)), sk, values)
        elif pk.startswith(keys.DATASET_PREFIX):
            self._take_dataset(sk, items.from_item(item))
        elif pk.startswith(keys.EVENT_PREFIX) and item["kind"]["S"] == EventKind.BATCH_COMPLETED:
            self._take_completed(completed(item))
        elif (pk, sk) != tuple(keys.open_drifts().values()) and pk == keys.open_drifts()["pk"]:
            self.drifts.append(drift_of(items.from_item(item)))

    def _take_batch(self, flow: str, sk: str, values: Mapping[str, Any]) -> None:
        if sk == keys.AGED:
            self.aged[flow] = AgedBatches.of(values).through
            return
        key, shared = (flow, moment(values["start"])), {name: values[name] for name in SHARED}
        if sk.startswith(keys.BATCH_PREFIX):
            self.heads.keep(key, shared)
            return
        own = {name: value for name, value in values.items() if name in OF_A_TABLE or name.startswith(items.MOVED)}
        self.batches.keep((*key, intern(values["dataset"])), own if key in self.heads else own | shared)
        moved = {name.removeprefix(items.MOVED): inner for name, inner in own.items() if name.startswith(items.MOVED)}
        self._with_cursor.update(name for name, inner in moved.items() if inner["cursor"])

    def _take_completed(self, done: Completed) -> None:
        key = (intern(done.flow), done.interval.start, done.token)
        whole = _together(self.completed[key], done) if key in self.completed else done
        self.completed.keep(key, [to_text(whole.interval.end), dict(whole.datasets), whole.passed])

    def _take_dataset(self, sk: str, values: dict[str, Any]) -> None:
        if sk.startswith("SCHEMA#"):
            self.schemas.add((values["dataset"], values["number"]))
        elif sk == keys.AGED:
            self.forgotten[values["pk"].removeprefix(keys.DATASET_PREFIX)] = from_text(values["before"])
        else:
            dataset, end = intern(values["dataset"]), moment(values["end"])
            self.versions.keep((dataset, end), {name: value for name, value in values.items() if name not in ("pk", "sk", "dataset")})

    def _find_headless(self) -> None:
        """Finds batches without a record of what their tables share; their last claims have it."""
        found = defaultdict[BatchKey, list[str]](list)
        for flow, start, dataset in self.batches:
            if (flow, start) not in self.heads:
                found[flow, start].append(dataset)
        for key, datasets in found.items():
            claims = [self.batches.plain((*key, dataset)) for dataset in datasets]
            last = max(claims, key=lambda values: (values["worker"]["token"], values["end"]))
            self.heads.keep(key, {name: last[name] for name in SHARED})
            self.headless[key] = sorted(datasets)

    def _batch(self, key: TableKey, values: Mapping[str, Any]) -> Batch:
        flow, start, dataset = key
        shared = {"flow": flow, "start": to_text(start), **self.heads[flow, start]}
        return items.batch(shared, [{**values, "dataset": dataset}])

    def records(self, flow: str, start: datetime, dataset: str) -> bool:
        """Whether there is a record of a table of a batch."""
        return (flow, start, dataset) in self.batches

    def has_aged(self, flow: str, end: datetime) -> bool:
        """Whether a batch that ends then has aged, so that it rightly has no record."""
        return flow in self.aged and end <= self.aged[flow]

    def has_cursor(self, dataset: str) -> bool:
        """Whether a cursor is recorded anywhere."""
        states = (state.tables[dataset].cursor for state in self.states.values() if dataset in state.tables)
        return dataset in self._with_cursor or any(states)

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
    detail = items.from_item(item["detail"]["M"])
    interval = Interval(moment(detail["start"]), moment(detail["end"]))
    return Completed(item["flow"]["S"], interval, detail["token"], detail["datasets"], tuple(detail.get("passed", ())))


def _completed(key: tuple[str, datetime, int], values: tuple[str, Mapping[str, int], tuple[str, ...]]) -> Completed:
    (flow, start, token), (end, datasets, passed) = key, values
    return Completed(flow, Interval(start, moment(end)), token, datasets, tuple(passed))


def _version(key: tuple[str, datetime], values: Mapping[str, Any]) -> Version:
    return items.version({**values, "dataset": key[0]})


def _together(one: Completed, other: Completed) -> Completed:
    """The tables of one batch are committed in several transactions."""
    return replace(one, datasets={**one.datasets, **other.datasets}, passed=(*one.passed, *other.passed))
