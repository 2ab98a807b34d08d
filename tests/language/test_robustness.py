"""Whatever the text is, the compiler answers with a program or with ProgramErrors whose places are inside the text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from language import ProgramErrors, compile_program
from shared_metadata.contract.declaration import Slice
from tests.language.oracle import check_text

CASES = Path(__file__).parent / "cases"
TEXTS = [p.read_bytes().decode() for p in sorted(CASES.glob("*.sql")) if not p.name.endswith(".format.sql")]
HEAD = "CREATE WAREHOUSE lake USING iceberg;\n"
quickly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quickly
@given(text=st.text(max_size=200))
def test_any_text_gives_a_program_or_errors(text: str, slices: Mapping[str, Slice]) -> None:
    check_text(text, slices)


@quickly
@given(text=st.sampled_from(TEXTS), data=st.data())
def test_a_cut_and_stitched_program_gives_a_program_or_errors(text: str, data: st.DataObject, slices: Mapping[str, Slice]) -> None:
    other = data.draw(st.sampled_from(TEXTS))
    at, to = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(other)))
    noise = data.draw(st.sampled_from(["", ";", "(", ")", "'", '"', "--", "/*", "$$", "\x00", " AS ", " FROM ", "é", ","]))
    check_text(text[:at] + noise + other[to:], slices)


@quickly
@given(
    words=st.lists(
        st.sampled_from(
            [
                "CREATE",
                "INSERT",
                "INTO",
                "VIEW",
                "MATERIALIZED",
                "WAREHOUSE",
                "CONNECTION",
                "lake",
                "crm",
                "ops",
                ".",
                ",",
                ";",
                "(",
                ")",
                "=",
                ":",
                "'x'",
                "'1",
                "hour'",
                "5",
                "TRUE",
                "FROM",
                "TABLES",
                "EVERY",
                "AS",
                "SELECT",
                "*",
                "WITH",
                "USING",
                "TO",
                "iceberg",
                "postgres",
                "MERGE",
                "ON",
                "APPEND",
                "REPLACE",
                "EXPECT",
                "OR",
                "FAIL",
                "{#",
                "#}",
                "{{",
                "%}",
            ]
        ),
        max_size=40,
    )
)
def test_any_sequence_of_the_languages_words_gives_a_program_or_errors(words: list[str], slices: Mapping[str, Slice]) -> None:
    check_text(" ".join(words), slices)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT * FROM " + "(SELECT * FROM " * 3000 + "lake.a.b" + ")" * 3000,
        "SELECT " + "NOT " * 20000 + "true",
        "SELECT " + "f(" * 4000 + ")" * 4000,
        "SELECT 1 " + "UNION ALL SELECT 1 " * 5000,
        "SELECT CASE " * 3000,
    ],
    ids=["parentheses", "subqueries", "operators", "calls", "unions", "open cases"],
)
def test_a_query_nested_beyond_reason_is_no_crash(query: str, slices: Mapping[str, Slice]) -> None:
    check_text(f"{HEAD}CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS {query};", slices)


def test_deep_nesting_is_no_crash_where_another_library_has_raised_the_recursion_limit() -> None:
    """In a process of its own: the failure was a segmentation fault of compiled sqlglot."""
    deep = "f(" * 4000 + ")" * 4000
    code = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from language import ProgramErrors, format_program\n"
        f"try: format_program('CREATE MATERIALIZED VIEW a.b.c EVERY \\'1 hour\\' REPLACE AS SELECT {deep};', 'p.sql')\n"
        "except ProgramErrors: pass\n"
        "print(sys.getrecursionlimit())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "100000"), done.stderr


def test_a_deeply_nested_query_is_refused_at_its_place(slices: Mapping[str, Slice]) -> None:
    deep = "(" * 5000 + "1" + ")" * 5000
    with pytest.raises(ProgramErrors, match=r"p\.sql:2:168: this is nested too deeply") as raised:
        compile_program({"p.sql": f"{HEAD}CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS SELECT {deep};"}, slices)
    assert len(str(raised.value)) < 1000  # a long line is not shown whole


def test_a_program_of_a_thousand_views_compiles(slices: Mapping[str, Slice]) -> None:
    views = "".join(
        f"CREATE MATERIALIZED VIEW lake.v.v{n} EVERY '1 day' REPLACE AS SELECT * FROM lake.v.v{n - 1};\n" for n in range(1, 1000)
    )
    text = f"{HEAD}CREATE MATERIALIZED VIEW lake.v.v0 EVERY '1 day' REPLACE AS SELECT 1 AS one;\n{views}"
    program = compile_program({"p.sql": text}, slices)
    assert program.flows["lake.v.v999"].tables[0].inputs == ("lake.v.v998",)
