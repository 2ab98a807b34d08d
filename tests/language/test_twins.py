"""Two columns of one name are told beside everything else that is wrong with a statement, whatever keeps it from being typed."""

from __future__ import annotations

import pytest

from language import ProgramErrors, compile_with_positions
from slices.registry import installed
from tests.language.oracle import airline
from tests.language.test_engine import COLLECT

TWINS = "two columns would be called `{}` (names are folded to lower case)"


def _mistakes(program: str) -> list[tuple[str, str]]:
    with pytest.raises(ProgramErrors) as caught:
        compile_with_positions({"p.sql": COLLECT + program}, installed(), airline())
    lines = (COLLECT + program).splitlines()
    return [(lines[d.line - 1][d.column - 1 : d.column - 1 + d.length], d.cause) for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("rest", "cause"),
    [
        ("dep_delay + carrier AS late FROM lake.ops.flights", "`+` does not take"),  # which does not bind
        ("nothing FROM lake.ops.flights", "there is no column `nothing`"),
        ("dep_delay = 'x' AS late FROM lake.ops.flights", "this text is no"),  # which binds, and has no value
        ("random() AS late FROM lake.ops.flights", "`random` gives something else"),
        ("1 AS late FROM lake.ops.flihgts", "nothing in the program makes"),  # which no typing meets
        ("1 AS late FROM lake.ops.flights, nowhere", "`nowhere` is no table"),
    ],
)
def test_equal_names_are_told_beside_what_else_is_wrong(rest: str, cause: str) -> None:
    found = _mistakes(f"CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 day' REPLACE AS SELECT id, carrier AS ID, {rest};")
    assert ("carrier AS ID", TWINS.format("id")) in found
    assert any(cause in each for _, each in found) and len(found) == 2, found


def test_equal_names_of_a_reader_of_something_broken_and_of_its_input_are_all_told() -> None:
    found = _mistakes(
        """
        CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 day' REPLACE AS SELECT id, carrier AS c, 1 AS C FROM lake.ops.nowhere;
        CREATE MATERIALIZED VIEW lake.ops.w EVERY '1 day' REPLACE AS SELECT id, c AS x, c AS X FROM lake.ops.v;"""
    )
    assert [cause for _, cause in found if cause.startswith("two")] == [TWINS.format("c"), TWINS.format("x")]


def test_what_a_star_gives_a_second_time_is_one_mistake() -> None:
    found = _mistakes(
        "CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 day' REPLACE AS "
        "SELECT f.*, g.* FROM lake.ops.flights AS f JOIN lake.ops.flights AS g ON f.id = g.id;"
    )
    ((place, cause),) = found
    assert place.endswith(".*") and " names would be those of two columns each: " in cause
