"""What is wrong with a query is told at its place, with cause and remedy, all of it at once.

Each case is a query and, for each mistake, `the words at its place: cause; remedy`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from language.text.diagnostics import Problem
from tests.language.test_lineage import TABLES
from tests.language.typed_query import typed

BLOCKS = Path(__file__).with_name("query_errors.txt").read_text(encoding="utf-8").strip().split("\n\n")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:60])
def test_mistakes_have_places_causes_and_remedies(block: str) -> None:
    query, *expected = block.splitlines()
    assert _shown(query) == expected


def _shown(query: str) -> list[str]:
    try:
        return [f"{query[p.start : p.end]}: {p.cause}; {p.remedy}" for p in typed(query, TABLES).problems]
    except Problem as problem:  # what the text alone tells
        found = problem.diagnostic
        return [f"{query[found.column - 1 : found.column - 1 + found.length]}: {found.cause}; {found.remedy}"]
