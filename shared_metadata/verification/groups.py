"""Groups of flows that have to be verified together: those that make, or made in an earlier program version, the same datasets."""

from __future__ import annotations

from shared_metadata.state.timeline import Programs


def groups(programs: Programs) -> list[tuple[str, ...]]:
    """The flows of all programs in groups, each sorted: most are a statement, a collect with its load, a publication with its result.

    An empty batch of a collect completes datasets of its load, and another program may have another flow make a dataset.
    """
    found = {flow: {flow} for flow in programs.flow_ids}
    makers: dict[str, str] = {}
    for _, program in programs.entries:
        for flow in program.flows.values():
            for table in flow.tables:
                first = makers.setdefault(table.dataset.removesuffix(":staged").removesuffix(":result"), flow.id)
                if found[first] is not found[flow.id]:
                    found[first] |= found[flow.id]
                    found.update(dict.fromkeys(found[flow.id], found[first]))
    return sorted({tuple(sorted(flows)) for flows in found.values()})


def datasets_of(programs: Programs, flows: tuple[str, ...]) -> list[str]:
    """All datasets that these flows make in any of the programs, sorted."""
    known = (program.flows[flow] for _, program in programs.entries for flow in flows if flow in program.flows)
    return sorted({table.dataset for flow in known for table in flow.tables})
