"""What a slice's state machine accepts: `{}`, a flow, a flow's backfill, or one batch; and which batches that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_metadata.errors import InputError
from shared_metadata.intervals import Interval, from_text, split, to_text
from shared_metadata.program import Flow, Program
from shared_metadata.reader import MetadataReader
from shared_metadata.schedule import due_batches

ACCEPTED = (
    'accepted are {} (all that is due), {"flow": "<name>"} (what is due of one flow), '
    '{"flow": "<name>", "from": "<moment>", "to": "<moment>"} (run these batches again), and, from the conductor, '
    '{"flow", "start", "end", "datasets"}; moments are ISO 8601, UTC, e.g. "2026-11-23T00:00:00Z"'
)
FIELDS = {"flow", "from", "to", "start", "end", "datasets", "rerun"}
MAX_BATCHES = 1000


@dataclass(frozen=True)
class Wanted:
    """One batch to run: the tables of it, and whether they are run again though committed."""

    flow: Flow
    interval: Interval
    datasets: tuple[str, ...]
    rerun: bool

    def to_input(self) -> dict[str, Any]:
        """The state machine input that means exactly this batch."""
        return {
            "flow": self.flow.id,
            "start": to_text(self.interval.start),
            "end": to_text(self.interval.end),
            "datasets": list(self.datasets),
            "rerun": self.rerun,
        }


def resolve(event: Mapping[str, Any], program: Program, reader: MetadataReader, slice_id: str, now: datetime) -> list[Wanted]:
    """The batches that `event` asks for, oldest first. Raises InputError, which says what is accepted."""
    if not isinstance(event, Mapping):
        raise _refused("it is not a JSON object")
    unknown = sorted(set(event) - FIELDS)
    if unknown:
        raise _refused(f"unknown field {unknown[0]!r}")
    if "flow" not in event:
        if event:
            raise _refused(f"{', '.join(sorted(event))} without a flow")
        return _due([f for f in program.flows.values() if f.slice_id == slice_id], program, reader, now)
    flow = _flow(event["flow"], program, slice_id)
    if "start" in event or "end" in event:
        return [_one(event, flow)]
    if "from" in event or "to" in event:
        return _backfill(event, flow, now)
    return _due([flow], program, reader, now)


def _flow(name: Any, program: Program, slice_id: str) -> Flow:
    """A flow of this slice; 'lake.ops.flights' also finds this slice's 'lake.ops.flights:load'."""
    mine = {f.id: f for f in program.flows.values() if f.slice_id == slice_id}
    for candidate in (name, f"{name}:load", f"{name}:result"):
        if candidate in mine:
            return mine[candidate]
    raise _refused(f"the active program has no flow {name!r} for {slice_id}; it has {', '.join(sorted(mine)) or 'none'}")


def _one(event: Mapping[str, Any], flow: Flow) -> Wanted:
    interval = Interval(_moment(event, "start"), _moment(event, "end"))
    if interval.start >= interval.end:
        raise _refused("start is not before end")
    known = tuple(table.dataset for table in flow.tables)
    datasets = tuple(event.get("datasets") or known)
    strange = sorted(set(datasets) - set(known))
    if strange:
        raise _refused(f"{flow.id} has no dataset {strange[0]!r}")
    return Wanted(flow, interval, datasets, bool(event.get("rerun", False)))


def _backfill(event: Mapping[str, Any], flow: Flow, now: datetime) -> list[Wanted]:
    start, end = _moment(event, "from"), _moment(event, "to")
    if end > now:
        raise _refused(f"to lies in the future; now is {to_text(now)}")
    intervals = split(start, end, flow.interval_seconds)
    if not intervals:
        raise _refused(f"between from and to lies no whole batch of {flow.interval_seconds} seconds")
    if len(intervals) > MAX_BATCHES:
        raise _refused(f"{len(intervals)} batches are more than the {MAX_BATCHES} that one execution may run")
    datasets = tuple(table.dataset for table in flow.tables)
    return [Wanted(flow, interval, datasets, True) for interval in intervals]


def _due(flows: list[Flow], program: Program, reader: MetadataReader, now: datetime) -> list[Wanted]:
    states = reader.flow_states(sorted({name for name in program.flows}))
    wanted = {flow.id for flow in flows}
    due = due_batches(program, states, now, ignore_failures=True)
    return [Wanted(program.flows[b.flow], b.interval, b.datasets, False) for b in due if b.flow in wanted]


def _moment(event: Mapping[str, Any], name: str) -> datetime:
    if not isinstance(event.get(name), str):
        raise _refused(f"{name} is missing or not a text")
    try:
        return from_text(event[name])
    except ValueError:
        raise _refused(f"{name} is not a moment: {event[name]!r}") from None


def _refused(why: str) -> InputError:
    return InputError(f"the input is refused: {why}", remedy=ACCEPTED)
