"""What the sources of a program cannot tell, so that rows can stay away and nobody would say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Kind, Program


def limits(program: Program, statements: Collection[str], slices: Mapping[str, Slice]) -> list[str]:
    """One sentence for each kind of source, with the datasets that these statements collect from it by a cursor."""
    found: dict[str, list[str]] = {}
    for flow in program.flows.values():
        slice_ = slices.get(flow.slice_id)
        said = slice_.capabilities.never_seen if slice_ is not None else ""
        if said and flow.id in statements and flow.kind is Kind.COLLECT and flow.cursor:
            tables = [table.dataset.removesuffix(":staged") for table in flow.tables]
            found.setdefault(said, []).extend(tables)
    return [f"{', '.join(sorted(tables))}: no batch sees {what}" for what, tables in found.items()]
