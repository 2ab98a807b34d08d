"""Finds the flows and warehouses that a source's table goes to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.type_widening import PROMOTIONS, Widens


def widens(table: str, program: Program) -> Widens:
    """What all warehouses that may keep a source's table make wider in its place."""
    kept = {flow.warehouse for flow, _ in collecting(table, program)}
    first, *others = [program.warehouses[name].widens for name in sorted(kept) if name in program.warehouses] or [PROMOTIONS]
    return tuple(one for one in first if all(one in each for each in others))


def collecting(table: str, program: Program) -> Iterator[tuple[Flow, str]]:
    """The flows that may read a source's table, with the datasets that may be made of it; the lineage knows what a query reads."""
    connection, _, name = table.partition(".")
    for flow in program.flows.values():
        if flow.kind == Kind.COLLECT and flow.connection == connection:
            yield from ((flow, t.dataset) for t in flow.tables if flow.query or t.source.lower() == name.lower())
