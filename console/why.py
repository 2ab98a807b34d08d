"""`atoll why`: finds the cause for which a dataset waits, following its inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

import click

from console.again import again
from console.nearest import unknown
from console.printable import printable
from console.target import json_option, open_target, profile_option
from console.wording import counted, waiting_for
from shared_metadata.errors import AtollError, split
from shared_metadata.notices.dead_letters import dead_remedy
from shared_metadata.notices.message import covering
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.intervals import covered, next_interval, to_text
from shared_metadata.state.effect import possible_restatement
from shared_metadata.state.records import Batch, FlowState, TableState
from shared_metadata.state.schedule import Waiting, due_batches
from shared_metadata.state.timeline import Programs
from shared_metadata.update_set.applying import progress_of

if TYPE_CHECKING:
    from shared_metadata.store.drift_records import DriftReader
    from shared_metadata.store.reader import MetadataReader


class Cause(IntEnum):
    """Causes by urgency. Of several inputs the most urgent is followed."""

    TIME = 0
    RUNNING = 1
    DUE = 2
    PENDING = 3
    NEVER_APPLIED = 4
    RETRY = 5
    STOPPED = 6
    QUIESCED = 7


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


BatchOf = Callable[[str, datetime, Collection[str]], Batch | None]


def why_of(dataset: str, programs: Programs | Program, states: Mapping[str, FlowState], batch_of: BatchOf, now: datetime) -> Why:
    """The cause for which a dataset waits, as the conductor sees it: also for batches that a former program has still to make.

    batch_of: (flow, start, datasets) ▸ the recorded batch, with these tables.
    """
    known = programs if isinstance(programs, Programs) else Programs.always(programs)
    return _Search(known, states, batch_of, now).of(dataset, ())


class _Search:
    """One search over the stored states."""

    def __init__(self, programs: Programs, states: Mapping[str, FlowState], batch_of: BatchOf, now: datetime) -> None:
        self._states, self._batch_of, self._now, self._programs = states, batch_of, now, programs
        self._active = programs.active(now)[1].producers()
        former = {name: flow for _, program in programs.entries for name, flow in program.producers().items()}
        self._makers = {**former, **self._active}
        self._waiting = Waiting(programs, states, now)
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
            batch = self._batch_of(flow.id, interval.start, [dataset])
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
        batch = self._batch_of(flow.id, interval.start, [dataset])
        worker = batch.running(dataset, self._now) if batch else None
        if worker:
            assert batch is not None
            what = f"is running its batch {batch.interval}{covering(covered(batch.interval, flow.interval_seconds))}"
            remedy = f"wait; if it takes long: {again(f'atoll logs {flow.id}')}"
            if found := worker.waits:
                what += f", which {waiting_for(found.what, found.step, to_text(found.since), to_text(found.next_look))}"
                remedy = "wait; if it takes long, look it up by its id in the console of the service that runs it"
            return self._why(Cause.RUNNING, dataset, table, what, remedy)
        if table.failures:
            return self._retried(dataset, table, "within a minute", f"if it stays so: {again('atoll logs conductor')}")
        due = due_batches(self._programs, self._states, self._now)
        interval = next((one.interval for one in due if one.flow == flow.id and dataset in one.datasets), interval)
        more = covering(covered(interval, flow.interval_seconds), ",")
        what = f"has its batch {interval}{more} due: the conductor starts it within a minute"
        return self._why(Cause.DUE, dataset, table, what, f"if it stays so: {again('atoll logs conductor')}")

    def _retried(self, dataset: str, table: TableState, when: str, remedy: str) -> Why:
        said, mends = split(table.error)
        what = f"failed ({counted(table.failures, 'time')} so far) and is tried again {when}: {said}"
        return self._why(Cause.RETRY, dataset, table, what, f"{mends}; {remedy}" if mends else remedy)

    def _why(self, cause: Cause, dataset: str, table: TableState, what: str, remedy: str = "") -> Why:
        return Why(cause, (dataset,), to_text(table.watermark), what.rstrip("."), remedy)


def _moment(moment: datetime) -> str:
    return to_text(moment.replace(microsecond=0))


@click.command(short_help="What a dataset is waiting for.")
@click.argument("dataset")
@profile_option
@json_option
def why(dataset: str, profile: str | None, as_json: bool) -> None:
    """What DATASET is waiting for, in a sentence: an input that is not complete, the time, a retry, an operator after too many
    failures, a drift of its source, `atoll apply`. It follows the inputs up to where the cause lies.

    \b
      atoll why lake.ops.airport_delays
      atoll why ops.published.airport_delays --json | jq -r .cause
    """
    target, now = open_target(profile), datetime.now(UTC)
    try:
        program = target.reader.active_program()
    except AtollError:
        if not _in_local_program(dataset):
            raise
        program = Program({}, {}, {})
    known = _known(dataset, program)
    if known is None:
        former = _former(dataset, target.reader, now) if program.flows else None
        found = former or _pending(dataset, target.reader, now) or _not_active(dataset, program)
    else:
        programs = target.reader.programs()
        states = target.reader.flow_states(programs.flow_ids, programs)
        found = why_of(known, programs, states, target.reader.batch, now)
        found = _with_drift(found, target.writer.drifts)
    if as_json:
        click.echo(json.dumps({**asdict(found), "cause": found.cause.name.lower(), "sentence": found.sentence}, indent=2))
        return
    found = printable(found)
    click.echo(found.sentence)
    if found.remedy:
        click.echo(f" help: {found.remedy}")


def _known(dataset: str, program: Program) -> str | None:
    """Finds a dataset by its own name, or by its flow's."""
    if dataset in program.producers():
        return dataset
    flow = program.flows.get(dataset)
    if flow and flow.kind == Kind.COLLECT and len(flow.tables) == 1:
        return flow.tables[0].dataset
    return None


def _former(dataset: str, reader: MetadataReader, now: datetime) -> Why | None:
    """The answer for a dataset that only a former program makes, and that its readers still wait for."""
    programs = reader.programs()
    past = [program.producers() for entry, program in programs.entries if entry.boundary <= now]
    made = [makers[dataset].id for makers in past if dataset in makers]
    states = reader.flow_states(programs.flow_ids, programs) if made else {}
    state = states[made[-1]].tables.get(dataset) if made and made[-1] in states else None
    if state is None or programs.is_over(made[-1], dataset, state):
        return None
    return why_of(dataset, programs, states, reader.batch, now)


def _pending(dataset: str, reader: MetadataReader, now: datetime) -> Why | None:
    """The answer for a dataset that only the pending update set makes."""
    entry = reader.timeline().pending(now)
    if entry is None or dataset not in reader.program(entry.version).producers():
        return None
    what = f"is made by the pending update set, which takes effect at {to_text(entry.boundary)}"
    return Why(Cause.PENDING, (dataset,), "", what, f"wait, or see it with `{again('atoll plan --pending')}`")


def _not_active(dataset: str, program: Program) -> Why:
    if _in_local_program(dataset):
        remedy = f"{again('atoll plan')}, then {again('atoll apply')}"
        return Why(Cause.NEVER_APPLIED, (dataset,), "", "is in the program here, which was never applied", remedy)
    raise unknown("the active program has no dataset", dataset, program.producers())


def _in_local_program(dataset: str) -> bool:
    """Whether the program of this folder makes it; a folder without a program that compiles makes nothing."""
    from console.project import compile_files
    from language import ProgramErrors

    try:
        return dataset in compile_files([]).producers()
    except (AtollError, ProgramErrors):
        return False


def _with_drift(found: Why, drifts: DriftReader) -> Why:
    """The sentence with the drift's change."""
    if not found.drift:
        return found
    from shared_metadata.notices.drift import what_happened

    drift = drifts.drift(found.drift)
    if drift is None:
        return found
    return Why(**{**vars(found), "what": f"{found.what}: {what_happened(drift.change)}"})
