"""Builds what a batch of one table runs: the source's SQL, its parts, and the size of their chunks; no I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.contract.masking import Hashing
from shared_metadata.duckdb_types import duckdb_type
from shared_metadata.errors import DefinitionError
from shared_metadata.intervals import to_text
from shared_metadata.program import Flow, from_plain
from shared_metadata.records import Schema, SchemaColumn
from slices.collect.postgres.casting import cast_type
from slices.collect.postgres.cursor_window import CursorColumn
from slices.collect.postgres.memory import Memory
from slices.collect.postgres.nested import is_nested, read_document
from slices.collect.postgres.table_sizes import TableSize
from slices.collect.postgres.type_mapping import map_type
from systems.postgres.catalog import SourceColumn, TableName

BATCH, DELETED = "_batch", "_deleted"
OWN = (BATCH, DELETED)
FIRST_CHUNK_SECONDS, CHUNK_SECONDS = 10.0, 20.0
ASSUMED_BYTES_PER_SECOND = 5 * 2**20  # of table, by one worker, until one chunk was measured
SMALLEST_CHUNK_BYTES, SMALL_CHUNK_BYTES, LARGEST_CHUNK_BYTES = 2**17, 2**25, 2**29
LINES = 2048  # of a page, at most: a position in a table is page * LINES + line, so that also parts of a page can be read
WIDE_COLUMNS = 200  # more are read by one worker: DuckDB sets aside up to 1 MB for each column of each


@dataclass(frozen=True)
class Relation:
    """What a flow's table is at the source.

    reads: what stands in FROM: a quoted table, or the query in parentheses.  columns: SQL over it, in the schema's order.
    expressions: SQL over c0, c1 …: each column as its Iceberg type.  misfits: over the same, where that cannot be, or ''.
    filter: the flow's WHERE, or ''.  unfiltered: what stands in FROM for the rows that the flow's WHERE does not take, or ''.
    """

    schema: Schema
    reads: str
    columns: tuple[str, ...]
    expressions: tuple[str, ...]
    misfits: tuple[str, ...]
    filter: str = ""
    unfiltered: str = ""
    size: TableSize = field(default_factory=TableSize)

    @property
    def left(self) -> tuple[str, tuple[str, ...]]:
        """What stands in FROM and WHERE for the rows that the flow's WHERE does not take; ('', ()) where it has none."""
        if self.unfiltered:
            return self.unfiltered, ()
        return (self.reads, (f"({self.filter}\n) IS NOT TRUE",)) if self.filter else ("", ())

    def due(self, where: str, *, tell_left: bool) -> list[str]:
        """The FROM and WHERE of all rows that a window takes; tell_left: also of those that the flow's WHERE does not take."""
        if tell_left and self.filter:
            return [_from(self.reads, [where])]
        found = [_from(self.reads, [self.filter, where])]
        return [*found, _from(self.unfiltered, [where])] if tell_left and self.unfiltered else found

    def column(self, name: str) -> CursorColumn | None:
        """The column as a cursor."""
        for column, expression in zip(self.schema.columns, self.columns, strict=False):
            if column.name == name:
                return CursorColumn(name, expression, column.type, column.source_type)
        return None


def table_relation(flow: Flow, table: TableName, columns: list[SourceColumn], size: TableSize) -> Relation:
    """A table, with the flow's projection and filter."""
    names = [column.name for column in flow.columns] or [column.name for column in columns]
    sources = [column.source for column in flow.columns] or [identifier(column.name) for column in columns]
    schema, expressions, misfits = _schema(names, columns, flow)
    return Relation(schema, table.quoted, tuple(sources), expressions, misfits, flow.filter, size=size)


def query_relation(flow: Flow, columns: list[SourceColumn], dropped: Collection[str]) -> Relation:
    """A query of the source's own; what is dropped of its answer stays there."""
    aliases = [f"c{number}" for number in range(len(columns))]
    kept = {alias: column for alias, column in zip(aliases, columns, strict=True) if column.name.lower() not in dropped}
    schema, expressions, misfits = _schema([column.name for column in kept.values()], list(kept.values()), flow)
    named = f"AS query ({', '.join(aliases)})"
    unfiltered = f"({flow.left_out}\n) {named}" if flow.left_out else ""
    return Relation(schema, f"({flow.query}\n) {named}", tuple(kept), expressions, misfits, unfiltered=unfiltered)


def _schema(names: list[str], columns: list[SourceColumn], flow: Flow) -> tuple[Schema, tuple[str, ...], tuple[str, ...]]:
    own, folded = own_columns(flow), dict.fromkeys(OWN, "Atoll's own column")
    place = str(flow.position)
    found, expressions, misfits = [], [], []
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        if name.lower() in folded:
            raise DefinitionError(
                f"the column {name} collides with {folded[name.lower()]}: names are folded to lower case",
                place=place,
                remedy=f"rename it in a query: SELECT …, {identifier(name)} AS another_name",
            )
        folded[name.lower()] = name
        wanted = flow.casts.get(name.lower())
        mapped = cast_type(column.type, wanted, name, place) if wanted is not None else map_type(column.type)
        found.append(SchemaColumn(name.lower(), mapped.iceberg, not column.not_null, column.name, column.type_name))
        expressions.append(mapped.expression(f"c{number}"))
        misfits.append(mapped.misfit(f"c{number}"))
    if not found:
        raise DefinitionError("there are no columns to collect", place=place, remedy="add a column, or leave the table out")
    return Schema((*found, *own)), tuple(expressions), tuple(misfits)


def own_columns(flow: Flow) -> tuple[SchemaColumn, ...]:
    """Those that Atoll adds to every row of the flow."""
    batch = SchemaColumn(BATCH, "timestamptz", False)
    return (batch, SchemaColumn(DELETED, "boolean")) if flow.reports_left else (batch,)


@dataclass(frozen=True)
class Part:
    """One extract's share: pages [first_page, end_page) of the table, all rows when end_page is 0; `last` has no upper bound.

    left_reads, left_where: the same of the rows that the flow's WHERE does not take, where those are to be told; else ''.
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
            page_bytes=max(8192, relation.size.bytes // max(relation.size.pages, 1)) if relation.size.pages else 8192,
            row_bytes=row_bytes,
            misfits=relation.misfits,
            left_reads=left_reads,
            left_where=(*left_where, where) if left_reads and where else left_where,
        )
        for number in range(wanted)
    )


def rows_sql(reads: str, columns: Sequence[str], where: Sequence[str]) -> str:
    """A SELECT of `columns`; each condition on lines of its own, since a filter may end in a comment."""
    return f"SELECT {', '.join(columns)} {_from(reads, where)}"


def _from(reads: str, where: Sequence[str]) -> str:
    conditions = "\nAND ".join(f"({condition}\n)" for condition in where if condition)
    return f"FROM {reads}" + (f"\nWHERE {conditions}" if conditions else "")


def chunk_sql(part: Part, first: int, end: int) -> str:
    """What the source runs for the part's positions [first, end); columns are called c0, c1 …"""
    selected = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(part.expressions))
    return f"SELECT {selected} FROM {rows_of_chunk(part, first, end)}"


def left_sql(part: Part, first: int, end: int, schema: Schema, left: Sequence[SchemaColumn]) -> str:
    """What the source runs for rows that left, of a `Part.left`; those with a key that its type cannot hold were never collected."""
    numbers = {column.name: number for number, column in enumerate(schema.columns)}
    kept = [numbers[column.name] for column in left if column.name not in OWN]
    misfits = {number: part.misfits[number] for number in kept if part.misfits[number]}
    selected = ", ".join(
        f"CASE WHEN {misfits[n]} THEN NULL ELSE {part.expressions[n]} END AS c{i}"
        if n in misfits
        else f"{part.expressions[n]} AS c{i}"
        for i, n in enumerate(kept)
    )
    return f"SELECT {selected} FROM {rows_of_chunk(part, first, end)}"


def rows_of_chunk(part: Part, first: int, end: int) -> str:
    """What stands in FROM for the positions [first, end) of a part."""
    where = list(part.where)
    if part.end_page:
        where.append(f"ctid >= {_tid(first)}")
        if not (part.last and end >= part.end_page * LINES):
            where.append(f"ctid < {_tid(end)}")
    names = ", ".join(f"c{number}" for number in range(len(part.columns)))
    return f"(\n{rows_sql(part.reads, part.columns, where)}\n) AS q ({names})"


def _tid(position: int) -> str:
    page, line = divmod(position, LINES)
    return f"'({page},{line})'::tid"


def copy_sql(
    source: str, sql: str, schema: Schema, hashing: Hashing, batch: datetime, url: str, row_bytes: int, memory: Memory
) -> str:
    """DuckDB's statement that streams the source's answer into one Parquet file; it returns the file's rows and bytes."""
    columns = [column for column in schema.columns if column.name not in OWN]
    read = ", ".join(f"{_read(f'c{number}', column)} AS c{number}" for number, column in enumerate(columns))
    values = [f"{hashing.value(c.name, f'c{number}', c.type)} AS {identifier(c.name)}" for number, c in enumerate(columns)]
    own = {BATCH: f"TIMESTAMPTZ '{to_text(batch)}'", DELETED: "false"}
    values += [f"{own[column.name]} AS {identifier(column.name)}" for column in schema.columns if column.name in OWN]
    rows = f"(SELECT {read} FROM postgres_query({literal(source)}, {literal(sql)})) AS q{hashing.joined}"
    return (
        f"COPY (SELECT {', '.join(values)} FROM {rows}) TO {literal(url)} "
        f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {memory.row_group_rows(row_bytes)}, "
        f"ROW_GROUP_SIZE_BYTES {2 * memory.row_group_bytes}, "
        f"STRING_DICTIONARY_PAGE_SIZE_LIMIT {memory.row_group_bytes // len(values)}, WRITE_EMPTY_FILE false, RETURN_STATS)"
    )


def _read(value: str, column: SchemaColumn) -> str:
    """DuckDB's expression of a column as its type: a document that is cast comes as text."""
    if column.source_type == "jsonb" and is_nested(column.type):
        return read_document(value, column.type)
    return f"CAST({value} AS {duckdb_type(column.type)})"


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
