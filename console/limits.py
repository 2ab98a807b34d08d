"""Warns of rows that may stay away unnoticed, because a source does not report them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Kind, Mode, Program


def limits(program: Program, statements: Collection[str], slices: Mapping[str, Slice]) -> list[str]:
    """A line for each limit of a kind of source, with the datasets that these statements collect from it by a cursor."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        if slice_ is None or flow.id not in statements or flow.kind is not Kind.COLLECT or not (flow.cursor or flow.capture):
            continue
        can = slice_.capabilities
        appended, rising = flow.mode is Mode.APPEND, flow.rising
        by_cursor = (can.never_seen, can.never_appended * appended, can.never_rising * rising)
        for said in filter(None, (can.never_captured,) if flow.capture else by_cursor):
            found.setdefault(said, []).extend(table.dataset.removesuffix(":staged") for table in flow.tables)
    return [f"{', '.join(sorted(tables))}: no batch sees {what}" for what, tables in found.items()]
