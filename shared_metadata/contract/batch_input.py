"""What a slice's state machine accepts: `{}`, a flow, a flow's backfill, or one batch; and which batches that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Program
from shared_metadata.program.intervals import Interval, ceil, covered, from_text, next_interval, to_text
from shared_metadata.state.parts import TABLES_A_PART, input_of, parts
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.timeline import Programs
from shared_metadata.store.reader import MetadataReader

ACCEPTED = (
    'accepted are {} (all that is due), {"flow": "<name>"} (what is due of one flow), '
    '{"flow": "<name>", "from": "<moment>", "to": "<moment>"} (run these batches again), and, from the conductor, '
    '{"flow", "start", "end", "datasets" or "part", "again"}; moments are ISO 8601, UTC, e.g. "2026-11-23T00:00:00Z"'
)
FIELDS = {"flow", "from", "to", "start", "end", "datasets", "part", "rerun", "again"}
SHOWN_CHARACTERS = 100
MAX_BATCHES = 1000


@dataclass(frozen=True)
class BatchRequest:
    """One batch to run: the tables of it, at most those of a part of its flow, and whether they are run again though committed.

    named: how an input of the state machine names the tables: not at all where they are every table of the flow.
    program: of the batch, and `entry` its number in the timeline.  again_until: as in Claim.
    moved: where the tables stand has to be stored first.  restated: as in DatasetProgress.
    """

    flow: Flow
    interval: Interval
    datasets: tuple[str, ...]
    named: Mapping[str, Any]
    rerun: bool
    program: Program
    entry: int
    again_until: datetime | None = None
    moved: bool = False
    restated: int = 0

    def to_input(self) -> dict[str, Any]:
        """The state machine input that means exactly this batch."""
        return {
            "flow": self.flow.id,
            "start": to_text(self.interval.start),
            "end": to_text(self.interval.end),
            **self.named,
            "rerun": self.rerun,
            **({"again": True} if self.again_until else {}),
        }


def resolve(event: Mapping[str, Any], programs: Programs, reader: MetadataReader, slice_id: str, now: datetime) -> list[BatchRequest]:
    """The batches that `event` asks for, oldest first, each with the program of its start. Raises InputError, which says what is
    accepted."""
    if not isinstance(event, Mapping):
        raise _refused("it is not a JSON object")
    unknown = sorted(set(event) - FIELDS)
    if unknown:
        raise _refused(f"unknown field {_shown(unknown[0])}")
    if "flow" not in event:
        if event:
            raise _refused(f"{', '.join(sorted(event))} without a flow")
        return [wanted for wanted in _due(programs, reader, now) if wanted.flow.slice_id == slice_id]
    name = _flow_id(event["flow"], programs, slice_id)
    if "start" in event or "end" in event:
        return _one(event, name, programs, reader, slice_id)
    if "from" in event or "to" in event:
        return _backfill(event, name, programs, reader, now)
    return [wanted for wanted in _due(programs, reader, now) if wanted.flow.id == name]


def _flow_id(name: Any, programs: Programs, slice_id: str) -> str:
    """A flow of this slice; 'lake.ops.flights' also finds this slice's 'lake.ops.flights:load'."""
    mine = {flow.id for _, program in programs.entries for flow in program.flows.values() if flow.slice_id == slice_id}
    for candidate in (name, f"{name}:load", f"{name}:result"):
        if isinstance(name, str) and candidate in mine:
            return candidate
    raise _refused(f"the active program has no flow {_shown(name)} for {slice_id}; it has {', '.join(sorted(mine)) or 'none'}")


def _one(event: Mapping[str, Any], name: str, programs: Programs, reader: MetadataReader, slice_id: str) -> list[BatchRequest]:
    interval = Interval(_moment(event, "start"), _moment(event, "end"))
    if interval.start >= interval.end:
        raise _refused("start is not before end")
    flow, program, entry = _defined(name, programs, interval.start)
    if flow.slice_id != slice_id:
        raise _refused(f"at {to_text(interval.start)} {name} belongs to {flow.slice_id}")
    rerun, again, found = _flag(event, "rerun"), _flag(event, "again"), list[BatchRequest]()
    for named, datasets in _named(event, flow):
        again_until = _again_until(reader, name, datasets) if again else None
        restated = 0 if rerun else programs.restated(flow.id, interval.start)
        found.append(BatchRequest(flow, interval, datasets, named, rerun, program, entry, again_until, restated=restated))
    return found


def _flag(event: Mapping[str, Any], name: str) -> bool:
    given = event.get(name, False)
    if not isinstance(given, bool):
        raise _refused(f"{name} is {_shown(given)}, not true or false")
    return given


def _named(event: Mapping[str, Any], flow: Flow) -> list[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """The tables that an input names, part by part, and how. Raises InputError."""
    wanted, part, known = event.get("datasets"), event.get("part"), parts(flow)
    if wanted:
        names = {table.dataset for table in flow.tables}
        listed = wanted if isinstance(wanted, list | tuple) else [wanted]
        strange = [dataset for dataset in listed if not isinstance(dataset, str) or dataset not in names]
        if strange:
            raise _refused(f"{flow.id} has no dataset {_shown(strange[0])}")
        listed = list(dict.fromkeys(listed))
        some = [tuple(listed[at : at + TABLES_A_PART]) for at in range(0, len(listed), TABLES_A_PART)]
        return [({"datasets": list(datasets)}, datasets) for datasets in some]
    if part is None:
        return [(input_of(flow, number), datasets) for number, datasets in enumerate(known)]
    if not isinstance(part, int) or not 0 <= part < len(known):
        raise _refused(f"{flow.id} has no part {_shown(part)}; it has {len(known)}, the first of which is 0")
    return [(input_of(flow, part), known[part])]


def _defined(name: str, programs: Programs, start: datetime) -> tuple[Flow, Program, int]:
    """A flow as the program says that runs its batch which starts then."""
    found = programs.with_flow(name, start)
    assert found is not None  # `name` is a flow of one of them
    entry, program = found
    return program.flows[name], program, entry.number


def _again_until(reader: MetadataReader, name: str, datasets: tuple[str, ...]) -> datetime | None:
    tables = reader.states_of({name: datasets})[name].tables
    return max((moment for table in tables.values() if (moment := table.again_until)), default=None)


def _backfill(event: Mapping[str, Any], name: str, programs: Programs, reader: MetadataReader, now: datetime) -> list[BatchRequest]:
    """Each batch by the program of its time, so that it reads and makes what fits the batches around it."""
    start, end = _moment(event, "from"), _moment(event, "to")
    if end > now:
        raise _refused(f"to lies in the future; now is {to_text(now)}")
    found: list[BatchRequest] = []
    recorded = _recorded(reader, name, start, end)
    while start < end and len(found) <= MAX_BATCHES:
        seconds = _defined(name, programs, start)[0].interval_seconds
        start = ceil(start, seconds)
        interval = _as_made(next_interval(start, seconds), seconds, recorded, end)
        if interval.end > end:
            break
        flow, program, entry = _defined(name, programs, interval.start)
        some = enumerate(parts(flow))
        found += (BatchRequest(flow, interval, names, input_of(flow, number), True, program, entry) for number, names in some)
        start = interval.end
    if not found:
        seconds = _defined(name, programs, start)[0].interval_seconds
        raise _refused(f"between from and to lies no whole batch of {seconds} seconds")
    if len(found) > MAX_BATCHES:
        raise _refused(f"these are more than the {MAX_BATCHES} batches that one execution may run")
    return found


def _recorded(reader: MetadataReader, flow: str, start: datetime, end: datetime) -> dict[datetime, Interval]:
    """The batches that were made of a time, by their starts, with the one that it begins in."""
    before = reader.batch_before(flow, start)
    return {made.start: made for made in (before, *reader.batches_between(flow, start, end)) if made}


def _as_made(interval: Interval, seconds: int, recorded: Mapping[datetime, Interval], upto: datetime) -> Interval:
    """The batch as it was made, where it was made of several intervals. Raises InputError for a part of such a one."""
    start = interval.start
    made = recorded.get(start) or max((known for known in recorded.values() if known.start < start < known.end), default=interval)
    if covered(made, seconds) == 1:
        return interval
    if made.start < start or made.end > upto:
        cut = to_text(start if made.start < start else upto)
        why = f"{cut} lies inside of the batch {made}, in which {covered(made, seconds)} intervals were made as one"
        raise _refused(f"{why}: take all of it")
    return made


def _due(programs: Programs, reader: MetadataReader, now: datetime) -> list[BatchRequest]:
    due = due_batches(programs, reader.flow_states(programs.flow_ids, programs), now, ignore_failures=True)
    return [_wanted(batch, programs) for batch in due]


def _wanted(batch: DueBatch, programs: Programs) -> BatchRequest:
    flow, program, entry = _defined(batch.flow, programs, batch.interval.start)
    wanted = BatchRequest(flow, batch.interval, batch.datasets, batch.named, False, program, entry, batch.again_until)
    return replace(wanted, moved=batch.advanced, restated=batch.restated)


def _moment(event: Mapping[str, Any], name: str) -> datetime:
    if not isinstance(event.get(name), str):
        raise _refused(f"{name} is missing or not a text")
    try:
        return from_text(event[name])
    except ValueError:
        raise _refused(f"{name} is not a moment: {_shown(event[name])}") from None


def _shown(value: Any) -> str:
    """The value, shortened for an error message."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _refused(why: str) -> InputError:
    return InputError(f"the input is refused: {why}", remedy=ACCEPTED)
