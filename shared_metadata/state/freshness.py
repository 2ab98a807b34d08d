"""Finds datasets that are later than FRESH WITHIN promises; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.program import Program
from shared_metadata.state.records import FlowState


@dataclass(frozen=True)
class LateDataset:
    """A broken promise. watermark: the dataset is complete up to it.  since: the moment at which the promise was broken."""

    flow: str
    dataset: str
    watermark: datetime
    since: datetime


def late_datasets(program: Program, states: Mapping[str, FlowState], now: datetime) -> list[LateDataset]:
    """The datasets that are older than their FRESH WITHIN; those without a state are left out, because their age is unknown."""
    found = []
    for flow in program.flows.values():
        promised = timedelta(seconds=flow.fresh_within_seconds)
        tables = states[flow.id].tables if promised and flow.id in states else {}
        for table in flow.tables:
            if table.dataset in tables and now - tables[table.dataset].watermark > promised:
                watermark = tables[table.dataset].watermark
                found.append(LateDataset(flow.id, table.dataset, watermark, watermark + promised))
    return found
