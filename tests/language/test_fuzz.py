"""A fixed selection of what `make fuzz` does for longer: generated and mutated programs, and the texts that once went wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from language import compile_program
from shared_metadata.contract.declaration import Slice
from tests.language.generated import GOOD, KINDS, program
from tests.language.oracle import airline, check_text

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.sql"))
quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
by_chance = st.randoms(use_true_random=False)


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_what_once_went_wrong_is_answered_well(file: Path, slices: Mapping[str, Slice]) -> None:
    check_text(file.read_bytes().decode("utf-8", "replace"), slices)


@pytest.mark.parametrize("kind", ["grammar", "mutation", "words", "dialect", "typed"])
@quickly
@given(chance=by_chance, typed=st.booleans())
def test_programs_made_by_chance_are_answered_well(
    kind: str, chance: random.Random, typed: bool, slices: Mapping[str, Slice]
) -> None:
    check_text(KINDS[kind](chance), slices, airline() if typed else None)


def test_a_good_part_of_the_generated_programs_compiles(slices: Mapping[str, Slice]) -> None:
    """Else the fuzzer would only try error messages."""
    assert sum(check_text(program(random.Random(seed)), slices) is not None for seed in range(60)) > 8


@quickly
@given(data=st.data(), text=st.sampled_from(GOOD))
def test_damaged_bytes_are_answered_well(data: st.DataObject, text: str, slices: Mapping[str, Slice]) -> None:
    """What no UTF-8 is, is refused before the compiler sees it: here it sees the replacement character."""
    damaged = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    check_text(damaged.decode("utf-8", "replace"), slices)


@pytest.mark.parametrize("length", [1, 2, 10, pytest.param(1000, marks=pytest.mark.deep)])
def test_a_circle_of_views_is_one_mistake(length: int, slices: Mapping[str, Slice]) -> None:
    views = "".join(
        f"CREATE MATERIALIZED VIEW lake.v.v{n} EVERY '1 day' REPLACE AS SELECT * FROM lake.v.v{(n + 1) % length};\n"
        for n in range(length)
    )
    text = f"CREATE WAREHOUSE lake USING iceberg;\n{views}"
    check_text(text, slices)
    with pytest.raises(Exception, match=r"views read each other in a circle: lake\.v\.v0 reads ") as raised:
        compile_program({"p.sql": text}, slices)
    assert len(raised.value.diagnostics) == 1 and len(str(raised.value)) < 2000


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.deep)])
def test_many_statements_without_their_warehouse_are_as_many_mistakes(count: int, slices: Mapping[str, Slice]) -> None:
    text = "".join(f"CREATE MATERIALIZED VIEW lake.v.v{n} EVERY '1 day' REPLACE AS SELECT 1 AS one;\n" for n in range(count))
    with pytest.raises(Exception, match=f"{count} errors"):
        compile_program({"p.sql": text}, slices)
    check_text(text.replace("\n", " "), slices)
