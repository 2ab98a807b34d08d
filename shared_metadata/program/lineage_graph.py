"""The lineage of a whole program as a graph: from a source's field to a published column, and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from shared_metadata.program import Masks, Position
from shared_metadata.program.lineage import ColumnRef, Lineage, Use
from shared_metadata.program.masks import masked_at, said
from shared_metadata.program.type_names import type_at

ROWS = ""  # the column of a reference that means all of a dataset's rows


@dataclass(frozen=True)
class Edge:
    """A use of an input's column for a column, or, where `to.column` is ROWS, for which rows a dataset has."""

    of: ColumnRef
    to: ColumnRef
    use: Use
    position: Position


@dataclass(frozen=True)
class LineageGraph:
    """Every edge of a program, both ways."""

    lineage: Lineage

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        found = []
        for dataset in self.lineage.datasets.values():
            for column in dataset.columns:
                to = ColumnRef(dataset.dataset, column.name)
                found += [Edge(ref, to, Use.VALUE, column.position) for ref in column.inputs]
            rows = ColumnRef(dataset.dataset, ROWS)
            found += [Edge(use.column, rows, use.use, use.position) for use in dataset.uses if use.use is not Use.VALUE]
        return tuple(found)

    def inputs(self, node: ColumnRef) -> tuple[Edge, ...]:
        """The edges that end at a column (or at ROWS); a field's are its column's, because only columns have origins."""
        return self._by_end.get(node.whole, ())

    def outputs(self, node: ColumnRef) -> tuple[Edge, ...]:
        """The edges that begin at a column or its fields; for a field, those that begin at it, within it, or around it."""
        found = self._by_start.get(node.whole, ())
        return tuple(edge for edge in found if edge.of.meets(node)) if node.fields else found

    def up(self, nodes: Iterable[ColumnRef], depth: int = 0) -> list[Edge]:
        """All edges upstream of these columns: for their values, and the rows of their datasets; nearest first.

        depth: how many statements to go back; 0 for all.
        """

        def back(node: ColumnRef) -> tuple[tuple[Edge, ...], Iterable[ColumnRef]]:
            edges = (*self.inputs(node), *self.inputs(ColumnRef(node.dataset, ROWS)))
            below = (ColumnRef(name, ROWS) for name in self._read_by.get(node.dataset, ()))
            return tuple(dict.fromkeys(edges)), (*(edge.of for edge in edges), *below)

        return _reached(nodes, depth, back)

    def down(self, nodes: Iterable[ColumnRef], depth: int = 0) -> list[Edge]:
        """All edges downstream of these columns, including the readers of datasets whose rows they decide."""

        def onward(node: ColumnRef) -> tuple[tuple[Edge, ...], Iterable[ColumnRef]]:
            edges = self._from_rows(node.dataset) if node.column == ROWS else self.outputs(node)
            return edges, (edge.to for edge in edges)

        return _reached(nodes, depth, onward)

    def _from_rows(self, dataset: str) -> tuple[Edge, ...]:
        """One edge to the rows of each reader of the dataset."""
        readers: dict[str, Edge] = {}
        for column in self.columns(dataset):
            for edge in self.outputs(column):
                readers.setdefault(edge.to.dataset, Edge(column, ColumnRef(edge.to.dataset, ROWS), edge.use, edge.position))
        return tuple(readers.values())

    def columns(self, dataset: str) -> tuple[ColumnRef, ...]:
        """The columns of a dataset, a published table or a source's table; () for an unknown name."""
        if dataset in self.lineage.datasets:
            return tuple(ColumnRef(dataset, column.name) for column in self.lineage.datasets[dataset].columns)
        schema = self.lineage.sources.get(dataset)
        return tuple(ColumnRef(dataset, column.source or column.name) for column in schema.columns) if schema else ()

    def type_of(self, node: ColumnRef) -> str:
        """The column's type, or the field's; a source's own word for it where there is one; '' for ROWS."""
        if node.dataset in self.lineage.datasets:
            found = next((c.type for c in self.lineage.datasets[node.dataset].columns if c.name == node.column), "")
            return type_at(found, node.fields) if node.fields else found
        schema = self.lineage.sources.get(node.dataset)
        columns = schema.columns if schema else ()
        return next((c.source_type or c.type for c in columns if node.column in (c.source, c.name)), "")

    def masked(self, node: ColumnRef) -> str:
        """The mask applied at collection: 'hash' for a column, 'email hash' for a field of it; else ''."""
        return said(masked_at(self._masked.get(node.whole, ""), node.fields))

    def masked_origins(self, node: ColumnRef) -> tuple[ColumnRef, ...]:
        """The masked columns from which the column's value is computed, sorted; without the column itself."""
        found, waiting = set[ColumnRef](), [node]
        while waiting and self._masked:
            before = {edge.of for edge in self.inputs(waiting.pop())} - found
            found |= before
            waiting += before
        return tuple(sorted(ref for ref in found if self.masked(ref)))

    @cached_property
    def _masked(self) -> Mapping[ColumnRef, str | Masks]:
        columns = ((ColumnRef(d.dataset, c.name), c.masked) for d in self.lineage.datasets.values() for c in d.columns)
        return {ref: masked for ref, masked in columns if masked}

    @cached_property
    def _read_by(self) -> Mapping[str, frozenset[str]]:
        """The datasets of which each statement uses a column."""
        return {d.dataset: frozenset(use.column.dataset for use in d.uses) for d in self.lineage.datasets.values()}

    @cached_property
    def _by_end(self) -> Mapping[ColumnRef, tuple[Edge, ...]]:
        return _grouped(self.edges, lambda edge: edge.to)

    @cached_property
    def _by_start(self) -> Mapping[ColumnRef, tuple[Edge, ...]]:
        return _grouped(self.edges, lambda edge: edge.of.whole)


def _grouped(edges: Iterable[Edge], key: Callable[[Edge], ColumnRef]) -> dict[ColumnRef, tuple[Edge, ...]]:
    found: dict[ColumnRef, list[Edge]] = {}
    for edge in edges:
        found.setdefault(key(edge), []).append(edge)
    return {node: tuple(group) for node, group in found.items()}


def _reached(
    nodes: Iterable[ColumnRef], depth: int, onward: Callable[[ColumnRef], tuple[tuple[Edge, ...], Iterable[ColumnRef]]]
) -> list[Edge]:
    """The edges met when going on from `nodes`, each once, nearest first."""
    found: dict[Edge, None] = {}
    seen = set(nodes)
    waiting = deque((node, 1) for node in nodes)
    while waiting:
        node, level = waiting.popleft()
        edges, following = onward(node)
        found.update(dict.fromkeys(edges))
        for other in following if level != depth else ():
            if other not in seen:
                seen.add(other)
                waiting.append((other, level + 1))
    return list(found)
