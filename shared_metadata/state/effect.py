"""Finds the moment at which an update set takes effect: there, every batch of the changed flows and of their readers begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared_metadata.errors import InputError
from shared_metadata.program import Kind, Program
from shared_metadata.program.intervals import ceil, count, next_interval, to_text
from shared_metadata.state.boundary import intervals_of, is_common, last_common, longest, next_common, with_readers
from shared_metadata.state.records import TableState
from shared_metadata.state.timeline import Programs

MOST_AGAIN = 100  # batches of a flow that a takeover makes again without being asked


@dataclass(frozen=True)
class FlowProgress:
    """A flow's progress: its tables are complete through `first` to `last`; whether it ever ran a batch, and whether it stopped.

    begins: the start of its first batch, where that is known.  failing: its last attempt failed, and it is tried again automatically.
    """

    first: datetime
    last: datetime
    ran: bool
    stopped: bool = False
    begins: datetime | None = None
    failing: bool = False


@dataclass(frozen=True)
class Effect:
    """The time and manner in which an update set takes effect.

    restates: its flows' batches since the boundary are reprocessed.
    soon: new datasets need not begin at the boundary: nothing but them is affected.
    earlier: flows that began after the boundary, and are to begin there.
    """

    boundary: datetime
    restates: bool = False
    soon: bool = False
    earlier: frozenset[str] = frozenset()


def natural_effect(programs: Programs, new: Program, progress: Mapping[str, FlowProgress], now: datetime) -> Effect:
    """The effect of an update set applied after these programs, without a moment of the user's choice.

    It comes at the next common boundary of all affected flows; but at once where there is nothing to wait for: where all affected
    flows are new, never ran a batch, or stand still because something in them fails. Those that stand still are taken over from the
    last common boundary before; the few batches made since then are reprocessed, also one that is at work just now.
    progress: of all flows of these programs and of the new one that have a state.
    """
    old, earliest = programs.last, programs.reached
    affected = programs.affected_by(new, max(now, earliest))
    known = _known(programs, affected, progress)
    returns = any(name in progress and name not in old.flows for name in affected)  # what it was to make before may still be due
    if not known and not returns:
        return Effect(max(now, earliest), soon=True)
    if _stand_still(programs, known):
        boundary = _taken_over_from(programs, new, progress, affected)
        if boundary and boundary <= now:
            return Effect(boundary, restates=True)
        fits = not returns and all(flow.first >= earliest for flow in known.values())
        if fits and not any(flow.ran for flow in known.values()) and not begins_later(programs, new, affected, progress, earliest):
            return Effect(earliest, soon=True)
    ran = (flow.last for flow in known.values() if flow.ran)
    return Effect(next_common(max([now, *ran]), intervals_of(affected, old, new)))


def _known(programs: Programs, affected: Collection[str], progress: Mapping[str, FlowProgress]) -> dict[str, FlowProgress]:
    """The progress of the affected flows that the last program has."""
    return {name: progress[name] for name in affected & programs.last.flows.keys() & progress.keys()}


def _stand_still(programs: Programs, known: Mapping[str, FlowProgress]) -> bool:
    """Whether none of these flows makes a batch: each fails, reads one that does, or never ran."""
    still = with_readers([name for name, flow in known.items() if flow.stopped or flow.failing], programs.last)
    return bool(known) and all(name in still or not flow.ran for name, flow in known.items())


def _taken_over_from(
    programs: Programs, new: Program, progress: Mapping[str, FlowProgress], affected: frozenset[str]
) -> datetime | None:
    """The last common boundary before the first batch that these flows, which stand still, have to make; None where there is none.

    Further back, more flows may have read one of them, and had batches of other lengths: these are affected then, and have to stand
    still as well. What would be much to make again, as where one of them begins a batch once a week, is not done unasked.
    """
    boundary = min(flow.first for flow in _known(programs, affected, progress).values())
    settled: tuple[frozenset[str], datetime] | None = None
    while settled != (affected, boundary):
        settled = affected, boundary
        first = min(flow.first for flow in _known(programs, affected, progress).values())
        boundary = last_common(min(first, boundary), intervals_of(affected, *programs.in_force(boundary), new))
        affected = programs.affected_by(new, boundary)
    known = _known(programs, affected, progress)
    lacks = begins_later(programs, new, affected, progress, boundary) or made_otherwise(programs, new, affected, boundary)
    much = any(
        count(boundary, flow.last, programs.last.flows[name].interval_seconds) > MOST_AGAIN
        for name, flow in known.items()
        if flow.ran
    )
    return None if lacks or much or not programs.covers(boundary) or not _stand_still(programs, known) else boundary


def restatement(programs: Programs, new: Program, progress: Mapping[str, FlowProgress], wanted: datetime, now: datetime) -> Effect:
    """The effect of an update set that takes effect at a past moment. Raises InputError where none can.

    What batches since then read has to be there, and must not be another program's.
    """
    if not programs.covers(wanted):
        first = programs.entries[0][0].boundary
        raise InputError(
            f"the program of {to_text(wanted)} is no longer known: all its batches were made",
            remedy=f"choose {to_text(first)} or later",
        )
    affected = programs.affected_by(new, wanted)
    if not affected:
        raise InputError(
            f"nothing of this program has changed since {to_text(wanted)}: there is nothing to make again by it",
            remedy="`atoll run FLOW --from … --to …` makes batches again as they were",
        )
    boundary = chosen_restatement(wanted, now, intervals_of(affected, *programs.in_force(wanted), new))
    effect = Effect(boundary, restates=True, earlier=_begin_earlier(programs, new, affected, boundary))
    begun = {name: replace(progress[name], begins=None) for name in effect.earlier & progress.keys()}
    if missing := begins_later(programs, new, affected, {**progress, **begun}, effect.boundary):
        begin = max(moment for name in missing if (moment := progress[new.producers[name].id].begins))
        first = next_common(begin, intervals_of(affected, *programs.in_force(wanted), new))
        raise InputError(
            f"there is nothing of {', '.join(missing)} from {to_text(effect.boundary)} on",
            remedy=f"it begins at {to_text(begin)}: choose {to_text(first)} or later",
        )
    if otherwise := made_otherwise(programs, new, affected, effect.boundary):
        changes = ", ".join(f"{name} (at {to_text(moment)})" for name, moment in otherwise.items())
        raise InputError(
            f"what changes reads {changes}, which another program made before that",
            remedy=f"choose {to_text(max(otherwise.values()))} or later",
        )
    return effect


def possible_restatement(
    programs: Programs, new: Program, progress: Mapping[str, FlowProgress], first: datetime, now: datetime
) -> datetime | None:
    """The last moment up to another one from which an update set can be restated; None where it cannot."""
    affected = programs.affected_by(new, first)
    boundary = last_common(first, intervals_of(affected, *programs.in_force(first), new))
    try:
        return restatement(programs, new, progress, boundary, now).boundary
    except InputError:
        return None


def _begin_earlier(programs: Programs, new: Program, affected: frozenset[str], boundary: datetime) -> frozenset[str]:
    """The views and publications that are younger than a restatement that affects them, and so begin where it does.

    What is collected does not: most sources cannot be read as of the past.
    """
    younger = affected & new.flows.keys() - programs.in_force(boundary)[0].flows.keys()
    return frozenset(name for name in younger if new.flows[name].kind in (Kind.VIEW, Kind.PUBLISH))


def made_otherwise(programs: Programs, new: Program, affected: Collection[str], since: datetime) -> dict[str, datetime]:
    """The flows that affected ones read and that are not affected themselves, but changed after `since`; and when they last did.

    Before that, what they made is another program's, which a batch of the new one must not read.
    """
    producers = new.producers
    inputs = (table.inputs for name in affected if name in new.flows for table in new.flows[name].tables)
    read = {producers[name].id for names in inputs for name in names if name in producers}
    found = {name: programs.changed_since(name, since) for name in read.difference(affected)}
    return {name: moment for name, moment in sorted(found.items()) if moment}


def begins_later(
    programs: Programs, new: Program, affected: Collection[str], progress: Mapping[str, FlowProgress], boundary: datetime
) -> list[str]:
    """The inputs without a version that an affected flow could read from the boundary on, or from where it begins.

    What the last program lacks begins at the boundary, also where it was there once.
    """
    producers, found = new.producers, set[str]()
    begins = {name: known.begins for name, known in progress.items() if name in programs.last.flows}
    for flow in (new.flows[name] for name in affected if name in new.flows):
        first = next_interval(max(boundary, begins.get(flow.id) or boundary), flow.interval_seconds).end
        for name in {name for table in flow.tables for name in table.inputs} & producers.keys():
            source = producers[name]
            known = begins.get(source.id)
            if known and ceil(first, source.interval_seconds) <= known:
                found.add(name)
    return sorted(found)


def begins_again(programs: Programs, flow: str, dataset: str, state: TableState, start: Callable[[], datetime]) -> bool:
    """Whether a dataset that the last program lacks begins at `start`: it is over, or once came back and was to begin later.

    start: what it takes reads to tell, and is asked for such a dataset only.
    """
    later = dataset not in programs.last.producers and state.begins is not None and state.begins > start()
    return later or programs.is_over(flow, dataset, state)


def stands_still(affected: Collection[str], progress: Mapping[str, FlowProgress], boundary: datetime) -> list[str]:
    """The affected flows that stopped or fail before the boundary: their batches up to it stay with the former program."""
    troubled = {name for name in affected & progress.keys() if progress[name].stopped or progress[name].failing}
    return sorted(name for name in troubled if progress[name].first < boundary)


def chosen_boundary(wanted: datetime, now: datetime, intervals: Collection[int]) -> datetime:
    """`wanted`, if an update set can take effect then. Raises InputError, which names the next moments at which it can."""
    if wanted > now and is_common(wanted, intervals):
        return wanted
    following = [next_common(max(now, wanted - longest(intervals)), intervals)]
    while len(following) < 3:
        following.append(next_common(following[-1], intervals))
    why = "lies in the past" if wanted <= now else "is no moment at which batches of all changed flows and their readers begin"
    raise InputError(f"the boundary {to_text(wanted)} {why}", remedy=f"the next are {', '.join(map(to_text, following))}")


def chosen_restatement(wanted: datetime, now: datetime, intervals: Collection[int]) -> datetime:
    """Returns `wanted`, if the batches of what an update set changes can be reprocessed from then on. Raises InputError."""
    if wanted <= now and is_common(wanted, intervals):
        return wanted
    if wanted > now:
        raise InputError(
            f"{to_text(wanted)} lies in the future: nothing is there to make again", remedy="use --at for a later boundary"
        )
    before = last_common(wanted, intervals)
    near = f"{to_text(before)} or {to_text(next_common(before, intervals))}"
    raise InputError(
        f"at {to_text(wanted)} not all changed flows and their readers begin a batch", remedy=f"the nearest such moments are {near}"
    )
