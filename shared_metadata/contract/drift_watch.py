"""Collect's look at its source in every batch: records what changed there, and goes on with what is left."""

from __future__ import annotations

from dataclasses import replace

from shared_metadata.contract.discovery import Catalog
from shared_metadata.contract.services import Services
from shared_metadata.contract.steps import Work
from shared_metadata.drift import DriftChange, classify
from shared_metadata.drift_records import Drift
from shared_metadata.drift_wording import remedy, what_happened
from shared_metadata.errors import DefinitionError
from shared_metadata.lineage import Lineage, schema_digest
from shared_metadata.program import Column, Flow
from shared_metadata.records import Schema


class StoppedByDrift(DefinitionError):
    """The source lacks what collect itself needs; it is looked at again by and by."""


class DriftWatch:
    """Compares a source's tables with what the program was compiled against."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def flow_for(self, work: Work, source: Catalog) -> Flow:
        """The flow, without the columns that cannot be collected any more. Raises StoppedByDrift.

        Of an unchanged table it costs one look at the source's catalog and one small read; of a program that was compiled without
        the sources' schemas nothing.
        """
        flow, table = work.flow, work.table
        if not table.source or not table.signature:
            return flow
        name, now = f"{flow.connection}.{table.source}", source.describe([table.source])[table.source]
        changes = self._changes(work, name, now)
        version, settle = work.claim.program_version, self._services.drifts.settle
        drifts = settle(name, changes, lambda: self._lineage(work), work.program, version, flow.id)
        place = f"{flow.position}: {table.dataset}"
        for drift in drifts:
            if drift.change.stops(table.dataset):
                what = f"drift {drift.number}: {what_happened(drift.change)}"
                raise StoppedByDrift(what, place=place, remedy=remedy(drift.change))
        return _without(flow, _nulls(drifts, work), now, place)

    def _changes(self, work: Work, name: str, now: Schema | None) -> list[DriftChange]:
        if now is not None and schema_digest(now) == work.table.signature:
            return []
        lineage = self._lineage(work)
        known = lineage.sources.get(name) if lineage else None
        return classify(known, now, name, lineage, work.program) if lineage and known else []

    def _lineage(self, work: Work) -> Lineage | None:
        return self._services.reader.lineage(work.claim.program_version)


def _nulls(drifts: list[Drift], work: Work) -> set[str]:
    dataset = work.table.dataset.removesuffix(":staged")
    return {column.column for drift in drifts for column in drift.change.nulls if column.dataset == dataset}


def _without(flow: Flow, nulls: set[str], now: Schema | None, place: str) -> Flow:
    """The flow without these output columns; of a table that is collected whole, all others are named."""
    if not nulls or now is None:
        return flow
    columns = flow.columns or tuple(Column(c.name, _quoted(c.source)) for c in now.columns)
    left = tuple(column for column in columns if column.name not in nulls)
    if not left:
        raise StoppedByDrift("the source has none of the columns any more", place=place, remedy="`atoll drift` lists what happened")
    return replace(flow, columns=left)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
