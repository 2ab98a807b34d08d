"""The `maintain` step of an organize slice: looks after the tables for which there is something to do, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.maintenance.ageing import Ageing
from shared_metadata.contract.maintenance.request import MaintenanceRequest, MaintenanceResult
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.contract.maintenance.sweep import Place, Sweep
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import AtollError, InputError
from shared_metadata.naming import rejected_table
from shared_metadata.program import Flow, Kind, Mode, Table
from shared_metadata.store.maintenance_records import MaintenanceRecord, MaintenanceRecords

if TYPE_CHECKING:
    from shared_metadata.contract.organize import Driver, OpenDriver

STEP = "maintain"
ACCEPTED = '{} (what is due), {"dataset": "<name>"} (one table, now)'
TABLE_SECONDS = 120.0  # no table is begun with less time than this
DUE_VERSIONS = 16  # so many new versions of a table are worth a look
SWEEP_AFTER, SWEEP_AT_LAST = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class _Turn:
    """A table whose turn it is; `record` is None at its first."""

    flow: Flow
    table: Table
    through: datetime
    record: MaintenanceRecord | None
    sweep: bool


class MaintainStep:
    """Takes part in no batch: it may run at any time, twice at once, and be stopped anywhere."""

    def __init__(self, declaration: Slice, services: Services, open_driver: OpenDriver) -> None:
        self._declaration, self._services, self._open = declaration, services, open_driver

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """{'tables': [{'dataset', 'finished', …counts}], 'left': [datasets for which the time was too short]}.

        What is left is still due at the next call. Raises AtollError, after all others are done, for tables that failed anyhow.
        """
        deadline, dataset = Deadline.of(context), self._asked(event)
        self._services.deadline_monotonic = deadline.at_monotonic
        self._records = MaintenanceRecords(self._services.dynamodb, self._services.environment.atoll_metadata_table)
        self._retention = Retention(self._services.reader, self._services.clock())
        self._program = self._retention.programs.active(self._services.clock())[1]
        self._sweep = Sweep(self._services, self._services.clock())
        self._aged: set[str] = set()
        tables: list[dict[str, Any]] = []
        failed, left = [], []
        unforeseen: Exception | None = None
        for turn in self._turns(dataset):
            if deadline.seconds_left < TABLE_SECONDS:
                left.append(turn.table.dataset)
                continue
            try:
                tables.append(self._take(turn, deadline))
            except AtollError as error:
                failed.append(f"{turn.table.dataset}: {error}")
            except Exception as error:  # else this table, which comes first again and again, would hold up all others
                failed.append(f"{turn.table.dataset}: {type(error).__name__}")
                unforeseen = error
        if failed:
            what = f"maintenance failed of {len(failed)} tables: {'; '.join(failed)}"
            raise AtollError(what, place=self._declaration.id) from unforeseen
        return {"tables": tables, "left": left + [table["dataset"] for table in tables if not table["finished"]]}

    def _asked(self, event: Mapping[str, Any]) -> str:
        if set(event) - {"dataset"} or not isinstance(event.get("dataset", ""), str):
            raise InputError("the input is refused", place=self._declaration.id, remedy=f"accepted are {ACCEPTED}")
        return str(event.get("dataset", ""))

    def _turns(self, dataset: str) -> Iterator[_Turn]:
        """Those tables of this slice that are due, the longest not maintained first; or the one that was asked for."""
        mine = [(f, table) for f in self._program.flows.values() if f.slice_id == self._declaration.id for table in f.tables]
        if dataset and dataset not in (names := sorted(table.dataset for _, table in mine)):
            raise InputError(f"there is no table {dataset!r}", place=self._declaration.id, remedy=f"it has {', '.join(names)}")
        known = self._records.all()
        for flow, table in sorted(mine, key=lambda one: known[one[1].dataset].at.timestamp() if one[1].dataset in known else 0.0):
            through, record = self._retention.through(flow.id, table.dataset), known.get(table.dataset)
            if through is None or dataset not in ("", table.dataset):
                continue
            due, sweep = (True, True) if dataset or record is None else self._due(record, flow, through)
            if due:
                yield _Turn(flow.of(table.dataset), table, through, record, sweep)

    def _due(self, record: MaintenanceRecord, flow: Flow, through: datetime) -> tuple[bool, bool]:
        """Whether there is enough to do, and whether garbage is to be looked for; asks for little where there is not."""
        since, unswept = (through - record.through).total_seconds(), self._services.clock() - record.swept_at
        if 0 <= since < DUE_VERSIONS * flow.interval_seconds and unswept < SWEEP_AFTER:
            return False, False
        versions = self._services.reader.count_versions_after(record.dataset, record.through)
        sweep = unswept >= SWEEP_AT_LAST or (unswept >= SWEEP_AFTER and versions > 0)
        return sweep or versions >= DUE_VERSIONS or since < 0, sweep

    def _take(self, turn: _Turn, deadline: Deadline) -> dict[str, Any]:
        """Maintains one table; only what was finished is recorded."""
        now, dataset = self._services.clock(), turn.table.dataset
        driver = self._open(self._program.warehouses[turn.flow.warehouse], self._services)
        keep = driver.keep(turn.flow)
        maintained = self._maintain(turn, driver, keep, deadline)
        if turn.sweep:
            driver.tidy()
        if turn.sweep and maintained.finished:
            maintained = self._age(turn, keep, maintained, deadline)
        if maintained.finished:
            swept_at = now if turn.sweep or turn.record is None else turn.record.swept_at
            self._records.put(MaintenanceRecord(dataset, now, turn.through, swept_at, maintained.done))
        return {"dataset": dataset, "finished": maintained.finished, **maintained.done}

    def _maintain(self, turn: _Turn, driver: Driver, keep: timedelta, deadline: Deadline) -> MaintenanceResult:
        """The table itself by its driver, and that of its rejected rows; then what its batches have staged."""
        flow, dataset, result = turn.flow, turn.table.dataset, turn.flow.kind == Kind.RESULT
        kept, maintained = [version.pointer for version in self._retention.kept(dataset, keep)], MaintenanceResult()
        upkeep = MaintenanceRequest(flow, dataset, tuple(kept), turn.through, self._services.clock(), turn.sweep)
        if not result:
            maintained = driver.maintain(upkeep, deadline)
        if flow.quarantines and maintained.finished:
            maintained = _with(maintained, driver.maintain(_of_rejected(upkeep), deadline))
        if not turn.sweep or not maintained.finished or maintained.needed is None:
            return maintained
        if result:
            manifests = [*(pointer["manifest"] for pointer in kept), *self._retention.published(dataset)]
        else:
            manifests = self._staged(turn, keep)
        deleted = self._sweep.of(self._places(turn, keep), maintained.needed, manifests, deadline)
        done = {**maintained.done, "deleted_staged": deleted or 0}
        return MaintenanceResult(done, maintained.needed, finished=deleted is not None)

    def _age(self, turn: _Turn, keep: timedelta, maintained: MaintenanceResult, deadline: Deadline) -> MaintenanceResult:
        """Lets versions of this table, of what is loaded into it and of what is published of it age, and the batches of their flows.

        The batches of a flow of many tables do so at the first of their turns.
        """
        ageing, retention = Ageing(self._services, self._retention, deadline), self._retention
        finished = True
        for flow, dataset in self._ageing(turn):
            limits = retention.ages_before(flow, keep)
            if dataset in limits:
                finished = finished and ageing.versions(dataset, limits[dataset], keep)
            if limits and flow not in self._aged:
                finished = finished and ageing.batches(flow, min(limits.values()))
                self._aged |= {flow} if finished else set()
        return replace(maintained, done={**maintained.done, **ageing.done}, finished=finished)

    def _ageing(self, turn: _Turn) -> list[tuple[str, str]]:
        """Flows and their datasets of which this turn takes care."""
        flow, table = turn.flow, turn.table
        found = [(flow.id, table.dataset)]
        if flow.kind == Kind.RESULT:
            found += [(reader.id, name) for reader, name in self._retention.reading(table.dataset)]
        collect = self._program.producers.get(table.inputs[0]) if flow.kind == Kind.LOAD else None
        return [*found, *([(collect.id, table.inputs[0])] if collect else [])]

    def _staged(self, turn: _Turn, keep: timedelta) -> list[str]:
        """The manifests that stand for batches to come as well: those of a source collected whole, as long as it does not change."""
        flow, table = turn.flow, turn.table
        if flow.kind != Kind.LOAD or flow.mode != Mode.REPLACE:
            return []
        return [version.pointer["manifest"] for version in self._retention.kept(table.inputs[0], keep)]

    def _places(self, turn: _Turn, keep: timedelta) -> list[Place]:
        """Where batches of this table, and of what is loaded into it, are staged."""
        flow, table, horizon, lengths = turn.flow, turn.table, self._retention.horizon, self._retention.lengths
        places = [Place(self._declaration.id, flow, table.dataset, lengths(flow.id), min(horizon(table.dataset, keep), turn.through))]
        collect = self._program.producers.get(table.inputs[0]) if flow.kind == Kind.LOAD else None
        if collect:
            upto = horizon(table.inputs[0], keep)
            places.append(Place(collect.slice_id, collect, table.inputs[0], lengths(collect.id), upto, used_by=flow))
        return places


def _of_rejected(upkeep: MaintenanceRequest) -> MaintenanceRequest:
    """The table of rejected rows: its former versions are not read, and its rows are added whatever the table's mode."""
    flow = replace(upkeep.flow, mode=Mode.APPEND, key=(), partition_by=())
    return replace(upkeep, flow=flow, dataset=rejected_table(upkeep.dataset, flow.warehouse), kept=())


def _with(table: MaintenanceResult, rejected: MaintenanceResult) -> MaintenanceResult:
    """The combined result. Without rejected rows there is no second table, and nothing to keep for it."""
    done = Counter(table.done) + Counter(rejected.done)
    return MaintenanceResult(done, table.needed, table.finished and rejected.finished)
