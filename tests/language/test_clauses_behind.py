"""Clauses within a query, or behind it, are told by name at their place; what a query calls by a clause's word stays a name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from language import ProgramErrors, compile_program
from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import engine
from language.parse.clauses import ClauseParser
from language.parse.token_reader import TokenReader
from language.text.clause_words import CLAUSES
from language.text.diagnostics import Diagnostic, source_text
from language.text.tokens import split_statements, tokenize
from shared_metadata.contract.declaration import Slice

_HEAD = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
INSERT INTO lake.ops.t EVERY '1 hour' MERGE ON (id) AS SELECT id, a, b FROM ops.public.t;
"""
# What may stand behind a target, whole.
WHOLE = [
    "EVERY '2 hours'",
    "REPLACE",
    "append",
    "MERGE ON (id, a)",
    "PARTITION BY (a)",
    "partition\n by (a)",
    "CURSOR a",
    "capture",
    "MASK (a HASH, b DROP)",
    "EXPECT good: (a > 3 AND b IN (1, 2)) OR FAIL",
    "TOLERATE lake.ops.t STALE '1 day'",
    "TOLERATE 5 BAD ROWS",
    "TOLERATE 0.5 PERCENT BAD ROWS",
    "FRESH WITHIN '3 hours'",
    "USING presto",
]
HALF = [
    "EVERY 2 hours",
    "EVERY '2 lightyears'",
    "MERGE (id)",
    "PARTITION (a)",
    "PARTITION BY a",
    "CURSOR",
    "MASK (a)",
    "MASK a HASH",
    "EXPECT good (a > 3)",
    "TOLERATE lake.ops.t",
    "TOLERATE 5",
    "FRESH '3 hours'",
    "FRESH WITHIN 3 hours",
]
# Of each dialect a statement, and queries behind each of which a clause may come to stand.
_ENDS = ["", " WHERE a > 3", " WHERE a IS NOT NULL", " WHERE b = 'x'", " WHERE a IN (1, 2)"]
_MORE_ENDS = [
    " AS s",
    " ORDER BY a DESC",
    " GROUP BY id, a, b",
    " ORDER BY id LIMIT 5",
    " WHERE b LIKE 'x%' AND NOT (a = 1)",
    " WHERE a = CASE WHEN b = 'x' THEN 1 END",
]
PLACES = {
    "duckdb": (
        "CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' REPLACE AS ",
        "SELECT id, a, b FROM lake.ops.t",
        [*_ENDS, *_MORE_ENDS],
    ),
    "trino": (
        "CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' REPLACE USING presto AS ",
        "SELECT id, a, b FROM lake.ops.t",
        [*_ENDS, *_MORE_ENDS],
    ),
    "postgres": ("INSERT INTO lake.ops.u EVERY '1 hour' REPLACE AS ", "SELECT id, a, b FROM ops.public.t", [*_ENDS, *_MORE_ENDS]),
    "soql": ("INSERT INTO lake.crm.u EVERY '1 hour' AS ", "SELECT id, a, b, SystemModstamp FROM crm.Account", _ENDS),
}
# Queries that DuckDB reads, with a name at `{}`.
NAMES = [
    "SELECT id FROM lake.ops.{}",
    "SELECT id FROM lake.{}.t",
    "SELECT {} FROM lake.ops.t",
    "SELECT id, {} FROM lake.ops.t",
    "SELECT id AS {} FROM lake.ops.t",
    "SELECT id {} FROM lake.ops.t",
    "SELECT id FROM lake.ops.t AS {}",
    "SELECT id FROM lake.ops.t {}",
    "SELECT id FROM lake.ops.t {} WHERE a > 3",
    "SELECT id FROM lake.ops.t {} ORDER BY id",
    "SELECT {}.id FROM lake.ops.t {}",
    "SELECT {}.id FROM lake.ops.t {} WHERE a > 3",
    "SELECT u.id FROM lake.ops.u u JOIN lake.ops.t {} ON ({}.a)",
    "SELECT u.id FROM lake.ops.u u JOIN lake.ops.t {} ON (a)",
    "SELECT u.id FROM lake.ops.u u JOIN lake.ops.t {} USING (id)",
    "SELECT id FROM lake.ops.u NATURAL JOIN lake.ops.t {}",
    "SELECT id FROM lake.ops.t WHERE {}",
    "SELECT id FROM lake.ops.t WHERE NOT {}",
    "SELECT id FROM lake.ops.t WHERE a = {}",
    "SELECT id FROM lake.ops.t WHERE a BETWEEN 1 AND {}",
    "SELECT id FROM lake.ops.t WHERE a IS DISTINCT FROM {}",
    "SELECT id FROM lake.ops.t WHERE a LIKE {}",
    "SELECT id FROM lake.ops.t WHERE a > 3 OR {}",
    "SELECT id FROM lake.ops.t ORDER BY {}",
    "SELECT id FROM lake.ops.t ORDER BY id, {}",
    "SELECT id FROM lake.ops.t ORDER BY -{}",
    "SELECT id FROM lake.ops.t GROUP BY id, {}",
    "SELECT id FROM lake.ops.t GROUP BY {} HAVING {}",
    "WITH {} AS (SELECT id FROM lake.ops.t) SELECT id FROM {}",
    "WITH u AS (SELECT 1), {} (x) AS (SELECT id FROM lake.ops.t) SELECT x FROM {}",
    "WITH {} AS (SELECT id FROM lake.ops.t) SELECT id FROM lake.ops.u CROSS JOIN {}",
    "WITH {} AS (SELECT id FROM lake.ops.t) SELECT s.id FROM {} s",
    "WITH {} AS (SELECT id FROM lake.ops.t) SELECT id FROM lake.ops.u UNION ALL FROM {}",
    "SELECT id FROM (SELECT id FROM lake.ops.t) {}",
    "SELECT id FROM (SELECT id FROM lake.ops.t) AS {} (id)",
    "SELECT x FROM lake.ops.t {} (x)",
    "SELECT id FROM (SELECT id FROM lake.ops.t {})",
    "FROM lake.ops.t SELECT id, {}",
    "FROM lake.ops.t SELECT {}",
    "FROM lake.ops.t {}",
    "SELECT id, max(a) OVER {} FROM lake.ops.t WINDOW {} AS (PARTITION BY b)",
    "SELECT id, max(a) OVER (PARTITION BY {} ORDER BY {}) AS m FROM lake.ops.t",
    "SELECT * REPLACE (id + 1 AS {}) FROM lake.ops.t",
    "SELECT id FROM lake.ops.t, lake.ops.u {}",
    "SELECT id FROM lake.ops.t {}, lake.ops.u",
    "SELECT id FROM lake.ops.t {} USING SAMPLE 3 ROWS",
    "SELECT s.{}.x FROM lake.ops.t s",
    "PIVOT lake.ops.t ON a IN (1, 2) USING sum(b) GROUP BY {}",
    "SELECT id, '{} ''1 hour''' AS c /* {} */ FROM lake.ops.t -- {}\n",
]


def _mistakes(program: str, slices: Mapping[str, Slice]) -> tuple[Diagnostic, ...]:
    try:
        compile_program({"p.sql": program}, slices)
    except ProgramErrors as errors:
        return errors.diagnostics
    return ()


def test_the_words_are_those_with_which_clauses_begin() -> None:
    (chunk,) = split_statements(tokenize(source_text("p.sql", "INSERT INTO lake.ops.t;")))
    assert {*ClauseParser(TokenReader(chunk), "INSERT", tables=True).words} == {*CLAUSES, "AS", "FROM"}
    assert {clause.split()[0].upper() for clause in WHOLE} == set(CLAUSES)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_clause_behind_a_query_is_told_by_name(data: st.DataObject, slices: Mapping[str, Slice]) -> None:
    before, query, ends = PLACES[data.draw(st.sampled_from(sorted(PLACES)))]
    clauses = data.draw(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=3))
    end = data.draw(st.sampled_from(ends))
    between = data.draw(st.sampled_from([" ", "\n  ", " -- why\n", " /* why */ "]))
    text = f"{_HEAD}{before}{query}{end}{between}"
    found = _mistakes(f"{text}{between.join(clauses)};", slices)
    mistake = next((one for one in found if "stand" in one.cause and "behind the query" in one.cause), None)
    assert mistake is not None, found
    assert clauses[0].split()[0].upper() in mistake.cause.upper() and "before AS" in mistake.remedy
    lines = text.split("\n")
    first = (len(lines), len(lines[-1]) + 1)
    assert (mistake.line, mistake.column) == first


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_half_a_clause_behind_a_query_is_told_as_a_clause(data: st.DataObject, slices: Mapping[str, Slice]) -> None:
    before, query, ends = PLACES[data.draw(st.sampled_from(sorted(PLACES)))]
    clause, end = data.draw(st.sampled_from(HALF)), data.draw(st.sampled_from(ends))
    found = _mistakes(f"{_HEAD}{before}{query}{end} {clause};", slices)
    word = clause.split()[0]
    assert any(f"`{word}" in one.cause and f"write {CLAUSES[word]} before AS" in one.remedy for one in found), found


@pytest.mark.parametrize("clause", WHOLE)
def test_a_clause_between_as_and_the_query_is_told(clause: str, slices: Mapping[str, Slice]) -> None:
    before, query, _ = PLACES["duckdb"]
    (mistake,) = _mistakes(f"{_HEAD}{before}{clause} {query};", slices)
    assert (mistake.cause.endswith("behind AS") and mistake.remedy == "write it before AS") or "before AS" in mistake.remedy


def _reads(query: str) -> bool:
    try:
        engine().tree(query)
    except EngineError:
        return False
    return True


def _told_as_clauses(query: str, slices: Mapping[str, Slice]) -> list[Diagnostic]:
    found = _mistakes(f"{_HEAD}CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' REPLACE AS\n{query};", slices)
    return [one for one in found if "before AS" in one.remedy]


@settings(max_examples=150, deadline=None)
@given(query=st.sampled_from(NAMES), word=st.sampled_from(sorted(CLAUSES)), upper=st.booleans())
def test_a_name_that_is_a_clauses_word_is_one(query: str, word: str, upper: bool, slices: Mapping[str, Slice]) -> None:
    """What DuckDB reads with the word as a name is read, or it is told that such a name stands in quotes; in quotes it is read."""
    name = word if upper else word.lower()
    assert not _told_as_clauses(query.replace("{}", f'"{name}"'), slices)
    written = query.replace("{}", name)
    if _reads(written):
        told = _told_as_clauses(written, slices)
        assert all(one.remedy.endswith(f'; as a name it is written "{word.lower()}"') for one in told)
        uses = query.count("{}") > 1 or "AS {}" in query
        assert not (told and uses), told


@pytest.mark.parametrize("piece", ["tolerate 1 ", "mask (a hash) ", "every '1 hour' ", "append ", "cursor x ", "{{ x ", "{% x "])
def test_of_many_beginnings_the_first_are_told(piece: str, slices: Mapping[str, Slice]) -> None:
    before, query, _ = PLACES["duckdb"]
    found = _mistakes(f"{_HEAD}{before}{query} {piece * 300};", slices)
    assert 1 <= len(found) <= 20
