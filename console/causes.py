"""Finds the cause for which a dataset waits, following its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from console.again import again
from console.wording import counted, waiting_for, without_place
from shared_metadata.errors import split
from shared_metadata.notices.dead_letters import dead_remedy
from shared_metadata.notices.message import covering
from shared_metadata.program import Flow, Program
from shared_metadata.program.intervals import covered, next_interval, to_text
from shared_metadata.state.effect import possible_restatement
from shared_metadata.state.places import BatchesAt, TakenPlaces
from shared_metadata.state.records import Batch, FlowState, TableState
from shared_metadata.state.schedule import Waiting, due_batches
from shared_metadata.state.timeline import Programs
from shared_metadata.update_set.applying import progress_of


class Cause(IntEnum):
    """Causes by urgency. Of several inputs the most urgent is followed."""

    TIME = 0
    RUNNING = 1
    DUE = 2
    PLACE = 3
    PENDING = 4
    NEVER_APPLIED = 5
    RETRY = 6
    STOPPED = 7
    QUIESCED = 8


@dataclass(frozen=True)
class Why:
    """A cause. path: from the given dataset to the one with the cause.  what: the cause, a clause after its name."""

    cause: Cause
    path: tuple[str, ...]
    complete_through: str
    what: str
    remedy: str = ""
    drift: int = 0

    @property
    def sentence(self) -> str:
        waits = "".join(f" waits for {name}, which" for name in self.path[1:])
        return f"{self.path[0]}{waits} {self.what}."


def why_of(dataset: str, programs: Programs | Program, states: Mapping[str, FlowState], batches_at: BatchesAt, now: datetime) -> Why:
    """The cause for which a dataset waits, as the conductor sees it: also for batches that a former program has still to make.

    batches_at: (flow, start) ▸ the recorded batch, with the wanted tables: `MetadataReader.batches_at`.
    """
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Search(known, states, batches_at, now).of(dataset, ())


class _Search:
    """One search over the stored states."""

    def __init__(self, programs: Programs, states: Mapping[str, FlowState], batches_at: BatchesAt, now: datetime) -> None:
        self._states, self._batches_at, self._now, self._programs = states, batches_at, now, programs
        self._active = programs.active(now)[1].producers
        former = {name: flow for _, program in programs.entries for name, flow in program.producers.items()}
        self._makers = {**former, **self._active}
        self._waiting, self._places = Waiting(programs, states, now), TakenPlaces(programs, states, batches_at, now)
        self._found: dict[str, Why] = {}

    def of(self, dataset: str, before: tuple[str, ...]) -> Why:
        """Finds a dataset's cause. before: the datasets on the way here, since a program may read itself."""
        if dataset not in self._found:
            self._found[dataset] = self._cause(dataset, before)
        return self._found[dataset]

    def _cause(self, dataset: str, before: tuple[str, ...]) -> Why:
        flow = self._makers.get(dataset)
        state = self._states.get(flow.id) if flow else None
        if flow is None or state is None or dataset not in state.tables:
            return Why(Cause.NEVER_APPLIED, (dataset,), "", "was never applied", again("atoll apply"))
        table = state.tables[dataset]
        if drifts := state.drifts(dataset):
            return self._quiesced(dataset, table, drifts)
        if table.stopped:
            interval = next_interval(table.watermark, flow.interval_seconds)
            batch = self._batch(flow.id, interval.start, dataset)
            interval = batch.interval if batch else interval
            more, (said, mends) = covering(covered(interval, flow.interval_seconds)), split(table.error)
            taken_over = self._taken_over(flow, dataset, table)
            former = ", which a former program makes," if taken_over or dataset not in self._active else ""
            what = f"stopped after {counted(table.failures, 'failure')} of its batch {interval}{more}{former}: {said}"
            remedies = (mends, again(dead_remedy([dataset])), taken_over)
            return self._why(Cause.STOPPED, dataset, table, what, "; ".join(filter(None, remedies)))
        if table.retry_at and table.retry_at > self._now:
            waits = "" if split(table.error)[1] else "nothing, unless the error says so; "
            taken_over = self._taken_over(flow, dataset, table)
            remedy = "; ".join(filter(None, (f"{waits}at once: {again(f'atoll run {flow.id}')}", taken_over)))
            return self._retried(dataset, table, f"at {_moment(table.retry_at)}", remedy)
        return self._in_order(dataset, flow, table, before)

    def _batch(self, flow: str, start: datetime, dataset: str) -> Batch | None:
        return self._batches_at({(flow, start): [dataset]}).get((flow, start))

    def _taken_over(self, flow: Flow, dataset: str, table: TableState) -> str:
        """The command by which the program applied last makes the batch of an earlier one; '' where it does so anyway."""
        last, through = self._programs.last, table.watermark
        own = self._programs.progress(flow.id, dataset, table).program is last
        if own or flow.id not in self._programs.affected_by(last, through):
            return ""
        progress = {state.flow: progress_of(self._programs, state, True) for state in self._states.values() if state.tables}
        since = possible_restatement(self._programs, last, progress, through, self._now)
        if since is None:
            return ""
        pending = f"{again('atoll cancel')}, then " if self._programs.reached > self._now else ""
        command = f"{pending}{again('atoll apply', files=True)} --restate-from {to_text(since)}"
        return f"or have the present program make it: {command}"

    def _quiesced(self, dataset: str, table: TableState, drifts: tuple[int, ...]) -> Why:
        numbers = " and ".join(map(str, drifts))
        what = f"is quiesced by drift {numbers} since {to_text(table.watermark)}"
        why = self._why(Cause.QUIESCED, dataset, table, what, again(f"atoll drift show {drifts[0]}"))
        return Why(**{**vars(why), "drift": drifts[0]})

    def _in_order(self, dataset: str, flow: Flow, table: TableState, before: tuple[str, ...]) -> Why:
        """The answer where nothing is wrong with the dataset itself."""
        interval = next_interval(table.watermark, flow.interval_seconds)
        if interval.end > self._now:
            what = f"is complete through {to_text(table.watermark)}; its next batch ends at {to_text(interval.end)}"
            return self._why(Cause.TIME, dataset, table, what)
        behind = [name for name in self._waiting.of(flow.id, dataset) if name not in before]
        if behind:
            worst = max((self.of(name, (*before, dataset)) for name in behind), key=lambda why: why.cause)
            path = (dataset, *worst.path)
            return Why(worst.cause, path, to_text(table.watermark), worst.what, worst.remedy, worst.drift)
        batch = self._batch(flow.id, interval.start, dataset)
        worker = batch.running(dataset, self._now) if batch else None
        if worker:
            assert batch is not None
            what = f"is running its batch {batch.interval}{covering(covered(batch.interval, flow.interval_seconds))}"
            remedy = f"wait; if it takes long: {again(f'atoll logs {flow.id}')}"
            if found := worker.waits:
                what += f", which {waiting_for(found.what, found.step, to_text(found.since), to_text(found.next_look))}"
                remedy = "wait; if it takes long, look it up by its id in the console of the service that runs it"
            return self._why(Cause.RUNNING, dataset, table, what, remedy)
        taken, stays = self._places.of(flow.id, dataset), f"if it stays so: {again('atoll logs conductor')}"
        wait = f"wait; for more at once: `at_once` in CREATE WAREHOUSE {taken.warehouse}" if taken else stays
        if table.failures:
            return self._retried(dataset, table, f"when it has a place in {taken.warehouse}" if taken else "within a minute", wait)
        due = due_batches(self._programs, self._states, self._now)
        interval = next((one.interval for one in due if one.flow == flow.id and dataset in one.datasets), interval)
        more = covering(covered(interval, flow.interval_seconds), ",")
        if taken:
            what = f"has its batch {interval}{more} due, and {without_place(taken.warehouse, taken.by)}"
            return self._why(Cause.PLACE, dataset, table, what, wait)
        what = f"has its batch {interval}{more} due: the conductor starts it within a minute"
        return self._why(Cause.DUE, dataset, table, what, stays)

    def _retried(self, dataset: str, table: TableState, when: str, remedy: str) -> Why:
        said, mends = split(table.error)
        what = f"failed ({counted(table.failures, 'time')} so far) and is tried again {when}: {said}"
        return self._why(Cause.RETRY, dataset, table, what, f"{mends}; {remedy}" if mends else remedy)

    def _why(self, cause: Cause, dataset: str, table: TableState, what: str, remedy: str = "") -> Why:
        return Why(cause, (dataset,), to_text(table.watermark), what.rstrip("."), remedy)


def _moment(moment: datetime) -> str:
    return to_text(moment.replace(microsecond=0))
