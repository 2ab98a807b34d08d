"""What the sources of a program cannot tell, so that rows can stay away and nobody would say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Kind, Mode, Program


def limits(program: Program, statements: Collection[str], slices: Mapping[str, Slice]) -> list[str]:
    """A line for each thing that a kind of source cannot tell, with the datasets that these statements collect so by a cursor."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        if slice_ is None or flow.id not in statements or flow.kind is not Kind.COLLECT or not flow.cursor:
            continue
        can = slice_.capabilities
        for said in filter(None, (can.never_seen, can.never_appended if flow.mode is Mode.APPEND else "")):
            found.setdefault(said, []).extend(table.dataset.removesuffix(":staged") for table in flow.tables)
    return [f"{', '.join(sorted(tables))}: no batch sees {what}" for what, tables in found.items()]
