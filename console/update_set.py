"""Computes the update set of a compiled program against the active one of an account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.program import Flow, Program
from shared_metadata.program.lineage import ColumnRef, Lineage
from shared_metadata.program.schema import Schema
from shared_metadata.state.records import FlowState
from shared_metadata.store.stored_lineage import read_ahead
from shared_metadata.update_set import QueryShape, UpdateSet, compare, estimated, statement_id
from shared_metadata.update_set.tables import held_against, to_look_at
from slices.registry import installed

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader

BATCHES_OF_STATISTICS = 20


def update_set(
    reader: MetadataReader,
    program: Program,
    lineage: Lineage | None,
    *,
    now: datetime,
    boundary: datetime | None = None,
    restate_from: datetime | None = None,
) -> UpdateSet:
    """The update set of applying `program`.

    It costs three reads, one for a hundred reprocessed flows, and a query for each with many batches.
    """
    version = _former(reader, program, restate_from)
    active = reader.program(version) if version else None
    active_lineage = reader.lineage(version) if version else None
    if active_lineage is not None:
        read_ahead(active_lineage)
    found = compare(
        active, active_lineage, program, lineage, shape_of=shape_of, boundary=boundary, restate_from=restate_from, now=now
    )
    found = replace(found, former=version)  # a program stored by an earlier Atoll keeps its name
    if active and lineage is not None:
        looked_at = to_look_at(found, program)
        tables = dict(zip(looked_at, beside_one_another(_columns(reader), looked_at), strict=True))
        found = held_against(found, program, lineage, tables)
    return estimated(found, program, _statistics(reader, program, found)) if found.recompute else found


def batches_would_fail(update: UpdateSet) -> list[str]:
    """The breaks that no batch gets over, each with its place and remedy."""
    failing = [item for item in update.breaking if item.fails]
    return [f"{item.position}: the column {item.column} of {item.dataset}: {item.why}; {item.remedy}" for item in failing]


def _former(reader: MetadataReader, program: Program, restate_from: datetime | None) -> str:
    """The version that the program follows: the active one, or, for a restatement by that one itself, the one of that moment."""
    version = reader.active_version()
    if restate_from is None or version != program.version:
        return version
    programs = reader.programs()
    return programs.version(programs.in_force(restate_from)[0])


def _columns(reader: MetadataReader) -> Callable[[str], Schema | None]:
    def columns(dataset: str) -> Schema | None:
        registered = reader.latest_schema(dataset)
        return registered.schema if registered else None

    return columns


def shape_of(flow: Flow, renamed: Mapping[ColumnRef, ColumnRef]) -> QueryShape | None:
    """The shape of a flow's query, in the dialect of the slice that runs it."""
    from language.sql.shape import query_shape

    slice_ = installed().get(flow.slice_id)
    return query_shape(flow.query, slice_.capabilities.dialect, renamed) if slice_ and flow.query else None


def _statistics(reader: MetadataReader, program: Program, update: UpdateSet) -> dict[str, list[dict[str, Any]]]:
    """The statistics of reprocessed flows: the last batch where it takes one batch, the latest ones where it takes many."""
    batches = {item.statement: item.batches for item in update.recompute}
    flows = [flow for flow in program.flows.values() if statement_id(flow.id) in batches]
    many = [flow for flow in flows if batches[statement_id(flow.id)] > 1]
    found = beside_one_another(lambda flow: reader.statistics(flow.id, BATCHES_OF_STATISTICS * len(flow.tables)), many)
    made = program.datasets()
    states = reader.states_of({flow.id: made[flow.id] for flow in flows if batches[statement_id(flow.id)] <= 1})
    return {**{name: _last(state) for name, state in states.items()}, **dict(zip((flow.id for flow in many), found, strict=True))}


def _last(state: FlowState) -> list[dict[str, Any]]:
    changes = [table.last for table in state.tables.values() if table.last]
    return [{"sk": "", "rows": change.rows, "seconds": change.seconds, "cost_dollars": change.dollars} for change in changes]
