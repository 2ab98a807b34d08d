"""The steps of an organize slice: plan ▸ load or refresh ▸ check ▸ commit, over what its driver knows of the warehouse."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared_metadata.contract.batch_input import BatchRequest
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.fitting import fitted, input_intervals
from shared_metadata.contract.maintenance.request import MaintenanceRequest, MaintenanceResult
from shared_metadata.contract.parquet.rejected_rows import RejectedRow
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging, read_json
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.work import Work
from shared_metadata.costs import skew
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Kind, Mode, Warehouse
from shared_metadata.program.intervals import Interval, ceil, from_text, to_text
from shared_metadata.program.schema import Schema
from shared_metadata.state.records import TableCommit, Version

PREPARED = "prepared.json"
CHECKED = "checked.json"  # the same after check; a late load or refresh, whose caller has given it up, does not write over it


@dataclass(frozen=True)
class CheckResult:
    """How one expectation went: `failing` rows of `rows` did not meet it."""

    name: str
    action: str
    failing: int
    rows: int


@dataclass(frozen=True)
class Committed:
    """What a driver made: where the new version is, and its schema; rows, bytes, files' bytes and rejected rows are the batch's.

    used: what it took beside AWS's own, in kinds that have a list price.  statements: those that ran elsewhere in any of the
    batch's steps (waiting.statements.Ran), with what each of them has used.  engine, why: which engine made the rows, and why that
    one, where it was a choice.  saw: of a warehouse without time travel, through when each dataset was complete in the state that was
    read, where that is another than the version that was to be read.
    """

    pointer: Mapping[str, Any]
    schema: Schema
    rows: int
    bytes: int
    layout: Mapping[str, Any] = field(default_factory=dict)
    file_bytes: tuple[int, ...] = ()
    rejected: int = 0
    used: Mapping[str, float] = field(default_factory=dict)
    statements: tuple[Mapping[str, Any], ...] = ()
    engine: str = ""
    why: str = ""
    saw: Mapping[str, str] = field(default_factory=dict)


class Driver(Protocol):
    """What an organize slice's client.py implements; made as Driver(warehouse, services). JSON documents are the driver's own.

    staged: the manifest that collect committed: {'files': [{'key', 'rows', 'bytes'}], 'schema': …} (keys in the data bucket), and
        where rows were set aside {'rejected': [{'key', 'rows'}]}, with the columns of RejectedRow; where rows left a WHERE {'left':
        [{'key', 'rows'}]}, with their `left_columns`: those of them that the table has are marked `_deleted`.
    reads: dataset ▸ pointer of the version to read (what `commit` returned for it); a warehouse without time travel
        (`Capabilities.time_travel`) reads the newest state instead, and `Committed.saw` says which that was.

    A driver whose statements run elsewhere may raise NotYet in load, refresh, check and commit; `work.turn` then has its token.
    """

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """Prepares staged files to become table data; nothing is visible yet."""
        ...

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """Runs the flow's query (a VIEW or a RESULT) for the batch; nothing is visible yet."""
        ...

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        """Evaluates the flow's expectations over the prepared rows; returns the document without the quarantined rows.

        Of those 'rejected_rows' in the document is the number; `commit` makes them visible beside the table.
        """
        ...

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        """Makes it visible in one atomic step that carries the batch's identity; if that was done before, looks it up.

        A RESULT's pointer is {'manifest': key}, not a table: {'files': [{'key', 'rows', 'bytes'}], 'schema': …}, and 'rejected_rows':
        how many were set aside, if any.
        Rows that were rejected replace those of the batch (of REPLACE: all) in the table `naming.rejected_table`.
        """
        ...

    def keep(self, flow: Flow) -> timedelta:
        """The time for which the versions of a flow's tables can be read, and its batches be run again from what was staged."""
        ...

    def maintain(self, upkeep: MaintenanceRequest, deadline: Deadline) -> MaintenanceResult:
        """Makes the table cheap to read without changing what anybody reads, and forgets versions that are not to be kept.

        Only where `Capabilities.maintains`. A batch that commits meanwhile wins; stopped anywhere, it is done again.
        """
        ...

    def tidy(self) -> None:
        """Forgets what batches left beside tables that did not end. Only where `Capabilities.maintains`; asked with each sweep."""
        ...

    def rejected(self, dataset: str, limit: int) -> list[RejectedRow]:
        """Rows of a table of rejected rows, the latest batches' first; none where there is no such table."""
        ...


OpenDriver = Callable[[Warehouse, Services], Driver]


def definition(flow: Flow) -> str:
    """A digest of all that decides a flow's result but its inputs."""
    parts = (
        flow.slice_id,
        flow.query,
        flow.mode,
        flow.key,
        flow.partition_by,
        [(e.name, e.predicate, e.action) for e in flow.expectations],
        *flow.calls,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class OrganizeSteps(Steps):
    """The handlers of an organize slice."""

    def __init__(self, declaration: Slice, services: Services, open_driver: OpenDriver) -> None:
        super().__init__(declaration, services)
        self._open = open_driver

    def fitted(self, wanted: BatchRequest) -> Interval:
        return fitted(wanted, self.services.reader)

    def plan_table(self, work: Work) -> dict[str, Any] | None:
        planned = {"planned_at": time.time()}
        if work.flow.kind == Kind.LOAD:
            staged = self.services.reader.last_version_within(work.table.inputs[0], work.claim.interval)
            if staged is None:
                return None
            reads = {work.table.inputs[0]: to_text(staged.interval.end)}
            return {"kind": "load", "staged": staged.pointer["manifest"], "reads": reads, "pointers": {}, **planned}
        found = self._versions(work)
        reads = {name: to_text(version.interval.end) for name, version in found.items()}
        if self._unchanged(work, reads):
            return None
        return {
            "kind": "refresh",
            "reads": reads,
            "pointers": {name: dict(version.pointer) for name, version in found.items()},
            **planned,
        }

    def _versions(self, work: Work) -> dict[str, Version]:
        """The version of each input that covers the batch's end; of one that may lag the newest by then, the same at each attempt."""
        end, lagging = work.claim.interval.end, tuple(work.flow.tolerates)
        upto = {name: ceil(end, seconds) for name, seconds in input_intervals(work.program, work.table).items()}
        if lagging:
            upto |= self._complete_through(work, {name: upto[name] for name in lagging})
        versions = {name: self._version(work, name, moment) for name, moment in upto.items()}
        missing = sorted(name for name, version in versions.items() if version is None)
        if missing:
            raise DefinitionError(
                f"{missing[0]} has no version at or before {to_text(upto[missing[0]])}",
                place=work.place,
                remedy=f"run a batch of {missing[0]} that ends by then",
            )
        found = {name: version for name, version in versions.items() if version}
        if not lagging:
            return found
        return found | self._as_before(work, {name: found[name] for name in lagging})

    def _as_before(self, work: Work, found: dict[str, Version]) -> dict[str, Version]:
        """The versions that an earlier attempt has read; these, where there was none, or a restatement has made one of them anew."""
        pin, lengths = self.services.writer.pin, input_intervals(work.program, work.table)
        ends = {name: to_text(version.interval.end) for name, version in found.items()}
        pinned = pin(work.claim, work.table.dataset, ends)
        if pinned == ends:
            return found
        before = {name: self._pinned(work, name, from_text(moment)) for name, moment in pinned.items()}
        if all(version.interval.start < ceil(work.claim.interval.end, lengths[name]) for name, version in before.items()):
            return before
        pin(work.claim, work.table.dataset, ends, instead=pinned)  # it belongs to a later batch now
        return found

    def _version(self, work: Work, name: str, moment: datetime) -> Version | None:
        """The version that covers a moment. Only of what lies behind may there be a later one by which the moment is covered."""
        reader, end = self.services.reader, work.claim.interval.end
        behind = moment + timedelta(seconds=input_intervals(work.program, work.table)[name]) <= self.services.clock()
        found = reader.covering_version(name, moment) if behind else reader.version_at(name, moment)
        tolerated = timedelta(seconds=work.flow.tolerates.get(name, 0))
        if found and tolerated and found.interval.end > moment:  # so late a version is not needed
            former = reader.version_at(name, moment)
            switch = reader.programs().last_switch(work.program.producers[name].id, work.claim.interval.start)
            of_this_program = former is not None and (switch is None or former.interval.end > switch)
            return former if former and of_this_program and former.interval.end >= end - tolerated else found
        return found

    def _complete_through(self, work: Work, upto: Mapping[str, datetime]) -> dict[str, datetime]:
        """The same moments, but none after what each input is complete through: what lies there is of another program version."""
        reader = self.services.reader
        programs, producers = reader.programs(), work.program.producers
        wanted: dict[str, list[str]] = {}
        for name in upto:
            wanted.setdefault(producers[name].id, []).append(name)
        states = reader.states_of(wanted)
        found = dict(upto)
        for name in upto:
            flow = producers[name].id
            if flow in states and name in states[flow].tables:
                found[name] = min(upto[name], programs.progress(flow, name, states[flow].tables[name]).through)
        return found

    def _pinned(self, work: Work, name: str, end: datetime) -> Version:
        version = self.services.reader.version_of(name, end)
        if version is None:
            raise DefinitionError(
                f"the version of {name} as of {to_text(end)}, which this batch has read before, is gone",
                place=work.place,
                remedy=f"run the batch of {name} that ends then again",
            )
        return version

    def _unchanged(self, work: Work, reads: Mapping[str, str]) -> bool:
        """Whether the current version was made by the same query from the same inputs; then there is nothing to compute.

        Only for whole results in REPLACE or RESULT: those of another kind depend on the batch as well.
        """
        whole = work.flow.whole and (work.flow.kind == Kind.RESULT or work.flow.mode == Mode.REPLACE)
        if not whole or work.claim.again:
            return False
        current = self.services.reader.version_at(work.table.dataset, work.claim.interval.start)
        return bool(current and current.reads == reads and current.pointer.get("definition") == definition(work.flow))

    def moves_rows(self, step: str, work: Work) -> bool:  # a load is by reference, a commit changes metadata: but for these
        anew = work.flow.mode == Mode.MERGE or (step == "load" and bool(work.flow.partition_by))
        return super().moves_rows(step, work) and (step in ("refresh", "check") or anew)

    def load(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        return self.take_turn("load", event, context, self._load)

    def refresh(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        return self.take_turn("refresh", event, context, self._refresh)

    def check(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Only for flows with expectations. Raises DefinitionError for a failed FAIL: then nothing becomes visible."""
        return self.take_turn("check", event, context, self._check)

    def _load(self, work: Work, event: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        staging = self.staging(work)
        staged = read_json(self.services.s3, staging.bucket, event["staged"])
        if staged is None:
            raise DefinitionError(
                f"the staged manifest {event['staged']} is gone",
                place=work.table.dataset,
                remedy="run the collect batch again with from and to, then this one",
            )
        prepared = self._driver(work).load(work, staged, staging, deadline)
        staging.write(prepared, work.table.dataset, PREPARED)
        return self._prepared_state(event, work)

    def _refresh(self, work: Work, event: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        prepared = self._driver(work).refresh(work, event["pointers"], self.staging(work), deadline)
        self.staging(work).write(prepared, work.table.dataset, PREPARED)
        return self._prepared_state(event, work)

    def _check(self, work: Work, event: Mapping[str, Any], _: Deadline) -> dict[str, Any]:
        staging = self.staging(work)
        before = self._document(staging, work, PREPARED)
        results, prepared = self._driver(work).check(work, before, staging)
        for result in results:
            if result.failing and result.action == "FAIL":
                where = next(e.position for e in work.flow.expectations if e.name == result.name)
                raise DefinitionError(
                    f"{result.failing} of {result.rows} rows fail the expectation {result.name}",
                    place=f"{where}: {work.table.dataset}",
                    remedy="mend the data at its source or change the expectation; the batch is tried again",
                )
        _tolerated(work, results, prepared.get("rejected_rows", 0), before.get("rejected_rows", 0))
        staging.write(prepared, work.table.dataset, CHECKED)
        notes = [vars(result) for result in results if result.failing]
        return {**event, "notes": notes, "used": self.used(event, transitions=1 + ("check" in self.declaration.waits))}

    def commit_table(self, work: Work, state: Mapping[str, Any]) -> TableCommit:
        staging = self.staging(work)
        document = self._document(staging, work, CHECKED if work.flow.expectations else PREPARED)
        committed = self._driver(work).commit(work, document, staging)
        return TableCommit(
            work.table.dataset,
            rows=committed.rows,
            bytes=committed.bytes,
            seconds=time.time() - state["planned_at"],
            pointer={**committed.pointer, "definition": definition(work.flow)},
            schema=committed.schema,
            layout=committed.layout,
            reads={**state["reads"], **committed.saw},
            notes=tuple(state.get("notes", ())),
            skew=skew(committed.file_bytes),
            rejected=committed.rejected,
            used=committed.used,
            statements=committed.statements,
            engine=committed.engine,
            why=committed.why,
        )

    def _prepared_state(self, event: Mapping[str, Any], work: Work) -> dict[str, Any]:
        """The state after Kind, Load or Refresh, and AfterLoad or AfterRefresh."""
        return {**event, "expectations": len(work.flow.expectations), "used": self.used(event, transitions=3)}

    def _driver(self, work: Work) -> Driver:
        return self._open(work.program.warehouses[work.flow.warehouse], self.services)

    def _document(self, staging: Staging, work: Work, name: str) -> dict[str, Any]:
        prepared = staging.read(work.table.dataset, name)
        if prepared is None:
            raise DefinitionError(f"what was prepared for {work.table.dataset} is gone", place=work.flow.id)
        return prepared


def _tolerated(work: Work, results: Sequence[CheckResult], rejected: int, unread: int) -> None:
    """Raises DefinitionError when more rows would be set aside than the program tolerates; unread: those that collect rejected."""
    tolerance, rows = work.flow.bad_rows, unread + (results[0].rows if results else 0)
    if tolerance is None or tolerance.allow(rejected, rows):
        return
    failing = ", ".join(f"{result.name} {result.failing}" for result in results if result.failing and result.action == "QUARANTINE")
    failing += f"; {unread} could not be read" if unread else ""
    raise DefinitionError(
        f"{rejected} of {rows} rows would be set aside ({failing}), and TOLERATE {tolerance} allows fewer",
        place=work.place,
        remedy="mend the data at its source, or tolerate more; the batch is tried again",
    )
