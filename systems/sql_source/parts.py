"""The parts of a table that extracts read beside one another, and the size of the chunks in which each of them does; no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared_metadata.contract.collect import TablePlan, Window
from shared_metadata.program import Flow, Mode, from_plain
from systems.sql_source.cursor_window import Bounds
from systems.sql_source.dialect import KeyRange
from systems.sql_source.memory import Memory
from systems.sql_source.relation import Relation

FIRST_CHUNK_SECONDS, CHUNK_SECONDS = 10.0, 20.0
ASSUMED_BYTES_PER_SECOND = 5 * 2**20  # of table, by one worker, until one chunk was measured
SMALLEST_CHUNK_BYTES, SMALL_CHUNK_BYTES, LARGEST_CHUNK_BYTES = 2**17, 2**25, 2**29
LINES = 2048  # of a page, at most: a position in a table is page * LINES + line, so that also parts of a page can be read
PAGE_BYTES = 8192  # of which no size is told


@dataclass(frozen=True)
class Part:
    """One extract's share: pages [first_page, end_page) of the table, all rows when end_page is 0; `last` has no upper bound.

    left_reads, left_where: the same of the rows that the flow's WHERE does not take, where those are to be told; else ''.
    pages, keys, edges: of the whole table.
    """

    reads: str
    columns: tuple[str, ...]
    expressions: tuple[str, ...]
    where: tuple[str, ...]
    first_page: int
    end_page: int
    last: bool
    page_bytes: int
    row_bytes: int
    misfits: tuple[str, ...] = ()
    left_reads: str = ""
    left_where: tuple[str, ...] = ()
    pages: int = 0
    keys: KeyRange | None = None
    edges: tuple[str, ...] = ()

    @property
    def left(self) -> Part | None:
        """The part's rows that left the flow's WHERE."""
        return replace(self, reads=self.left_reads, where=self.left_where) if self.left_reads else None

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> Part:
        return from_plain(Part, values)


def parts(relation: Relation, where: str, max_parts: int, part_mb: int, *, tell_left: bool) -> tuple[Part, ...]:
    """The table's parts, of about equal numbers of pages, and of so much of the table at least."""
    conditions = tuple(condition for condition in (relation.filter, where) if condition)
    left_reads, left_where = relation.left if tell_left else ("", ())
    wanted = min(max_parts, max(1, relation.size.bytes // (part_mb * 2**20))) if relation.size.pages else 1
    edges = [relation.size.pages * number // wanted for number in range(wanted + 1)]
    row_bytes = max(relation.size.bytes // max(relation.size.rows, 1) if relation.size.rows > 0 else 0, 16 * len(relation.columns))
    return tuple(
        Part(
            relation.reads,
            relation.columns,
            relation.expressions,
            conditions,
            first_page=edges[number],
            end_page=edges[number + 1],
            last=number + 1 == wanted,
            page_bytes=max(PAGE_BYTES, relation.size.bytes // max(relation.size.pages, 1)) if relation.size.pages else PAGE_BYTES,
            row_bytes=row_bytes,
            misfits=relation.misfits,
            left_reads=left_reads,
            left_where=(*left_where, where) if left_reads and where else left_where,
            pages=relation.size.pages,
            keys=relation.size.keys,
            edges=relation.size.edges,
        )
        for number in range(wanted)
    )


def key_bounds(part: Part, first: int, end: int | None) -> list[str]:
    """The conditions of rows at the positions [first, end) of a table whose pages are equal ranges of a key.

    Rows that have come since with lesser keys are at the first position.
    """
    assert part.keys is not None
    keys, positions = part.keys, part.pages * LINES
    low, high = (keys.first + keys.count * at // positions if at else None for at in (first, end))
    lower = [f"{keys.column} >= {low}"] if low is not None else []
    return [*lower, f"{keys.column} < {high}"] if high is not None else lower


def comes_again(flow: Flow) -> bool:
    """Whether the next batch brings again a row that changed while a table was read, and perhaps was missed or read twice: it has a
    later cursor value then, or is in the log, and is merged. Else all of a table has to be read in one state of it."""
    return bool(flow.cursor or flow.capture) and flow.mode == Mode.MERGE


def table_plan(flow: Flow, relation: Relation, window: Window, bounds: Bounds, max_parts: int, part_mb: int) -> TablePlan:
    """Plans a table in several parts only where what moves between them comes again: each sees a state of its own."""
    several = max_parts if comes_again(flow) and bounds.whole else 1
    found = parts(relation, bounds.where, several, part_mb, tell_left=flow.reports_left and not window.first)
    return TablePlan(tuple(part.to_plain() for part in found), bounds.cursor, bounds.took)


def chunk_positions(
    remaining: int, workers: int, part: Part, bytes_per_second: float | None, seconds_left: float, memory: Memory
) -> int:
    """The length of the next chunk: what takes CHUNK_SECONDS, less near the deadline or the end, and for large rows."""
    if part.row_bytes > memory.large_row_bytes:
        pages = memory.held_bytes // part.page_bytes
        return min(remaining, pages * LINES or max(1, memory.held_bytes // part.row_bytes))
    wanted_seconds = CHUNK_SECONDS if bytes_per_second else FIRST_CHUNK_SECONDS
    wanted = (bytes_per_second or ASSUMED_BYTES_PER_SECOND) * min(wanted_seconds, max(seconds_left / 3, 0))
    share = max(math.ceil(remaining / LINES / workers) * part.page_bytes, SMALL_CHUNK_BYTES)
    size = min(max(min(wanted, share), SMALLEST_CHUNK_BYTES), LARGEST_CHUNK_BYTES)
    return min(remaining, max(1, int(size / part.page_bytes)) * LINES)
