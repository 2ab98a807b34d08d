"""The lineage graph: both directions tell the same edges, and a depth ends the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.program import Position
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Lineage, Use
from shared_metadata.program.lineage_graph import ROWS, LineageGraph
from shared_metadata.program.schema import Schema, SchemaColumn

AT = Position("p.sql", 1, 1)
COLUMNS = ("a", "b", "c")


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """A few datasets in layers over one source, each with columns and uses drawn from those below."""
    below = [ColumnRef("ops.t", name) for name in COLUMNS]
    sources = {"ops.t": Schema(tuple(SchemaColumn(name, "long", True, name, "bigint") for name in COLUMNS))}
    datasets = {}
    for number in range(draw(st.integers(1, 5))):
        name = f"lake.v.d{number}"
        columns = tuple(
            ColumnLineage(c, "long", True, tuple(sorted(draw(st.sets(st.sampled_from(below), max_size=3)))), AT) for c in COLUMNS
        )
        deciding = draw(st.sets(st.tuples(st.sampled_from(below), st.sampled_from((Use.FILTER, Use.GROUP))), max_size=3))
        uses = {(ref, Use.VALUE) for c in columns for ref in c.inputs} | deciding
        datasets[name] = DatasetLineage(name, name, columns, tuple(ColumnUse(r, u, AT) for r, u in sorted(uses)), AT)
        below += [ColumnRef(name, c) for c in COLUMNS]
    return Lineage(datasets, sources)


@given(lineages())
def test_what_is_up_from_one_is_down_from_the_other(lineage: Lineage) -> None:
    graph = LineageGraph(lineage)
    nodes = [node for name in (*lineage.sources, *lineage.datasets) for node in graph.columns(name)]
    above = {node: {edge.of for edge in graph.up([node])} for node in nodes}
    for node in nodes:
        below = {edge.to for edge in graph.down([node])}
        reached = {ref for ref in nodes if ref in below or ColumnRef(ref.dataset, ROWS) in below}
        assert reached == {other for other in nodes if node in above[other]}


@given(lineages(), st.integers(1, 3))
def test_a_depth_shows_a_part_of_the_whole(lineage: Lineage, depth: int) -> None:
    graph = LineageGraph(lineage)
    for node in graph.columns(next(iter(lineage.datasets))):
        assert set(graph.down([node], depth)) <= set(graph.down([node]))
        assert all(edge.of == node for edge in graph.down([node], 1))
