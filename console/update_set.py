"""The update set of a compiled program against the one that is active in an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.target import REQUESTS_AT_ONCE
from shared_metadata.lineage import ColumnRef, Lineage
from shared_metadata.program import Flow, Program
from shared_metadata.update_set import QueryShape, UpdateSet, compare, statement_id
from slices.registry import installed

if TYPE_CHECKING:
    from shared_metadata.reader import MetadataReader

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
    """What applying `program` changes. Costs three reads, and a query for each flow that makes something anew."""
    version = reader.active_version()
    active = reader.program(version) if version else None
    active_lineage = reader.lineage(version) if version else None

    def compared(statistics: Mapping[str, Sequence[Mapping[str, Any]]]) -> UpdateSet:
        found = compare(
            active,
            active_lineage,
            program,
            lineage,
            shape_of=shape_of,
            boundary=boundary,
            restate_from=restate_from,
            now=now,
            statistics=statistics,
        )
        return replace(found, former=version)  # a program stored by an earlier Atoll is named as it was then

    draft = compared({})
    return compared(_statistics(reader, program, draft)) if draft.recompute else draft


def shape_of(flow: Flow, renamed: Mapping[ColumnRef, ColumnRef]) -> QueryShape | None:
    """Of a flow's query, in the dialect of the slice that runs it."""
    from language.query_shape import query_shape

    slice_ = installed().get(flow.slice_id)
    return query_shape(flow.query, slice_.capabilities.dialect, renamed) if slice_ and flow.query else None


def _statistics(reader: MetadataReader, program: Program, draft: UpdateSet) -> dict[str, list[dict[str, Any]]]:
    statements = {item.statement for item in draft.recompute}
    flows = [flow for flow in program.flows.values() if statement_id(flow.id) in statements]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        found = pool.map(lambda flow: reader.statistics(flow.id, BATCHES_OF_STATISTICS * len(flow.tables)), flows)
        return dict(zip((flow.id for flow in flows), found, strict=True))
