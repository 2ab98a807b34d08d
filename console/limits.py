"""What the sources of a program cannot tell, so that rows can stay away and nobody would say so."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Kind, Program


def limits(program: Program, slices: Mapping[str, Slice]) -> list[str]:
    """One sentence for each kind of source, with the datasets that are collected by a cursor from it."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        if flow.kind is Kind.COLLECT and flow.cursor and slice_ is not None and slice_.capabilities.never_seen:
            tables = [table.dataset.removesuffix(":staged") for table in flow.tables]
            found.setdefault(slice_.capabilities.never_seen, []).extend(tables)
    return [f"{', '.join(sorted(tables))}: no batch sees {what}" for what, tables in found.items()]
