"""Finds the moment at which an update set takes effect: there, every batch of the changed flows and of their readers begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.program.intervals import ceil, floor, next_interval, to_text

_NOWHERE = Position("", 0, 0)


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
    """

    boundary: datetime
    restates: bool = False
    soon: bool = False


def natural_effect(old: Program, new: Program, progress: Mapping[str, FlowProgress], now: datetime, earliest: datetime) -> Effect:
    """The effect of an update set applied without a moment of the user's choice.

    It comes at the next common boundary of all affected flows; but at once where there is nothing to wait for: where all affected
    flows are new, never ran a batch, or stand still because something in them stopped. Those that stand still are taken over from the
    last common boundary before; the few batches made since then are reprocessed, also one that an operator has at work just now.
    progress: of all flows of the new program that have a state.  earliest: the boundary before, which none may precede.
    """
    affected = affected_flows(old, new)
    intervals = intervals_of(affected, old, new)
    known = {name: progress[name] for name in affected & old.flows.keys() & progress.keys()}
    returns = any(name in progress and name not in old.flows for name in affected)  # what it was to make before may still be due
    if not known and not returns:
        return Effect(max(now, earliest), soon=True)
    still = _with_readers([name for name, flow in known.items() if flow.stopped], old)
    if known and all(name in still or not flow.ran for name, flow in known.items()):
        boundary = last_common(min(flow.first for flow in known.values()), intervals)
        if earliest <= boundary <= now and not begins_later(new, affected, progress, boundary):
            return Effect(boundary, restates=True)
        fits = not returns and all(flow.first >= earliest for flow in known.values())
        if fits and not any(flow.ran for flow in known.values()) and not begins_later(new, affected, progress, earliest):
            return Effect(earliest, soon=True)
    return Effect(next_common(max([now, *(flow.last for flow in known.values() if flow.ran)]), intervals))


def begins_later(new: Program, affected: Collection[str], progress: Mapping[str, FlowProgress], boundary: datetime) -> list[str]:
    """The inputs without a version that an affected flow could read from the boundary on, or from where it begins."""
    producers, found = new.producers(), set[str]()
    for flow in (new.flows[name] for name in affected if name in new.flows):
        own = progress[flow.id].begins if flow.id in progress else None
        first = next_interval(max(boundary, own or boundary), flow.interval_seconds).end
        for name in {name for table in flow.tables for name in table.inputs} & producers.keys():
            source = producers[name]
            known = progress[source.id].begins if source.id in progress else None
            if known and ceil(first, source.interval_seconds) <= known:
                found.add(name)
    return sorted(found)


def stands_still(old: Program, new: Program, progress: Mapping[str, FlowProgress], effect: Effect) -> list[str]:
    """The affected flows that stopped or fail before the boundary: their batches up to it stay with the former program."""
    affected = affected_flows(old, new) & old.flows.keys() & progress.keys()
    troubled = {name for name in affected if progress[name].stopped or progress[name].failing}
    return sorted(name for name in troubled if progress[name].first < effect.boundary)


def changed_flows(old: Program, new: Program) -> frozenset[str]:
    """The flows that are added, removed, or run differently: by another statement, or with another connection or warehouse.

    A statement's place, and the freshness that it promises, change nothing that runs.
    """
    names = old.flows.keys() | new.flows.keys()
    return frozenset(name for name in names if _differs(name, old, new))


def affected_flows(old: Program, new: Program) -> frozenset[str]:
    """The flows that change, and all that read them, directly or through others, in either program."""
    return _with_readers(changed_flows(old, new), old, new)


def intervals_of(flows: Iterable[str], *programs: Program) -> frozenset[int]:
    """The lengths of these flows' batches in all these programs, in seconds."""
    return frozenset(program.flows[name].interval_seconds for name in flows for program in programs if name in program.flows)


def is_common(moment: datetime, intervals: Collection[int]) -> bool:
    """Whether a batch of each of these lengths begins at `moment`."""
    return all(floor(moment, seconds) == moment for seconds in intervals)


def next_common(after: datetime, intervals: Collection[int]) -> datetime:
    """The first moment after `after` at which a batch of each of these lengths begins."""
    return _search(after, intervals, forward=True)


def last_common(upto: datetime, intervals: Collection[int]) -> datetime:
    """The last moment at or before `upto` at which a batch of each of these lengths begins."""
    return _search(upto, intervals, forward=False)


def chosen_boundary(wanted: datetime, now: datetime, intervals: Collection[int]) -> datetime:
    """`wanted`, if an update set can take effect then. Raises InputError, which names the next moments at which it can."""
    if wanted > now and is_common(wanted, intervals):
        return wanted
    following = [next_common(max(now, wanted - _longest(intervals)), intervals)]
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


def _search(moment: datetime, intervals: Collection[int], *, forward: bool) -> datetime:
    longest = _longest(intervals)
    found = floor(moment, longest // timedelta(seconds=1))
    found += longest if forward else timedelta()
    while not is_common(found, intervals):  # all lengths divide a day or are whole days: at most 420 days away
        found += longest if forward else -longest
    return found


def _longest(intervals: Collection[int]) -> timedelta:
    return timedelta(seconds=max(intervals, default=1))


def _differs(name: str, old: Program, new: Program) -> bool:
    before, after = old.flows.get(name), new.flows.get(name)
    if before is None or after is None:
        return True
    if before != after:  # few of thousands of flows do, and a closer look takes longer
        if _essence(before) != _essence(after):
            return True
        if any(a.signature and b.signature and a.signature != b.signature for a, b in _twins(before, after)):
            return True
    return _endpoints(before, old) != _endpoints(after, new)


def _essence(flow: Flow) -> Flow:
    """The properties that decide a flow's batches: neither places in the text nor signatures, which an untyped program lacks, nor
    whether missed batches are made as one.
    """
    return dataclasses.replace(
        flow,
        position=_NOWHERE,
        fresh_within_seconds=0,
        covers=False,
        tables=tuple(dataclasses.replace(table, signature="") for table in flow.tables),
        expectations=tuple(dataclasses.replace(e, position=_NOWHERE) for e in flow.expectations),
    )


def _twins(before: Flow, after: Flow) -> Iterable[tuple[Table, Table]]:
    """The tables of both whose signature is that of their own columns; a collect's is its source's, which no program changes."""
    return () if after.kind is Kind.COLLECT else zip(before.tables, after.tables, strict=True)


def _endpoints(flow: Flow, program: Program) -> tuple[object, ...]:
    found = (program.connections.get(flow.connection), program.warehouses.get(flow.warehouse))
    return tuple(endpoint and dataclasses.replace(endpoint, position=_NOWHERE) for endpoint in found)


def _with_readers(flows: Collection[str], *programs: Program) -> frozenset[str]:
    """These flows and all that read them, directly or through others, in one of the programs."""
    found, readers = set(flows), _readers(*programs) if flows else {}
    waiting = list(flows)
    while waiting:
        fresh = readers.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return frozenset(found)


def _readers(*programs: Program) -> dict[str, set[str]]:
    """Flow ▸ the flows that read one of its datasets directly, in one of the programs."""
    found: dict[str, set[str]] = {}
    for program in programs:
        producers = program.producers()
        for flow in program.flows.values():
            for name in {name for table in flow.tables for name in table.inputs} & producers.keys():
                found.setdefault(producers[name].id, set()).add(flow.id)
    return found
