"""Finds parts of a program that are too large for the deployed functions, before they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.discovery_call import measure
from console.target import Target
from console.wording import names_of
from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.contract.declaration import declared
from shared_metadata.contract.sizes import UNKNOWN, Asked, Given, Judge, Size
from shared_metadata.errors import AtollError
from shared_metadata.program import Flow, Kind, Mode, Program, Table
from shared_metadata.program.lineage import Lineage
from shared_metadata.update_set import UpdateSet
from shared_metadata.update_set.statements import Statement, statements
from slices.registry import installed

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader

SHOWN = 20
LARGE_ROWS = 1_000_000  # of a smaller table a batch writes all anew in seconds: what it wrote decides nothing


@dataclass(frozen=True)
class Judged:
    """The judgement. refused: parts that cannot finish, with remedies.  notes: parts that are large, or of unknown size."""

    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def judge_sizes(
    target: Target, program: Program, lineage: Lineage | None, update: UpdateSet, deployed: Mapping[str, Mapping[str, Any]]
) -> Judged:
    """Judges the tables that the update set makes for the first time, or reprocesses, or merges into.

    It asks a slice's `discover` function, once for each connection from which a whole table is to come; no other plan asks.
    """
    known = statements(program)
    anew = (item.statement for item in update.recompute if item.batches and item.start is None)
    first = [known[name] for name in dict.fromkeys((*update.added, *anew))]
    sizes = _measured(target, program, first, deployed)
    judged, unknown = Judged(), list[str]()
    for statement in first:
        unknown += [_shown(table) for table in _collected(statement) if sizes.get((statement.id, table.dataset), UNKNOWN) == UNKNOWN]
    for flow, asked in _asked(target.reader, program, lineage, update, sizes):
        for found in _judge(flow)(asked, _given(deployed.get(flow.slice_id, {}))):
            line = f"{flow.position}: {_shown(asked.table)}: {found.what}; {found.remedy}"
            (judged.refused if found.refused else judged.notes).append(line)
    if unknown:
        judged.notes.append(f"the size of what {names_of(unknown, SHOWN)} collects is unknown: nothing is refused for its size")
    return judged


def _measured(
    target: Target, program: Program, first: Sequence[Statement], deployed: Mapping[str, Any]
) -> dict[tuple[str, str], Size]:
    """Statement and dataset of its collect ▸ the size of the table that it collects, where it is known."""
    wanted: dict[tuple[str, str], dict[str, list[tuple[str, str]]]] = {}
    for statement in first:
        for table in _collected(statement):
            if table.source and statement.first.slice_id in deployed:
                tables = wanted.setdefault((statement.first.slice_id, statement.first.connection), {})
                tables.setdefault(table.source, []).append((statement.id, table.dataset))
    found: dict[tuple[str, str], Size] = {}
    for (slice_id, connection), tables in wanted.items():
        try:
            sizes = measure(target, installed()[slice_id], program.connections[connection], sorted(tables), ",".join(program.sources))
        except AtollError:  # a slice that can't look is reported by the plan's other questions, or by `atoll discover`
            continue
        found |= {place: sizes[name] for name, places in tables.items() if name in sizes for place in places}
    return found


def _asked(
    reader: MetadataReader,
    program: Program,
    lineage: Lineage | None,
    update: UpdateSet,
    sizes: Mapping[tuple[str, str], Size],
) -> Iterator[tuple[Flow, Asked]]:
    """Every table of every flow that changes, or is new, with its known size."""
    names = {*update.added, *(change.statement for change in update.changed), *(item.statement for item in update.recompute)}
    changed = [statement for statement in statements(program).values() if statement.id in names]
    standing = _standing(reader, [flow for statement in changed for flow in statement.flows])
    sent = _sent(reader, [flow for statement in changed for flow in statement.flows])
    for statement in changed:
        for flow in statement.flows:
            for table in flow.tables if installed()[flow.slice_id].sizes else ():
                collected = table.dataset if flow.kind == Kind.COLLECT else f"{table.dataset}:staged"
                brings = sizes.get((statement.id, collected), UNKNOWN)
                stands, rewrote, looked = standing.get(table.dataset, (UNKNOWN, UNKNOWN, None))
                types, options = _types(lineage, table), _options(program, flow)
                yield (
                    flow,
                    Asked(flow.of(table.dataset), table, brings, stands, types, options, rewrote, looked, sent.get(table.dataset)),
                )


def _collected(statement: Statement) -> tuple[Table, ...]:
    return statement.first.tables if statement.first.kind == Kind.COLLECT else ()


def _standing(reader: MetadataReader, flows: Sequence[Flow]) -> dict[str, tuple[Size, Size, int | None]]:
    """The size of each table that a MERGE writes into, of what its last batch wrote anew of it, and among how many rows it looked for
    its keys, as their last versions tell it.

    It costs a read for a hundred tables, and one for each large one.
    """
    merging = [flow for flow in flows if Mode.MERGE in flow.modes and flow.kind in (Kind.LOAD, Kind.VIEW)]
    states = reader.states_of({flow.id: [table.dataset for table in flow.tables] for flow in merging}).values()
    rows = {name: table.last.total for state in states for name, table in state.tables.items() if table.last}
    large = [name for name, total in rows.items() if total >= LARGE_ROWS]
    versions = dict(zip(large, beside_one_another(reader.latest_version, large), strict=True))
    found = {}
    for name, total in rows.items():
        version = versions.get(name)
        told: Mapping[str, Any] = version.pointer if version else {}
        rewrote = Size(told.get("rewritten_rows"), told.get("rewritten_bytes"))
        found[name] = Size(total, told.get("total_bytes")), rewrote, told.get("looked_rows")
    return found


def _sent(reader: MetadataReader, flows: Sequence[Flow]) -> dict[str, int]:
    """How many rows the last batch of each publication has sent, of which its slice judges sizes."""
    published = [flow for flow in flows if flow.kind == Kind.PUBLISH and installed()[flow.slice_id].sizes]
    states = reader.states_of({flow.id: [table.dataset for table in flow.tables] for flow in published}).values()
    return {name: table.last.rows for state in states for name, table in state.tables.items() if table.last}


def _types(lineage: Lineage | None, table: Table) -> dict[str, str]:
    columns = lineage.datasets[table.dataset].columns if lineage and table.dataset in lineage.datasets else ()
    return {column.name: column.type for column in columns if column.type}


def _options(program: Program, flow: Flow) -> Mapping[str, Any]:
    place = program.connections.get(flow.connection) or program.warehouses[flow.warehouse]
    return place.options


def _judge(flow: Flow) -> Judge:
    judge: Judge = declared(installed()[flow.slice_id].sizes)
    return judge


def _given(deployed: Mapping[str, Any]) -> dict[str, Given]:
    """The functions of a slice; none where an earlier Atoll's stack does not describe them."""
    return {name: Given(**given) for name, given in deployed.get("given", {}).items()}


def _shown(table: Table) -> str:
    return table.dataset.removesuffix(":staged")
