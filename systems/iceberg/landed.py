"""Finds the newest batch in a table's snapshots."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.landed import Landed
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Warehouse
from shared_metadata.program.intervals import Interval, from_text
from systems.iceberg.snapshots import history
from systems.iceberg.tables import Tables


def newest_batches(
    warehouse: Warehouse, services: Services, flows: Mapping[str, str], deadline: Deadline
) -> dict[str, Landed | None]:
    """The newest batch of each dataset, by its table's metadata alone."""
    tables = Tables(warehouse.name, services, f"warehouse {warehouse.name}")
    return {dataset: _newest(tables, dataset, flow) for dataset, flow in flows.items()}


def _newest(tables: Tables, dataset: str, flow: str) -> Landed | None:
    name = ".".join(tables.identifier(dataset))
    found = [
        Landed(Interval(from_text(made.start), from_text(made.end)), made.token, f"snapshot {snapshot_id} of {name}")
        for snapshot_id, made in history(tables.find(dataset))
        if made.flow == flow
    ]
    return max(found, key=lambda one: (one.interval, one.token), default=None)
