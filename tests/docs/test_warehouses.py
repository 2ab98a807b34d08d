"""docs/warehouses.md says of each warehouse and engine what its slice declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slices.organize.athena.service import MOST_TIMEOUT_MINUTES, TIMEOUT_MINUTES
from slices.registry import installed

PAGE = (Path(__file__).parents[2] / "docs" / "warehouses.md").read_text()
ROWS = {
    row.split("](../slices/")[1].partition("/README.md")[0]: row
    for row in PAGE.splitlines()
    if "](../slices/organize/" in row and row.startswith("| `")
}
SLICES = {f"{s.stage}/{s.system}": s for s in installed().values() if s.stage == "organize"}


def test_each_engine_has_its_row() -> None:
    assert set(ROWS) == set(SLICES)


@pytest.mark.parametrize("name", sorted(SLICES))
def test_a_row_says_what_its_slice_declares(name: str) -> None:
    cells = [cell.strip() for cell in ROWS[name].strip("|").split(" | ")]
    able = SLICES[name].capabilities
    assert cells[0] == f"`{SLICES[name].works_in}`"
    assert cells[6] == (str(able.at_once) if able.at_once else "any")
    written, types = cells[7] if len(cells) > 7 else "", {"time", "uuid", "list", "map", "struct"}
    told = set(re.findall(r"`(\w+)`", written.partition(";")[0])) & types
    assert told == set(able.never_written) & types


SIZES = (Path(__file__).parents[2] / "docs" / "scale.md").read_text().partition("| engine | right up to |")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", sorted(SLICES))
def test_the_page_of_sizes_says_where_each_engine_stops_being_right(name: str) -> None:
    slice_ = SLICES[name]
    first = [row.split(" | ")[0].strip("| ") for row in SIZES.splitlines()]
    called = "DuckDB, a view" if slice_.engine == "duckdb" else slice_.title
    (row,) = (row for row, begins in zip(SIZES.splitlines(), first, strict=True) if begins == called)
    places = slice_.capabilities.at_once
    assert not places or f"{places} tables at once" in row


def test_how_long_a_query_of_athena_may_take_is_what_its_errors_say() -> None:
    taken = ROWS["organize/athena"].strip("|").split(" | ")[5]
    assert f"{TIMEOUT_MINUTES} minutes" in taken and str(MOST_TIMEOUT_MINUTES) in taken
