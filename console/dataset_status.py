"""The status of every dataset, out of the metadata: progress, freshness, size, cost and worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared_metadata.drift.changes import readers
from shared_metadata.program import Flow, Kind, Program, Table
from shared_metadata.program.intervals import ceil, count, covered, from_text, next_interval, to_text
from shared_metadata.state.places import TakenPlaces
from shared_metadata.state.records import Batch, LastChange, TableState
from shared_metadata.state.schedule import Waiting

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader

GRACE_SECONDS = 120  # a batch shorter than this is not late before


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset. rows: of the whole table, or of the last batch where only that is known; batches: the complete ones of the last 24
    hours; last_batch_…: of the last batch with a change; its skew and dollars as shared_metadata/costs.py has them.
    last_batch_rejected: the rows that it rejected.
    fresh_within_seconds: the promise of FRESH WITHIN; 0 for none.

    state: 'current' | 'new' (no batch of it was made yet) | 'late' | 'failing' (tried again at retry_at) | 'stopped' (waits for an
        operator) | 'quiesced' (by drifts).
    running: the execution of its next batch, or ''.  running_covers: how many intervals that batch covers.
    elsewhere: what that batch waits for, e.g. 'Athena query 7f…', or ''; elsewhere_step, …_since, …_next_look: in which step, since
        when, and when the step is called again.
    attempts: failed ones at its next batch, since it was begun or redriven.
    waits_for: inputs that are not yet complete through the end of its next batch.
    waits_for_place_in, taken_by: the warehouse for a place in which its batch waits, and the datasets that have its places.
    stopped_at, execution, waiting: of a dead letter: since when, who tried last, and the datasets that wait for it.
    """

    dataset: str
    flow: str
    kind: str
    state: str
    complete_through: str
    freshness_seconds: int
    next_batch_end: str
    rows: int
    batches: int
    last_batch_rows: int
    last_batch_rejected: int
    last_batch_seconds: float
    last_batch_skew: float
    last_batch_dollars: float
    attempts: int
    retry_at: str
    error: str
    waits_for: tuple[str, ...] = ()
    drifts: tuple[int, ...] = ()
    fresh_within_seconds: int = 0
    stopped_at: str = ""
    execution: str = ""
    waiting: tuple[str, ...] = ()
    running: str = ""
    running_covers: int = 0
    elsewhere: str = ""
    elsewhere_step: str = ""
    elsewhere_since: str = ""
    elsewhere_next_look: str = ""
    waits_for_place_in: str = ""
    taken_by: tuple[str, ...] = ()

    @property
    def breaks_promise(self) -> bool:
        """Whether it is older than its FRESH WITHIN, whatever its state."""
        return 0 < self.fresh_within_seconds < self.freshness_seconds


def dataset_statuses(reader: MetadataReader, program: Program, now: datetime) -> list[DatasetStatus]:
    """The status of every dataset of the program, in the order of its text.

    It costs one read for 100 flows, several at a time, and another for 100 of those whose next batch is over.
    """
    return statuses_of(reader, program, in_order(program), now)


def in_order(program: Program) -> list[str]:
    """All datasets in the order of the program's statements, inputs first; a stored program is sorted by name."""
    kinds = list(Kind)
    flows = sorted(program.flows.values(), key=lambda f: (f.position.file, f.position.line, f.position.column, kinds.index(f.kind)))
    return [table.dataset for flow in flows for table in flow.tables]


def statuses_of(reader: MetadataReader, program: Program, datasets: list[str], now: datetime) -> list[DatasetStatus]:
    programs = reader.programs()
    flow_states = reader.flow_states(programs.flow_ids, programs)
    states = {name: table for s in flow_states.values() for name, table in s.tables.items()}
    waiting = Waiting(programs, flow_states, now)
    producers = program.producers
    tables = {table.dataset: table for flow in program.flows.values() for table in flow.tables}
    found = [_status(producers[name], tables[name], states[name], waiting, now) for name in datasets if name in states]
    known = _with_workers(reader, program, [_held(one, states[one.dataset], program) for one in found], now)
    places = TakenPlaces(programs, flow_states, reader.batches_at, now)
    return [_without_place(one, places) if _is_due(one, now) else one for one in known]


def _with_workers(reader: MetadataReader, program: Program, found: list[DatasetStatus], now: datetime) -> list[DatasetStatus]:
    """Adds the workers, asked for only where the next batch is over, since no other can run."""
    wanted: dict[tuple[str, datetime], list[str]] = {}
    for one in found:
        if from_text(one.next_batch_end) <= now:
            wanted.setdefault((one.flow, from_text(one.complete_through)), []).append(one.dataset)
    batches = reader.batches_at(wanted) if wanted else {}
    return [_with_worker(one, program, batches.get((one.flow, from_text(one.complete_through))), now) for one in found]


def _with_worker(status: DatasetStatus, program: Program, batch: Batch | None, now: datetime) -> DatasetStatus:
    worker = batch.running(status.dataset, now) if batch else None
    if batch is None or worker is None:
        return status
    covers = covered(batch.interval, program.flows[status.flow].interval_seconds)
    found = replace(status, running=worker.owner, running_covers=covers)
    if (waits := worker.waits) is None:
        return found
    since, next_look = to_text(waits.since), to_text(waits.next_look)
    return replace(found, elsewhere=waits.what, elsewhere_step=waits.step, elsewhere_since=since, elsewhere_next_look=next_look)


def _is_due(status: DatasetStatus, now: datetime) -> bool:
    """Whether nothing but the conductor has to begin its next batch."""
    held = status.running or status.waits_for or status.state in ("stopped", "quiesced")
    return not held and from_text(status.next_batch_end) <= now and (not status.retry_at or from_text(status.retry_at) <= now)


def _without_place(status: DatasetStatus, places: TakenPlaces) -> DatasetStatus:
    taken = places.of(status.flow, status.dataset)
    return replace(status, waits_for_place_in=taken.warehouse, taken_by=taken.by) if taken else status


def _held(status: DatasetStatus, state: TableState, program: Program) -> DatasetStatus:
    """Adds the causes that hold a dataset up beside the time and its inputs."""
    if state.drifts:
        return replace(status, state="quiesced", drifts=state.drifts)
    if not state.stopped:
        return status
    letter, waiting = state.dead_letter, tuple(sorted(readers(program, [status.dataset]) - {status.dataset}))
    at, execution = (to_text(letter.at.replace(microsecond=0)), letter.execution) if letter else ("", "")
    return replace(status, stopped_at=at, execution=execution, waiting=waiting)


def _status(flow: Flow, table: Table, state: TableState, waiting: Waiting, now: datetime) -> DatasetStatus:
    name = table.dataset
    last = state.last or LastChange()
    end = next_interval(state.watermark, flow.interval_seconds).end
    return DatasetStatus(
        dataset=name,
        flow=flow.id,
        kind=flow.kind.value,
        state=state_word(flow, state, now),
        complete_through=to_text(state.watermark),
        freshness_seconds=int((now - state.watermark).total_seconds()),
        next_batch_end=to_text(end),
        rows=last.total,
        batches=_complete_since(now - timedelta(days=1), state, flow.interval_seconds),
        last_batch_rows=last.rows,
        last_batch_rejected=last.rejected,
        last_batch_seconds=last.seconds,
        last_batch_skew=last.skew,
        last_batch_dollars=last.dollars,
        attempts=state.failures,
        retry_at=to_text(state.retry_at.replace(microsecond=0)) if state.retry_at and not state.stopped else "",
        error=state.error if state.failures else "",
        waits_for=waiting.of(flow.id, name) if table.inputs and end <= now else (),
        fresh_within_seconds=flow.fresh_within_seconds,
    )


def _complete_since(since: datetime, state: TableState, length: int) -> int:
    """The number of its complete batches that start then or later."""
    first = max(ceil(since, length), state.begins or since)
    return count(first, state.watermark, length) if first < state.watermark else 0


def state_word(flow: Flow, state: TableState, now: datetime) -> str:
    """The word for its state: late by FRESH WITHIN, or because a batch did not follow within the length of another."""
    if state.failures:
        return "stopped" if state.stopped else "failing"
    if flow.fresh_within_seconds and (now - state.watermark).total_seconds() > flow.fresh_within_seconds:
        return "late"
    lag = (now - next_interval(state.watermark, flow.interval_seconds).end).total_seconds()
    if lag > max(flow.interval_seconds, GRACE_SECONDS):
        return "late"
    return "new" if state.last is None and state.watermark == state.begins else "current"
