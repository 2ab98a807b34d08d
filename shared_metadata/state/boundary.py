"""The flows that differ between programs, their readers, and the moments at which every batch of a set of flows begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.program.intervals import floor

_NOWHERE = Position("", 0, 0)


def changed_flows(old: Program, new: Program) -> frozenset[str]:
    """The flows that are added, removed, or run differently: by another statement, or with another connection or warehouse.

    A statement's place, and the freshness that it promises, change nothing that runs.
    """
    names = old.flows.keys() | new.flows.keys()
    return frozenset(name for name in names if _differs(name, old, new))


def with_readers(flows: Collection[str], *programs: Program) -> frozenset[str]:
    """These flows and all that read them, directly or through others, in one of the programs."""
    found, readers = set(flows), _readers(*programs) if flows else {}
    waiting = list(flows)
    while waiting:
        fresh = readers.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return frozenset(found)


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


def _search(moment: datetime, intervals: Collection[int], *, forward: bool) -> datetime:
    step = longest(intervals)
    found = floor(moment, step // timedelta(seconds=1))
    found += step if forward else timedelta()
    while not is_common(found, intervals):  # all lengths divide a day or are whole days: at most 420 days away
        found += step if forward else -step
    return found


def longest(intervals: Collection[int]) -> timedelta:
    """The longest of these intervals."""
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
        follows=False,
        tables=tuple(dataclasses.replace(table, signature="") for table in flow.tables),
        expectations=tuple(dataclasses.replace(e, position=_NOWHERE) for e in flow.expectations),
    )


def _twins(before: Flow, after: Flow) -> Iterable[tuple[Table, Table]]:
    """The tables of both whose signature is that of their own columns; a collect's is its source's, which no program changes."""
    return () if after.kind is Kind.COLLECT else zip(before.tables, after.tables, strict=True)


def _endpoints(flow: Flow, program: Program) -> tuple[object, ...]:
    found = (program.connections.get(flow.connection), program.warehouses.get(flow.warehouse))
    return tuple(endpoint and dataclasses.replace(endpoint, position=_NOWHERE) for endpoint in found)


def _readers(*programs: Program) -> dict[str, set[str]]:
    """Flow ▸ the flows that read one of its datasets directly, in one of the programs."""
    found: dict[str, set[str]] = {}
    for program in programs:
        producers = program.producers
        for flow in program.flows.values():
            for name in {name for table in flow.tables for name in table.inputs} & producers.keys():
                found.setdefault(producers[name].id, set()).add(flow.id)
    return found
