"""Puts a stored program into the timeline: finds the moment at which it takes effect, and brings a former one back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared_metadata.errors import InputError
from shared_metadata.program import Program
from shared_metadata.program.intervals import to_text
from shared_metadata.state.boundary import intervals_of
from shared_metadata.state.effect import (
    Effect,
    FlowProgress,
    chosen_boundary,
    natural_effect,
    possible_restatement,
    restatement,
    stands_still,
)
from shared_metadata.state.entries import BEGINNING, Entry, Timeline
from shared_metadata.state.records import FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store.reader import MetadataReader

if TYPE_CHECKING:
    from shared_metadata.store.writer import MetadataWriter


@dataclass(frozen=True)
class EffectiveAt:
    """The moment at which a program would take effect, and its consequences.

    timeline: as it was read; it must not have changed when the program is put into it.
    affected: the flows that change and their readers, in either program.
    still: those of them that stopped or fail before the boundary and stay so, unless reprocessed from an earlier one.
    still_since: that earlier one.
    """

    timeline: Timeline
    effect: Effect
    affected: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    still_since: datetime | None = None


def moment_of(
    reader: MetadataReader, program: Program, now: datetime, *, at: datetime | None = None, restate_from: datetime | None = None
) -> EffectiveAt:
    """Decides when `program` takes effect if it is applied now: at once where it is the first.

    at: a boundary of the user's choice.  restate_from: the boundary lies in the past, and the batches since are reprocessed.
    Raises InputError for a moment at which it cannot, or while another update set is pending.
    """
    timeline = reader.timeline()
    if not timeline.entries:
        return EffectiveAt(timeline, Effect(BEGINNING, soon=True), tuple(sorted(program.flows)))
    _refuse_pending(timeline, now)
    programs = reader.programs()
    progress = flow_progress(reader, {*programs.flow_ids, *program.flows})
    coming = max(now, programs.reached)
    if restate_from is not None:
        effect = restatement(programs, program, progress, restate_from, now)
    elif at is not None:
        effect = Effect(chosen_boundary(at, now, intervals_of(programs.affected_by(program, coming), programs.last, program)))
    else:
        effect = natural_effect(programs, program, progress, now)
    affected = programs.affected_by(program, effect.boundary if effect.restates else coming)
    still = stands_still(affected & programs.last.flows.keys(), progress, effect.boundary)
    first = min((progress[name].first for name in still), default=None)
    since = possible_restatement(programs, program, progress, first, now) if first else None
    return EffectiveAt(timeline, effect, tuple(sorted(affected)), tuple(still), since)


def switch_to(writer: MetadataWriter, program: Program, moment: EffectiveAt, *, by: str = "") -> Entry:
    """Puts a stored program into the timeline. Raises InputError, or RetryLater when another one was applied meanwhile."""
    return writer.schedule(program, moment.effect, expected=moment.timeline, by=by).entries[-1]


def former_program(reader: MetadataReader, now: datetime) -> Program:
    """The program before the active one. Raises InputError when there is none, or an update set is pending."""
    timeline = reader.timeline()
    _refuse_pending(timeline, now)
    former = timeline.former(now)
    if former is None:
        raise InputError("there is no former program", remedy="apply the program that you want")
    return reader.program(former.version)


def flow_progress(reader: MetadataReader, flows: Iterable[str]) -> dict[str, FlowProgress]:
    """The progress of those of these flows that have a state. Costs two reads for a hundred of them at most."""
    programs = reader.programs()
    states = reader.flow_states(sorted(flows), programs)
    still = {(name, table.watermark) for name, state in states.items() for table in state.tables.values() if not _moved(state)}
    begun = {name for name, _ in reader.batches_at(dict.fromkeys(still, ()))}
    return {name: progress_of(programs, state, _moved(state) or name in begun) for name, state in states.items() if state.tables}


def _moved(state: FlowState) -> bool:
    """Whether one of its tables left its start, or tried to."""
    return any(table.attempts or table.watermark != table.begins for table in state.tables.values())


def progress_of(programs: Programs, state: FlowState, ran: bool) -> FlowProgress:
    """The progress of a flow with this state.  ran: whether it ever ran a batch."""
    through = [programs.progress(state.flow, name, table).through for name, table in state.tables.items()]
    stopped = any(table.stopped or state.drifts(name) for name, table in state.tables.items())
    begins = max((table.begins for table in state.tables.values() if table.begins), default=None)
    failing = any(table.failures and not table.stopped for table in state.tables.values())
    return FlowProgress(min(through), max(through), ran, stopped, begins, failing)


def _refuse_pending(timeline: Timeline, now: datetime) -> None:
    pending = timeline.pending(now)
    if pending is not None:
        raise InputError(
            f"the update set {pending.version} is pending until {to_text(pending.boundary)}",
            remedy="look at it with `atoll plan --pending`; wait, or take it back with `atoll cancel`",
        )
