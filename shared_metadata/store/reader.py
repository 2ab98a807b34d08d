"""Reads the metadata layer; needs no more than read access to its table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import Batch, FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store import items, keys
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.event_reader import EventReader
from shared_metadata.store.program_reader import ProgramReader
from shared_metadata.store.version_reader import VersionReader

MANY = 25  # datasets of a flow: a range of them costs some three units, and a request of its own


class MetadataReader(ProgramReader, VersionReader, EventReader):
    """Reads the metadata layer for slices, the conductor and commands: states and batches here, the rest as its readers do."""

    def flow_states(self, flows: Iterable[str], programs: Programs | None = None) -> dict[str, FlowState]:
        """The states of flows' datasets, for each flow that has any. programs: those that name them, by default the timeline's."""
        known = self.programs() if programs is None else programs
        return self.states_of({flow: known.datasets(flow) for flow in flows})

    def states_of(self, wanted: Mapping[str, Collection[str]]) -> dict[str, FlowState]:
        """The states of these datasets of flows, for each flow that has any of them.

        A hundred are one read. Many of one flow are read as a range, a megabyte at a time: by their bytes, not by their number.
        """
        ranges = [flow for flow, datasets in wanted.items() if len(datasets) > MANY]
        few = (keys.state(flow, name) for flow, names in wanted.items() if len(names) <= MANY for name in names)
        found = [*self._items(few)]
        for flow, states in zip(ranges, beside_one_another(self._all_states, ranges), strict=True):
            asked = frozenset(wanted[flow])
            found += (values for values in states if values["dataset"] in asked)
        return items.flow_states(found)

    def _all_states(self, flow: str) -> list[dict[str, Any]]:
        return list(self._query(keys.flow(flow), keys.STATE_PREFIX))

    def batches_at(self, wanted: Mapping[tuple[str, datetime], Collection[str]]) -> dict[tuple[str, datetime], Batch]:
        """The batch of each flow that starts then, with these tables of it, if it was ever claimed."""
        heads = [keys.batch(*key) for key in wanted]
        tables = [keys.batch_table(*key, dataset) for key, datasets in wanted.items() for dataset in datasets]
        found = list(self._items([*heads, *tables]))
        return items.batches(*_apart(found))

    def batch(self, flow: str, start: datetime, datasets: Collection[str] | None = None) -> Batch | None:
        """Returns a batch with these tables of it, or with all."""
        if datasets is not None:
            return self.batches_at({(flow, start): datasets}).get((flow, start))
        head, tables = self._get(keys.batch(flow, start)), self._query(keys.flow(flow), keys.batch_table(flow, start, "")["sk"])
        return items.batches([head] if head else [], tables).get((flow, start))

    def batches(self, flow: str, dataset: str, limit: int = 20) -> list[Batch]:
        """Lists the latest batches of a flow that made a dataset, or were to, newest first, with that table alone."""
        heads = self._query(keys.flow(flow), keys.BATCH_PREFIX, newest_first=True, limit=limit)
        found = self.batches_at({(flow, from_text(head["start"])): [dataset] for head in heads})
        return [batch for _, batch in sorted(found.items(), reverse=True) if batch.datasets]

    def batch_before(self, flow: str, moment: datetime) -> Interval | None:
        """The interval of the last batch of a flow that starts before a moment."""
        upto = keys.batch(flow, moment - timedelta(microseconds=1))
        found = self._one({**upto, "sk": keys.BATCH_PREFIX}, upto["sk"], newest_first=True)
        return items.interval(found) if found else None

    def batches_between(self, flow: str, start: datetime, end: datetime) -> list[Interval]:
        """The intervals of the batches of a flow that start at `start` or later and at `end` or earlier, oldest first."""
        pages = self._pages(keys.batch(flow, start), keys.batch(flow, end)["sk"], ConsistentRead=True)
        return [items.interval(items.from_item(item)) for page in pages for item in page["Items"]]

    def aged_batches(self, flow: str) -> AgedBatches | None:
        """The summary of a flow's aged batches; None where none has aged."""
        values = self._get(keys.aged_batches(flow))
        return AgedBatches.of(values) if values else None

    def aged_batches_of(self, flows: Iterable[str]) -> dict[str, AgedBatches]:
        """The summaries of these flows' aged batches, where any have; a hundred are one read."""
        found = self._items(map(keys.aged_batches, flows))
        return {values["pk"].removeprefix(keys.FLOW_PREFIX): AgedBatches.of(values) for values in found}


def _apart(found: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Separates the heads of batches from their tables."""
    heads, tables = list[dict[str, Any]](), list[dict[str, Any]]()
    for values in found:
        (heads if values["sk"].startswith(keys.BATCH_PREFIX) else tables).append(values)
    return heads, tables
