"""Warns of rows that may stay away unnoticed, because a source does not report them, and of what a source goes on keeping; tells how
often rows arrive."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from shared_metadata.contract.declaration import Capabilities, Slice, declared
from shared_metadata.program import Flow, Kind, Mode, Program

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader


# How rows arrive: where a batch is a transaction of its target, where each row is written under a condition, where their key finds
# them, where the application may know a request by its key, and where nothing tells that they are there.
IN_PART = "a batch that breaks off is there in part"
TRANSACTION = "exactly once, a batch as a whole"
ONE_BY_ONE = f"exactly once, row by row; {IN_PART} until it goes on"
FOUND = f"once in effect, as their key finds them however often they are sent; {IN_PART}"
BY_KEY = f"at least once, and once where the application knows a request by its key; {IN_PART}"
ADDED = f"at least once; {IN_PART}"
ARRIVE = (TRANSACTION, ONE_BY_ONE, FOUND, BY_KEY, ADDED)


def arrive(can: Capabilities, mode: Mode) -> str:
    """How rows that are published in a mode arrive at a target."""
    if can.transactional:
        return TRANSACTION
    if can.knows_keys:
        return ONE_BY_ONE
    if can.finds_keys:
        return FOUND if mode is Mode.MERGE else ADDED
    return BY_KEY


def limits(program: Program, statements: Collection[str], slices: Mapping[str, Slice]) -> list[str]:
    """A line for each limit of a kind of source, with the datasets that these statements collect from it by a cursor."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        if slice_ is None or flow.id not in statements or flow.kind is not Kind.COLLECT:
            continue
        for table in flow.tables:
            dataset = table.dataset.removesuffix(":staged")
            for said in (*_of(flow.of(table.dataset), slice_), *_of_table(flow.of(table.dataset), table.source, slice_)):
                found.setdefault(said, []).append(dataset)
    return [f"{', '.join(sorted(tables))}: no batch sees {what}" for what, tables in found.items()]


def _of(flow: Flow, slice_: Slice) -> Iterator[str]:
    """What no batch of a flow sees, whose mode and cursor are those of one table."""
    can = slice_.capabilities
    appended, rising = flow.mode is Mode.APPEND, flow.rising
    by_cursor = (can.never_seen, can.never_appended * appended, can.never_rising * rising) if flow.cursor else ()
    yield from filter(None, (can.never_captured,) if flow.capture else by_cursor)


def _of_table(flow: Flow, source: str, slice_: Slice) -> Iterator[str]:
    """What no batch sees of a table, where the source has tables that are not alike."""
    if not slice_.misses or not flow.cursor:
        return
    if said := declared(slice_.misses)(slice_.system, source):
        yield said


def guarantees(program: Program, statements: Collection[str], slices: Mapping[str, Slice]) -> list[str]:
    """A line for each way in which rows arrive where these statements publish them."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        if slice_ is not None and flow.id in statements and flow.kind is Kind.PUBLISH:
            found.setdefault(arrive(slice_.capabilities, flow.mode), []).append(flow.id)
    return [f"{', '.join(sorted(found[how]))}: {how}" for how in ARRIVE if how in found]


def left_behind(reader: MetadataReader, program: Program, slices: Mapping[str, Slice]) -> list[str]:
    """A line for each kind of source that goes on keeping something for datasets of the active program, captured no more by this."""
    captured = _captured(program)
    gone = _captured(reader.active_program()).items() if reader.active_version() else ()
    found: dict[str, list[str]] = {}
    for dataset, slice_id in gone:
        slice_ = slices.get(slice_id)
        if dataset not in captured and slice_ is not None and slice_.capabilities.capture_leaves:
            found.setdefault(slice_.capabilities.capture_leaves, []).append(dataset.removesuffix(":staged"))
    return [f"{', '.join(sorted(datasets))}: {what}" for what, datasets in found.items()]


def _captured(program: Program) -> dict[str, str]:
    """Dataset ▸ the slice that captures it."""
    return {table.dataset: flow.slice_id for flow in program.flows.values() if flow.capture for table in flow.tables}
