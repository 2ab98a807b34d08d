"""A program's flows as the statements that its user wrote: collect with its load, a publication with its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared_metadata.program import Flow, Kind, Masks, Program
from shared_metadata.update_set.records import PartChange

# The program's word for each property of a flow.
WORDS = {
    "kind": "kind",
    "slice_id": "slice",
    "warehouse": "warehouse",
    "connection": "connection",
    "interval_seconds": "EVERY",
    "mode": "mode",
    "key": "key",
    "cursor": "CURSOR",
    "rising": "RISING",
    "capture": "CAPTURE",
    "query": "query",
    "columns": "query",
    "filter": "query",
    "left_out": "query",
    "sees_deleted": "query",
    "casts": "query",
    "whole": "query",
    "calls": "functions",
    "partition_by": "PARTITION BY",
    "fresh_within_seconds": "FRESH WITHIN",
    "tolerates": "TOLERATE",
    "bad_rows": "TOLERATE … BAD ROWS",
    "mask_key": "MASK",
}
OF_TABLES = ("mode", "key", "cursor")  # which a flow's tables may have of their own
SOURCE_COLUMNS = "columns of the source"
_SHORT = ("kind", "slice", "warehouse", "connection", "EVERY", "mode", "key", "CURSOR", "CAPTURE", "PARTITION BY", "FRESH WITHIN")
_SECOND_HALF = (Kind.LOAD, Kind.PUBLISH)


@dataclass(frozen=True)
class Statement:
    """A statement as written. flows: one or two, in the order in which they run.  inputs: the datasets that its query reads."""

    id: str
    flows: tuple[Flow, ...]

    @property
    def first(self) -> Flow:
        """The flow that has the query."""
        return self.flows[0]

    @property
    def last(self) -> Flow:
        """The flow that makes the visible result."""
        return self.flows[-1]

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(table.dataset for table in self.last.tables)

    def made(self, dataset: str) -> Flow:
        """The flow that makes the visible result, with the mode and the key of this dataset."""
        return self.last.of(dataset)

    def masks(self, dataset: str) -> Masks:
        """The masks of a collected dataset's columns, and of their fields."""
        return next((t.masks for t in self.first.tables if t.dataset.removesuffix(":staged") == dataset), {})

    @property
    def inputs(self) -> tuple[str, ...]:
        return () if self.first.kind == Kind.COLLECT else tuple(name for table in self.first.tables for name in table.inputs)


def statement_id(flow: str) -> str:
    """The statement of a flow: 'lake.crm' or 'ops.public.t' for 'lake.crm:load' or 'ops.public.t:result'."""
    return flow.removesuffix(":load").removesuffix(":result")


def statements(program: Program | None) -> dict[str, Statement]:
    """The statements by id."""
    flows: dict[str, list[Flow]] = {}
    for flow in program.flows.values() if program else ():
        flows.setdefault(statement_id(flow.id), []).append(flow)
    return {name: Statement(name, tuple(sorted(found, key=lambda f: f.kind in _SECOND_HALF))) for name, found in flows.items()}


def edges(program: Program | None) -> set[tuple[str, str]]:
    """(made by, read by) between statements."""
    found = statements(program)
    makers = {dataset: statement.id for statement in found.values() for dataset in statement.datasets}
    return {(makers[name], s.id) for s in found.values() for name in s.inputs if name in makers}


def reachable(seeds: set[str], links: set[tuple[str, str]]) -> set[str]:
    """The nodes that can be reached from the seeds over at least one link."""
    found: set[str] = set()
    border = seeds
    while border:
        border = {reader for maker, reader in links if maker in border} - found
        found |= border
    return found


def changed_parts(old: Statement, new: Statement) -> tuple[PartChange, ...]:
    """Compares two versions of a statement, without its place in the text and the compiler's own findings."""
    found: list[PartChange] = []
    before = {flow.id: flow for flow in old.flows}
    for flow in new.flows:
        found += _changed_parts(before[flow.id], flow) if flow.id in before else [PartChange("kind", old.last.kind, new.last.kind)]
    parts = {part.part: part for part in reversed(found)}
    return tuple(part for word, part in reversed(parts.items()))


def _changed_parts(old: Flow, new: Flow) -> Iterator[PartChange]:
    for name, word in WORDS.items():
        pairs = _pairs(name, old, new)
        if pairs:
            short = word in _SHORT and len(pairs) == 1
            yield PartChange(word, *map(_plain, pairs[0])) if short else PartChange(word)
    if _tables(old) != _tables(new):
        yield PartChange("tables and inputs")
    masks = {table.dataset: table.masks for table in old.tables}
    if any(masks.get(table.dataset, table.masks) != table.masks for table in new.tables):
        yield PartChange("MASK")
    if expectations(old) != expectations(new):
        yield PartChange("EXPECT")
    if new.kind == Kind.COLLECT and signed(old, new):
        yield PartChange(SOURCE_COLUMNS)


def _pairs(name: str, old: Flow, new: Flow) -> list[tuple[object, object]]:
    """What a property was and is, where that differs; of one that tables have of their own, each such pair of any table."""
    made = {table.dataset: new.of(table.dataset) for table in new.tables} if name in OF_TABLES else {}
    both = [(old.of(table.dataset), made[table.dataset]) for table in old.tables if table.dataset in made]
    pairs = [(getattr(before, name), getattr(after, name)) for before, after in both or [(old, new)]]
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    return [*dict.fromkeys(differing)] if made else differing


def _plain(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value


def _tables(flow: Flow) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(table.dataset, table.source, table.inputs) for table in flow.tables]


def expectations(flow: Flow) -> list[tuple[str, str, str]]:
    return [(e.name, e.predicate, e.action) for e in flow.expectations]


def signed(old: Flow, new: Flow) -> bool:
    """Whether signatures differ where both programs are typed."""
    before = _signatures(old)
    return any(before.get(name) not in (None, digest) for name, digest in _signatures(new).items())


def _signatures(flow: Flow) -> Mapping[str, str]:
    return {table.dataset: table.signature for table in flow.tables if table.signature}
