"""What is wrong with a collect query is told at its place, with cause and remedy, all of it at once; the remedies are such.

Each case is a query and, for each mistake, `the words at its place: cause; remedy`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.text.diagnostics import Problem
from tests.language.postgres_oracle import COLUMNS, ours
from tests.language.typed_query import typed

BLOCKS = Path(__file__).with_name("postgres_errors.txt").read_text(encoding="utf-8").strip().split("\n\n")
CASTS = re.compile(r"write (?=(CAST.*))CAST\((.*) AS [\w ]+\)$")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:60])
def test_mistakes_have_places_causes_and_remedies(block: str) -> None:
    query, *expected = block.splitlines()
    assert _shown(query) == expected


@pytest.mark.parametrize("block", [b for b in BLOCKS if all("; write CAST(" in line for line in b.splitlines()[1:])])
def test_a_cast_that_is_advised_is_one_that_helps(block: str) -> None:
    query, problem = block.splitlines()
    ((cast, value),) = CASTS.findall(problem)
    name = rf"(?<![\w.]){re.escape(value)}(?![\w(])"
    places = [found.start() for found in re.finditer(name, query)]
    mended = [query[:at] + cast + query[at + len(value) :] for at in places]
    assert any(not isinstance(ours(each), str) for each in mended), mended


@given(st.text("aé1. '\"$\\/*-;eExXuU&(,\n", max_size=25))
def test_no_text_is_answered_but_by_its_problems(text: str) -> None:
    for shown in _shown(f"SELECT {text} FROM t"):
        assert ": " in shown


def _shown(query: str) -> list[str]:
    try:
        found = typed(query, {"t": COLUMNS, "v": COLUMNS}, "postgres").problems
    except Problem as problem:
        said = problem.diagnostic
        return [f"{query[said.column - 1 : said.column - 1 + said.length]}: {said.cause}; {said.remedy}"]
    return [f"{query[p.start : p.end]}: {p.cause}; {p.remedy}" for p in found]


def test_a_program_without_collect_queries_loads_no_parser() -> None:
    code = """
import sys
from slices.registry import installed
from language.compiler import compile_sources
from language.sql.dialect import as_source
assert as_source('postgres').collected
program = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'x');"
compile_sources({"p.sql": program + "INSERT INTO lake.ops FROM ops.public TABLES (t) EVERY '1 day';"}, installed())
assert "postgast" not in sys.modules and "language.dialects.postgres.typing" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_document_has_the_type_to_which_it_is_cast() -> None:
    query = """SELECT CAST(j AS "struct<a:int, b: list<string>>") AS x, j::"map<string,long>" AS m, j::"list<double>" FROM t"""
    found = typed(query, {"t": COLUMNS}, "postgres")
    assert found.problems == ()
    kinds = [(column.name, column.type) for column in found.columns]
    assert kinds == [("x", "struct<a: int, b: list<string>>"), ("m", "map<string, long>"), ("j", "list<double>")]


@pytest.mark.parametrize("odd", ["\0", "\0 garbage", "\ud800", "\x01"])
def test_characters_that_no_query_has_end_no_text_and_are_refused(odd: str) -> None:
    assert _shown(f"SELECT i FROM t {odd}") != [] and _shown(f"SELECT 'é', i FROM t WHERE {odd}") != []
