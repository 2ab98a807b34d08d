"""The records of the metadata layer as plain frozen dataclasses; moments are aware UTC datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema

MAX_ATTEMPTS = 5  # after these a batch is a dead letter, and waits for an operator


class TableStatus(StrEnum):
    """The progress of one table of a batch; a table without a record is running, or waits."""

    COMMITTED = "COMMITTED"
    FAILED = "FAILED"


class EventKind(StrEnum):
    BATCH_COMPLETED = "batch completed"
    BATCH_FAILED = "batch failed"
    BATCH_LOST = "batch lost"  # its execution ended without recording an outcome
    SCHEMA_CHANGED = "schema changed"
    EXPECTATION_FAILED = "expectation failed"
    PROGRAM_ACTIVATED = "program activated"  # applied; its boundary may lie in the future
    UPDATE_SET_CANCELLED = "update set cancelled"
    FLOW_QUIESCED = "flow quiesced"
    DATASET_LATE = "dataset late"
    FLOW_RESUMED = "flow resumed"
    SOURCE_CHANGED = "source changed"
    STATE_REPAIRED = "state repaired"
    BATCH_DEAD = "batch dead"  # it failed too often to be tried again automatically
    BATCH_REDRIVEN = "batch redriven"


@dataclass(frozen=True)
class DeadLetter:
    """A batch that is not tried again automatically; its table's state holds the cause.

    at: its last attempt failed then.  execution: who made that attempt, an ARN or a request's id; '' where that is not known.
    told_at: when the notification was sent.
    """

    at: datetime
    execution: str = ""
    told_at: datetime | None = None


@dataclass(frozen=True)
class LastChange:
    """The last batch that changed a dataset, kept in the dataset's state so that no reader has to search for it.

    total: the rows of the whole table, or of the batch where only those are known.  skew, dollars: as in `costs`.  beyond: for how
    many batches more its steps are tasks (contract/tasks).
    """

    total: int = 0
    rows: int = 0
    rejected: int = 0
    seconds: float = 0.0
    skew: float = 1.0
    dollars: float = 0.0
    beyond: int = 0


@dataclass(frozen=True)
class Quiesce:
    """The quiescing of a dataset. since: its watermark when it stopped.  program: the version under which that was decided."""

    drift: int
    since: datetime
    program: str


@dataclass(frozen=True)
class TableState:
    """The state of one dataset of a flow.

    watermark: it is complete up to here.  cursor: the slice's own mark, JSON text or ''.
    attempts: failed attempts at the batch that starts at the watermark.  retry_at: not before this moment.
    entry: the number of the timeline's entry whose program moved the watermark last; 0 for none.
    again_until: batches that start before this moment were made before, by an earlier program version.
    begins: its first batch started then; None where that was not recorded.
    forgiven: how many attempts do not count, since an operator has redriven the batch; `attempts` itself only rises,
    because it names the batch's executions.
    last: None where no batch has changed it yet.
    skipped: batches of several intervals that changed it, oldest first: inside of them it has no version. Those after the
    watermark are to be reprocessed as they were made.
    quiesced: why it stands still, by drift; empty where it does not.
    """

    watermark: datetime
    cursor: str = ""
    attempts: int = 0
    retry_at: datetime | None = None
    error: str = ""
    entry: int = 0
    again_until: datetime | None = None
    begins: datetime | None = None
    forgiven: int = 0
    dead_letter: DeadLetter | None = None
    last: LastChange | None = None
    skipped: tuple[Interval, ...] = ()
    quiesced: tuple[Quiesce, ...] = ()

    @property
    def failures(self) -> int:
        """Failed attempts since the batch was begun or redriven."""
        return self.attempts - self.forgiven

    @property
    def stopped(self) -> bool:
        """Whether it failed too often to be tried again automatically."""
        return self.failures >= MAX_ATTEMPTS

    @property
    def drifts(self) -> tuple[int, ...]:
        """The drifts that quiesce the dataset."""
        return tuple(mark.drift for mark in self.quiesced)


@dataclass(frozen=True)
class FlowState:
    """The states of a flow's datasets, each as of its read."""

    flow: str
    tables: Mapping[str, TableState]

    def drifts(self, dataset: str) -> tuple[int, ...]:
        """The drifts that quiesce a dataset."""
        return self.tables[dataset].drifts

    @property
    def judged_under(self) -> set[str]:
        """The programs under which datasets were quiesced; none where none is."""
        return {mark.program for table in self.tables.values() for mark in table.quiesced}


@dataclass(frozen=True)
class TableOutcome:
    """The outcome of one table of one batch.

    rejected: how many rows were set aside.  pointer, reads: those of the version that it made; None when it changed nothing.
    """

    status: TableStatus
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    schema_version: int = 0
    error: str = ""
    token: int = 0
    rejected: int = 0
    pointer: Mapping[str, Any] | None = None
    reads: Mapping[str, str] = field(default_factory=dict)


def change_of(outcome: TableOutcome, skew: float = 1.0, dollars: float = 0.0, beyond: int = 0) -> LastChange | None:
    """The change made by a committed table's batch; None where it changed nothing."""
    if not outcome.rows and outcome.pointer is None:
        return None
    total = int(outcome.pointer.get("total_rows", outcome.rows)) if outcome.pointer is not None else 0
    return LastChange(total, outcome.rows, outcome.rejected, float(outcome.seconds), skew, dollars, beyond)


@dataclass(frozen=True)
class Moved:
    """A dataset's state after a batch moved its watermark from its start to its end: TableState's cursor and entry."""

    cursor: str
    entry: int


@dataclass(frozen=True)
class Claim:
    """The right to run tables of a batch: for each, only the worker with the last claim may commit; its token is the highest.

    datasets: the tables still to be committed.  rerun: the batch lies behind the watermark (a backfill).
    entry: the number of the timeline's entry that the batch belongs to.
    again_until: batches that start before this moment were made before, by an earlier program version; None for none.
    intervals: how many intervals of its flow the batch covers: more than one for missed batches.
    """

    flow: str
    interval: Interval
    token: int
    datasets: tuple[str, ...]
    program_version: str
    rerun: bool = False
    entry: int = 0
    again_until: datetime | None = None
    intervals: int = 1

    @property
    def again(self) -> bool:
        """Whether later batches may stand in the warehouse already."""
        return self.rerun or (self.again_until is not None and self.interval.start < self.again_until)


@dataclass(frozen=True)
class Wait:
    """What a batch waits for elsewhere. what: with its id there.  step: the one that waits.  next_look: when it is called again."""

    what: str
    step: str
    since: datetime
    next_look: datetime


@dataclass(frozen=True)
class Worker:
    """The worker that runs one table of a batch, alone until `lease_until`. owner: an execution's ARN, or a request's id.

    waits: what it waits for while nothing runs; of a table in parts what the part that last looked waits for.
    """

    token: int
    owner: str
    lease_until: datetime
    waits: Wait | None = None


@dataclass(frozen=True)
class Batch:
    """One recorded batch with all its tables, or those that were asked for; token: the highest of their workers.

    pins: dataset ▸ input ▸ the end of the version to read, for inputs that may lag: a retry reads the same.
    moved: the datasets whose watermark it moved, also those of another flow that it completed as it was empty. A rerun leaves it.
    """

    flow: str
    interval: Interval
    token: int
    datasets: tuple[str, ...]
    program_version: str
    outcomes: Mapping[str, TableOutcome]
    workers: Mapping[str, Worker]
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    moved: Mapping[str, Moved] = field(default_factory=dict)

    def running(self, dataset: str, now: datetime) -> Worker | None:
        """The workers that run a table at this moment."""
        worker = self.workers.get(dataset)
        return worker if worker and dataset not in self.outcomes and worker.lease_until > now else None

    def begun(self, asked: Interval, program_version: str, until: datetime | None = None, restated: int = 0) -> Interval:
        """The interval of a further attempt: as this program has begun it, though more intervals may be missed by now.

        Where another of its tables is committed it may end after the requested interval: then it is not due yet. Otherwise it never
        does, because the requested interval is what can be read.  until: when the next program takes effect, beyond which it does not
        go.  restated: as in DatasetProgress; what an earlier entry of the timeline has made does not count.
        """
        if self.moved and max(moved.entry for moved in self.moved.values()) < restated:
            return asked
        if program_version != self.program_version or (until and self.interval.end > until):
            return asked
        committed = any(outcome.status == TableStatus.COMMITTED for outcome in self.outcomes.values())
        return self.interval if committed or self.interval.end < asked.end else asked

    @property
    def status(self) -> str:
        """'COMMITTED' | 'FAILED' | 'RUNNING'."""
        states = [self.outcomes[d].status if d in self.outcomes else None for d in self.datasets]
        if states and all(state == TableStatus.COMMITTED for state in states):
            return "COMMITTED"
        if states and None not in states:
            return "FAILED"
        return "RUNNING"


@dataclass(frozen=True)
class SchemaVersion:
    """A registered schema; never changes. `layout`: format, location, partitioning.

    signature: the table's in the program that made it (Table.signature).  origins: of each column the columns that its value is
    computed from, as 'dataset.column', as the compiler found them; empty for a program that was not typed.
    """

    dataset: str
    number: int
    schema: Schema
    layout: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""
    program_version: str = ""
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """The content of a dataset as of the end of one batch.

    pointer: its place: {'manifest': S3 key} for staged files and results, {'snapshot_id': …} for an Iceberg table.
    reads: the versions it was made from: dataset ▸ end of the version read.
    followed_by: of one that stays where those after it are forgotten, the interval of the first after it (aged.py).
    """

    dataset: str
    interval: Interval
    pointer: Mapping[str, Any]
    rows: int
    schema_version: int
    token: int
    reads: Mapping[str, str] = field(default_factory=dict)
    followed_by: Interval | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TableCommit:
    """The record of one table that a worker commits.

    pointer: None when the batch changed nothing: the former version stays the current one.
    schema: None when unchanged or unknown.  notes: {name, action, failing, rows} of each expectation that failed.
    signature: the table's in the program (Table.signature).  skew, used: see `costs`.  rejected: how many rows were set aside.
    statements: that ran elsewhere for it, each with its id in the service's own console, seconds and bytes.
    engine, why: which engine made its rows, and why that one, where it was a choice.  beyond: as in LastChange.
    """

    dataset: str
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cursor: str = ""
    pointer: Mapping[str, Any] | None = None
    schema: Schema | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Mapping[str, Any], ...] = ()
    signature: str = ""
    skew: float = 1.0
    used: Mapping[str, float] = field(default_factory=dict)
    rejected: int = 0
    statements: tuple[Mapping[str, Any], ...] = ()
    engine: str = ""
    why: str = ""
    beyond: int = 0


@dataclass(frozen=True)
class Event:
    """One data event; `detail` holds names and figures, never rows."""

    kind: EventKind
    at: datetime
    flow: str
    detail: Mapping[str, Any] = field(default_factory=dict)
