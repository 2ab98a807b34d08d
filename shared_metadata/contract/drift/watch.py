"""Collect's look at its source in every batch: records what changed there, and goes on with what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from shared_metadata.contract.drift.column_likeness import ColumnLikeness, Sampled
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.work import Work
from shared_metadata.drift.changes import Change, DriftChange, classify, source_name
from shared_metadata.drift.renames import Alike
from shared_metadata.errors import DefinitionError
from shared_metadata.notices.drift import remedy, what_happened
from shared_metadata.program import Column, Flow, Program, Table
from shared_metadata.program.lineage import schema_digest
from shared_metadata.program.schema import Schema


class StoppedByDrift(DefinitionError):
    """The source lacks what collect itself needs; it is looked at again by and by."""


@runtime_checkable
class Watches(Protocol):
    """A source that looks after what it keeps at its system."""

    def watch(self, flow: Flow) -> None:
        """Called as each table of a flow is planned, before all else, whatever becomes of the table then."""
        ...


class DriftWatch:
    """Compares a source's tables with what the program was compiled against."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def flow_for(self, work: Work, source: Sampled) -> Flow:
        """The flow, without the columns that cannot be collected any more. Raises StoppedByDrift.

        Of an unchanged table it costs one look at the source's catalog and two small reads; of a program that was compiled without
        the sources' schemas nothing. What can be collected is judged under the batch's program, what stands still under the active
        one, so that a batch of a former program neither opens nor closes anything.
        """
        flow, table = work.flow, work.table
        if isinstance(source, Watches):
            source.watch(flow)
        if not table.source or not table.signature:
            return flow
        name, now = f"{flow.connection}.{table.source}", source.describe([table.source])[table.source]
        alike = ColumnLikeness(self._services, work, source)
        mine = self._changes(work.claim.program_version, work.program, table.dataset, name, now, alike)
        numbers = self._recorded(work, name, now, mine, alike)
        place = f"{flow.position}: {table.dataset}"
        for change in mine:
            if change.stops(table.dataset):
                drift = f"drift {numbers[change.identity]}: " if change.identity in numbers else ""
                raise StoppedByDrift(f"{drift}{what_happened(change)}", place=place, remedy=remedy(change))
        return _without(flow, _nulls(mine, table.dataset) | _may_be_masked(flow, table, mine, now), now, place)

    def _recorded(self, work: Work, name: str, now: Schema | None, mine: list[DriftChange], alike: Alike) -> dict[str, int]:
        """Reconciles the drift records with the active program; identity of a change ▸ its number."""
        reader, version, program, changes = self._services.reader, work.claim.program_version, work.program, mine
        active = reader.active_version()
        if active != version:
            version, program = active, reader.program(active)
            changes = self._changes(version, program, work.table.dataset, name, now, alike)
        drifts = self._services.drifts.settle(name, changes, lambda: reader.lineage(version), program, version, work.flow.id)
        return {drift.change.identity: drift.number for drift in drifts}

    def _changes(
        self, version: str, program: Program, dataset: str, name: str, now: Schema | None, alike: Alike
    ) -> list[DriftChange]:
        table = next((t for flow in program.flows.values() for t in flow.tables if t.dataset == dataset), None)
        if table is None or not table.signature or (now is not None and schema_digest(now) == table.signature):
            return []
        lineage = self._services.reader.lineage(version)
        known = lineage.sources.get(name) if lineage else None
        return classify(known, now, name, lineage, program, alike) if lineage and known else []


def _nulls(changes: list[DriftChange], staged: str) -> set[str]:
    dataset = staged.removesuffix(":staged")
    return {column.column for change in changes for column in change.nulls if column.dataset == dataset}


def _may_be_masked(flow: Flow, table: Table, changes: list[DriftChange], now: Schema | None) -> set[str]:
    """The columns that came to a masked table since the program was compiled: one of them may be a masked one under another name."""
    if not table.masks or flow.columns or now is None:
        return set()
    added = {change.column for change in changes if change.kind == Change.COLUMN_ADDED}
    return {column.name for column in now.columns if source_name(column) in added}


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
