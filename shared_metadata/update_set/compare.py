"""Compares two compiled programs: one pure function, the update set is its result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared_metadata.program import MASK_KEY, Flow, Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.update_set.breaking import breaking
from shared_metadata.update_set.column_changes import Renamed
from shared_metadata.update_set.reach import Reached, ShapeOf, reach
from shared_metadata.update_set.recompute import recompute
from shared_metadata.update_set.records import PartChange, QueryShape, ReaderEffect, StatementChange, UpdateSet
from shared_metadata.update_set.statements import Statement, changed_parts, edges, reachable, signed, statements


def _no_shape(flow: Flow, renamed: Renamed) -> QueryShape | None:
    return None


def compare(
    old: Program | None,
    old_lineage: Lineage | None,
    new: Program,
    new_lineage: Lineage | None,
    *,
    shape_of: ShapeOf = _no_shape,
    boundary: datetime | None = None,
    restate_from: datetime | None = None,
    now: datetime | None = None,
) -> UpdateSet:
    """The update set of replacing the program `old` (None: there is none) by `new`: changes, readers, breaks and recomputation,
    without the costs (`estimated`).

    shape_of: the shape of a flow's query (`language.sql.shape`), its inputs' new column names read as their former ones; where it
        is None, everything of a changed query counts as changed.
    boundary: when the new program takes effect.  restate_from: since when the history is made anew, up to `now`.
    """
    before, after = statements(old), statements(new)
    lineages = (old_lineage, new_lineage) if old_lineage is not None and new_lineage is not None else None
    links = edges(old) | edges(new)
    endpoints = _endpoints(old, new)
    changed = _changed(before, after, links, endpoints, _moved(old, new))
    words = {change.statement: [part.part for part in change.parts] for change in changed}
    added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    reached = reach(before, after, words, lineages, shape_of, {one.name: one.widens for one in new.warehouses.values()})
    readers = (reachable({*added, *removed, *words}, links) & after.keys()) - set(added)
    return UpdateSet(
        version=new.version,
        former=old.version if old else "",
        added=tuple(added),
        changed=tuple(changed),
        removed=tuple(removed),
        endpoints=endpoints,
        columns=tuple(change for name in _in_order(reached.columns, after) for change in reached.columns[name]),
        other_rows=tuple(sorted(name for name, data in reached.data.items() if data.rows)),
        readers=tuple(_reader(reached, after[name]) for name in _by_place(readers, after)),
        breaking=breaking(before, after, changed, reached, restate_from is not None),
        recompute=recompute(before, after, changed, reached, restate_from, now) if old else (),
        positions={name: (after.get(name) or before[name]).last.position for name in (*added, *removed)},
        boundary=boundary,
        restate_from=restate_from,
        planned_at=now,
        typed=lineages is not None,
    )


def _changed(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    links: set[tuple[str, str]],
    endpoints: tuple[str, ...],
    moved: Mapping[str, PartChange],
) -> list[StatementChange]:
    found = {
        name: (*changed_parts(old[name], new[name]), *_options(new[name], endpoints), *_systems(new[name], moved))
        for name in new
        if name in old
    }
    seeds = {name for name, parts in found.items() if parts} | (old.keys() ^ new.keys())
    explained = seeds | reachable(seeds, links)
    for name in found:  # a compiler of another version may derive other types from the same text
        if name not in explained and any(signed(*pair) for pair in zip(old[name].flows, new[name].flows, strict=False)):
            found[name] = (PartChange("types"),)
    return [StatementChange(name, found[name], new[name].last.position) for name in _by_place(set(found), new) if found[name]]


def _options(statement: Statement, endpoints: tuple[str, ...]) -> list[PartChange]:
    """The options that differ, of the connections and warehouses that a statement uses."""
    used = {name for flow in statement.flows for name in (flow.connection, flow.warehouse)}
    return [PartChange(f"options of {name}") for name in endpoints if name in used]


def _systems(statement: Statement, moved: Mapping[str, PartChange]) -> list[PartChange]:
    return [moved[name] for name in sorted({flow.warehouse for flow in statement.flows} & moved.keys())]


def _moved(old: Program | None, new: Program) -> dict[str, PartChange]:
    """The warehouses that both programs call so, and that another system keeps."""
    pairs = (
        (name, old.warehouses[name].system, one.system) for name, one in new.warehouses.items() if old and name in old.warehouses
    )
    return {name: PartChange(f"system of {name}", *systems) for name, *systems in pairs if systems[0] != systems[1]}


def _by_place(names: set[str], known: Mapping[str, Statement]) -> list[str]:
    """Statements in the order of the program's text."""
    place = {name: known[name].last.position for name in names}
    return sorted(names, key=lambda name: (place[name].file, place[name].line, place[name].column, name))


def _in_order(datasets: Mapping[str, Any], known: Mapping[str, Statement]) -> list[str]:
    makers = {dataset: statement.last.position for statement in known.values() for dataset in statement.datasets}
    return sorted(datasets, key=lambda name: (makers[name].file, makers[name].line, makers[name].column, name))


def _reader(reached: Reached, statement: Statement) -> ReaderEffect:
    return reached.readers.get(statement.id) or ReaderEffect(statement.id, statement.last.position)


def _endpoints(old: Program | None, new: Program) -> tuple[str, ...]:
    """Connections and warehouses that both programs have and that differ; the mask key counts where something is hashed by it."""
    before, after = ({e.name: (e.system, {**e.options, MASK_KEY: ""}) for e in _ends(p)} for p in (old, new))
    return tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name]))


def _ends(program: Program | None) -> list[Any]:
    return [*program.connections.values(), *program.warehouses.values()] if program else []
