"""A mistake is told at its place whatever text stands before it: DuckDB counts characters in one answer and bytes in another."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from language.dialects.duckdb.predicate import parse_predicate
from language.text.diagnostics import Diagnostic, Problem, SourceText, Span
from tests.language.typed_query import typed

TABLES = {"t": {"a": "int", "größe": "string"}}
WIDE = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="'*/\""), max_size=12)
BEFORE = st.one_of(WIDE.map("'{}'".format), WIDE.map("/*{}*/ 1".format), WIDE.map('1 AS "ä{}"'.format))
MISTAKES = (
    ", a 5 FROM t", ", a AS b selct FROM t", " FROM t WERE a", " FROM t WHERE a = `b`", " FROM t GROUP a",
   
    " FROM t ORDER BY a, WHERE", ", (a FROM t",
    ", nosuch FROM t", ", nosuch(a) FROM t", ", a + größe FROM t", ", 'x'::INTEGER FROM t", ", 'x FROM t",
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
@settings(max_examples=60)
@given(before=BEFORE)
@example(before="/*\xa0\u2003*/ 1")
@example(before="/*--\u3000*/ 1")
@example(before="$a$\u3000$a$")
@example(before='1 AS "\ufeff"')
@example(before="\u2003 1")
@example(before="'`'")
@example(before="/*`*/ 1")
def test_a_query_s_mistake_is_told_where_it_is_after_ascii(mistake: str, before: str) -> None:
    plain, wide = f"SELECT '.'{mistake}", f"SELECT {before}{mistake}"
    offset = len(wide) - len(plain)
    assert _places(plain)
    assert _places(wide) == [(start + offset, cause) for start, cause in _places(plain)]


def _places(query: str) -> list[tuple[int, str]]:
    try:
        return [(found.start, found.cause) for found in typed(query, TABLES).problems if "name" not in found.cause]
    except Problem as problem:
        return [(problem.diagnostic.column - 1, problem.diagnostic.cause)]


@settings(max_examples=60)
@given(text=WIDE, mistake=st.sampled_from(["a 5", "(a", "a = 'x' AND", "a IN 1 2", "a == = 3", "a LIKE 'x"]))
def test_so_is_an_expectation_s(text: str, mistake: str) -> None:
    plain, wide = _expected(f"'.' <> {mistake}"), _expected(f"'{text}' <> {mistake}")
    assert (wide.column - (len(text) - 1), wide.cause) == (plain.column, plain.cause)


def _expected(condition: str) -> Diagnostic:
    with pytest.raises(Problem) as found:
        parse_predicate(Span(SourceText("p.sql", condition), 0, len(condition)))
    return found.value.diagnostic
