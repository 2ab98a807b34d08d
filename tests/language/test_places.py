"""The plan's queries have places: a slice puts its own words there, and has the query as it was meant, in whatever dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from language import compile_program, compile_with_positions
from language.dialects.duckdb.engine import Engine
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.places import BATCH_END, BATCH_START, Place, filled
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.source_schemas import SourceSchemas
from tests.language.test_cases import COMPILING
from tests.language.test_typed import CASES, schemas

__all__ = ["schemas"]
QUERIES = (Kind.VIEW, Kind.RESULT)


def _plain(text: str) -> str:
    """'lake.ops.flights' of `Lake . "ops".flights`, 'batch_start' of `batch_start( )`."""
    return re.sub(r'[\s"()]', "", text).lower()


def _texts(program: Program) -> Iterator[tuple[Flow, str, tuple[Place, ...]]]:
    for flow in program.flows.values():
        yield flow, flow.query if flow.kind in QUERIES else "", flow.places
        for expectation in flow.expectations:
            yield flow, expectation.predicate, expectation.places
        for call in flow.calls:
            yield flow, call.query, call.places


@pytest.fixture(scope="module")
def programs(slices: Mapping[str, Slice], request: pytest.FixtureRequest) -> list[Program]:
    known = request.getfixturevalue("schemas")
    typed = [CASES / f"{name}.sql" for name in ("lineage", "stars", "trino")]
    found = [compile_with_positions({case.name: case.read_text()}, slices, known).program for case in typed]
    return found + [compile_program({case.name: case.read_bytes().decode()}, slices) for case in COMPILING]


def test_every_place_is_one_that_means_what_stands_there(programs: list[Program]) -> None:
    seen = set()
    for program in programs:
        for flow, text, places in _texts(program):
            assert all(_plain(text[place.start : place.end]) == place.means for place in places), flow.id
            seen |= {place.means for place in places}
    assert {BATCH_START, BATCH_END, "lake.ops.flights", "far.ops.flights"} <= seen


def test_every_input_and_every_bound_has_its_places(programs: list[Program]) -> None:
    for program in programs:
        for _, text, places in _texts(program):
            bounds = [word for word in (BATCH_START, BATCH_END) if re.search(rf"\b{word}\s*\(", text, re.IGNORECASE)]
            assert {place.means for place in places} >= set(bounds)
        for flow in program.flows.values():
            if flow.kind in QUERIES:
                places = (*flow.places, *(place for call in flow.calls for place in call.places))
                assert {place.means for place in places} >= set(flow.tables[0].inputs), flow.id


@pytest.mark.parametrize("name", ["lineage", "stars"])
def test_what_is_filled_in_is_read_as_what_it_stands_for(name: str, slices: Mapping[str, Slice], schemas: SourceSchemas) -> None:
    """DuckDB finds the same columns over tables of another database, with the moments themselves."""
    found, judge = compile_with_positions({f"{name}.sql": (CASES / f"{name}.sql").read_text()}, slices, schemas), Engine()
    assert found.lineage is not None
    tables = {n: tuple(SchemaColumn(c.name, c.type) for c in d.columns) for n, d in found.lineage.datasets.items()}
    elsewhere = {n: n.replace("lake.", "elsewhere.", 1) for n in tables}
    words = {**elsewhere, BATCH_START: "TIMESTAMPTZ '2024-01-01'", BATCH_END: "TIMESTAMPTZ '2024-01-02'"}
    flows = [flow for flow in found.program.flows.values() if flow.kind in QUERIES and "lake.ops.flights." not in flow.query]
    for flow in flows:
        inputs = flow.tables[0].inputs
        filled_in = judge.bind(flow.filled(words), {elsewhere[n]: tables[n] for n in inputs})
        assert (
            "lake." not in flow.filled(words) and filled_in.columns == judge.bind(flow.query, {n: tables[n] for n in inputs}).columns
        )
    assert len(flows) >= 3


def test_a_word_that_is_left_out_is_no_text() -> None:
    with pytest.raises(KeyError):
        filled("SELECT 1 FROM a.b.c", [Place(14, 19, "a.b.c")], {})


def test_a_plan_of_an_earlier_version_is_never_filled_without_its_places(programs: list[Program]) -> None:
    flow = next(f for f in programs[0].flows.values() if f.places)
    with pytest.raises(DefinitionError, match="does not tell where its query names datasets"):
        replace(flow, places=()).filled({})
    assert "FROM x.y" in flow.filled({place.means: "x.y" for place in flow.places})
