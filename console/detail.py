"""The details of one dataset: its state, last batches, schema, versions read and failed expectations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from console.again import again
from console.dataset_status import DatasetStatus
from console.printable import printable
from console.status import COLOURS, troubles
from console.wording import age, counted, dollars, without_place
from shared_metadata import naming
from shared_metadata.contract.tasks.run import chooses
from shared_metadata.notices.message import covering
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.intervals import covered, to_text
from shared_metadata.state.records import Batch
from shared_metadata.store.aged import AgedBatches

if TYPE_CHECKING:
    from rich.console import Console

    from shared_metadata.store.reader import MetadataReader

BATCHES = 10
MAX_EVENTS_AGE = timedelta(days=1)  # events of all flows share their days: reading far back costs


@dataclass(frozen=True)
class BatchLine:
    """One batch of the dataset. owner: the execution that worked on it last.  intervals: how many it covers.

    elsewhere: what it waits for, while it runs.  engine, why: what computed it, and why, where that was a choice.
    statements: what ran elsewhere for it (`waiting.statements.Ran`).  unpriced: what it used of which there is no list price.

    status: 'COMMITTED' | 'FAILED' | 'RUNNING' | 'WAITING', for a statement elsewhere | 'LOST', when its worker's lease ended and
        nothing was recorded.
    """

    start: str
    end: str
    status: str
    rows: int
    seconds: float
    error: str
    owner: str
    rejected: int = 0
    intervals: int = 1
    elsewhere: str = ""
    engine: str = ""
    why: str = ""
    statements: tuple[Mapping[str, Any], ...] = ()
    unpriced: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetDetail:
    """A dataset's status and what belongs to it.

    reads: input ▸ the end of the version that the last batch read.  read_by: the datasets that read it.
    schema: column ▸ type.  warnings: expectations that failed during the batches shown, at most a day back.
    aged: how many older batches of its flow are recorded only in files, and where in the data bucket they lie.
    """

    status: DatasetStatus
    slice: str
    position: str
    batches: list[BatchLine]
    reads: Mapping[str, str]
    read_by: list[str]
    schema_version: int
    schema: Mapping[str, str]
    pointer: Mapping[str, Any]
    warnings: list[Mapping[str, Any]]
    aged: Mapping[str, Any]


def read_detail(reader: MetadataReader, program: Program, status: DatasetStatus, now: datetime) -> DatasetDetail:
    """Reads the details with five queries and a read, and one more where statements may have run elsewhere."""
    flow, name = program.flows[status.flow], status.dataset
    batches = reader.batches(flow.id, name, BATCHES)
    version, schema = reader.latest_version(name), reader.latest_schema(name)
    since = max(min((b.interval.start for b in batches), default=now), now - MAX_EVENTS_AGE)
    events = reader.failed_expectations(flow.id, since) if flow.expectations else []
    return DatasetDetail(
        status=status,
        slice=flow.slice_id,
        position=str(flow.position),
        batches=_with_statistics(reader, program, flow, name, [_line(batch, name, flow.interval_seconds, now) for batch in batches]),
        reads=version.reads if version else {},
        read_by=[t.dataset for f in program.flows.values() for t in f.tables if name in t.inputs],
        schema_version=schema.number if schema else 0,
        schema={c.name: c.type + ("" if c.nullable else " not null") for c in schema.schema.columns} if schema else {},
        pointer=version.pointer if version else {},
        warnings=[{"at": to_text(e.at), **e.detail} for e in events],
        aged=_aged(reader.aged_batches(flow.id), flow.id),
    )


def _with_statistics(reader: MetadataReader, program: Program, flow: Flow, name: str, lines: list[BatchLine]) -> list[BatchLine]:
    """The batches with what computed each, where a flow has the choice, and what ran elsewhere for it in a warehouse."""
    if flow.kind not in (Kind.LOAD, Kind.VIEW, Kind.RESULT) and not chooses(program, flow):
        return lines
    found = {str(one["sk"]).partition("#")[0]: one for one in reader.statistics(flow.id, BATCHES) if one["dataset"] == name}
    return [_with(line, found[line.start]) if line.start in found else line for line in lines]


def _with(line: BatchLine, told: Mapping[str, Any]) -> BatchLine:
    chosen = {"engine": told["engine"], "why": told["why"]} if "engine" in told else {}
    return replace(line, statements=tuple(told.get("statements", ())), unpriced=told.get("unpriced", {}), **chosen)


def _aged(aged: AgedBatches | None, flow: str) -> dict[str, Any]:
    if aged is None:
        return {"batches": 0}
    moments = {"first": to_text(aged.first), "through": to_text(aged.through)}
    return {"batches": aged.batches, **moments, "prefix": naming.history_prefix(flow)}


def _line(batch: Batch, name: str, seconds: int, now: datetime) -> BatchLine:
    outcome = batch.outcomes.get(name)
    interval = to_text(batch.interval.start), to_text(batch.interval.end)
    owner = batch.workers[name].owner if name in batch.workers else ""
    intervals = covered(batch.interval, seconds)
    if outcome is None:
        worker = batch.running(name, now)
        elsewhere = worker.waits.what if worker and worker.waits else ""
        word = "LOST" if worker is None else "WAITING" if elsewhere else "RUNNING"
        return BatchLine(*interval, word, 0, 0.0, "", owner, intervals=intervals, elsewhere=elsewhere)
    return BatchLine(
        *interval,
        outcome.status.value,
        outcome.rows,
        outcome.seconds,
        outcome.error,
        owner,
        outcome.rejected,
        intervals,
    )


def show_detail(detail: DatasetDetail) -> None:
    """Prints the details, one below the other."""
    from rich.console import Console

    console, detail = Console(highlight=False, markup=False, soft_wrap=True), printable(detail)
    status = detail.status
    doing = "waiting in" if status.elsewhere else "running"
    working = f", {doing} its batch{covering(status.running_covers)}" if status.running else ""
    console.print(f"{status.dataset}: {status.state}{working}", style=f"bold {COLOURS[status.state]}")
    facts = {
        "made by": f"{status.kind} flow {status.flow} of {detail.slice}, {detail.position}",
        "complete": f"through {status.complete_through}, {age(status.freshness_seconds)} ago",
        "next batch": _next(status),
        "tried by": status.execution,
        "rows": f"{status.rows:,}",
        "last batch": _last_batch(status),
        "set aside": _set_aside(status),
        "reads": ", ".join(f"{name} as of {end}" for name, end in detail.reads.items()),
        "read by": ", ".join(detail.read_by),
    }
    for name, fact in facts.items():
        if fact:
            console.print(f"  {name:<12}{fact}")
    for line in troubles(status):
        console.print(f"  {line}", style=COLOURS[status.state])
    _show_schema(console, detail)
    _show_batches(console, detail)
    for warning in detail.warnings:
        more = ", ".join(f"{k} {v}" for k, v in warning.items() if k not in ("at", "name", "token", "start", "dataset"))
        console.print(f"  expectation {warning.get('name')} failed at {warning['at']}: {more}", style="yellow")


def _next(status: DatasetStatus) -> str:
    if status.state == "stopped":
        return f"the one that ends at {status.next_batch_end}, when it is redriven: it is a dead letter" + (
            f" since {status.stopped_at}" if status.stopped_at else ""
        )
    if status.retry_at:
        return f"the one that ends at {status.next_batch_end}, again at {status.retry_at}"
    waits = f"waits for {', '.join(status.waits_for)}" if status.waits_for else ""
    if status.waits_for_place_in:
        waits = without_place(status.waits_for_place_in, status.taken_by)
    return "; ".join(filter(None, (f"ends at {status.next_batch_end}", waits)))


def _last_batch(status: DatasetStatus) -> str:
    """The figures of the last batch with a change; a batch in pieces of one size has a skew of 1."""
    if not status.last_batch_dollars:
        return ""
    uneven = f", its largest piece {status.last_batch_skew:g} times the mean" if status.last_batch_skew > 1 else ""
    return f"{status.last_batch_rows:,} rows, {status.last_batch_seconds:.1f} s, {dollars(status.last_batch_dollars)} $" + uneven


def _set_aside(status: DatasetStatus) -> str:
    if not status.last_batch_rejected:
        return ""
    look = again(f"atoll rejected {status.dataset.removesuffix(':result')}")
    return f"{counted(status.last_batch_rejected, 'row')} of the last batch: {look}"


def _show_schema(console: Console, detail: DatasetDetail) -> None:
    if detail.schema:
        console.print(f"  schema, version {detail.schema_version}")
        width = max(map(len, detail.schema)) + 2
        for column, kind in detail.schema.items():
            console.print(f"    {column:<{width}}{kind}")


def _show_batches(console: Console, detail: DatasetDetail) -> None:
    console.print("  last batches" if detail.batches else "  no batch yet")
    for batch in detail.batches:
        figures = f"{batch.rows:>12,} rows {batch.seconds:>8.1f} s" if batch.status == "COMMITTED" else ""
        figures += f"{batch.rejected:>12,} rejected" if batch.rejected else ""
        figures += f"  covers {counted(batch.intervals, 'batch')}" if batch.intervals > 1 else ""
        by = f"by {batch.owner}" if batch.status in ("RUNNING", "WAITING", "LOST") and batch.owner else ""
        by = f"for {batch.elsewhere}, {by}" if batch.elsewhere else by
        by = f"  {batch.engine}: {batch.why}" if batch.engine else by
        console.print(f"    {batch.start}  {batch.status:<10}{figures}{batch.error}{by}".rstrip())
        for statement in batch.statements:
            console.print(f"      {_statement(statement)}")
        if batch.unpriced:
            console.print(f"      no price is known of {_units(batch.unpriced)}; it is in no cost")
    if aged := detail.aged["batches"]:
        span = f"from {detail.aged['first']} through {detail.aged['through']}"
        console.print(
            f"    {counted(aged, 'older batch')} of its flow, {span}: Parquet below {detail.aged['prefix']} in the data bucket"
        )


def _statement(told: Mapping[str, Any]) -> str:
    """One that ran elsewhere: what it was for, how the service's console calls it, and what it took."""
    scanned, written, rows = told.get("bytes_scanned", 0), told.get("bytes_written", 0), told.get("rows")
    parts = [f"ran {told['run_seconds']:.1f} s"]
    parts += [f"queued {told['queue_seconds']:.1f} s"] if told["queue_seconds"] >= 0.05 else []
    parts += [f"scanned {scanned / 1e6:,.1f} MB"] if scanned else []
    parts += [f"wrote {written / 1e6:,.1f} MB"] if written else []
    parts += [counted(int(rows), "row")] if rows is not None else []
    uneven = {"data": told.get("data_skewness", 0), "time": told.get("time_skewness", 0)}
    parts += [f"skew of {what} {value}" for what, value in uneven.items() if value]
    parts += [f"about {_units(told['estimated'])}, as an estimate in no cost"] if told.get("estimated") else []
    return f"{told['purpose']:<12}{told.get('console_id') or told['id']}  {', '.join(parts)}"


def _units(used: Mapping[str, float]) -> str:
    return ", ".join(f"{number:,g} {kind}" for kind, number in used.items())
