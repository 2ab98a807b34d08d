"""Nesting, chains and lists of ten thousand, each in a process of its own: what went wrong here was a segmentation fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.language.generated import HEAD, view

pytestmark = pytest.mark.deep
ROOT = Path(__file__).parents[2]
MANY = 10_000
DEADLINE_SECONDS = 600  # of a machine that has much else to do
ANSWER = """
import sys
from slices.registry import installed
from tests.language.oracle import airline, check_text
print("compiled" if check_text(sys.stdin.read(), installed(), airline()) else "refused")
"""
REFUSED = {
    "parentheses": "SELECT " + "(" * MANY + "1" + ")" * MANY + " AS a",
    "cases": "SELECT " + "CASE WHEN true THEN " * MANY + "1" + " END" * MANY + " AS a",
    "cases in ELSE": "SELECT " + "CASE WHEN true THEN 1 ELSE " * MANY + "1" + " END" * MANY + " AS a",
    "open cases": "SELECT " + "CASE " * MANY,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * MANY + "lake.ops.flights" + ")" * MANY,
    "FROM first": "FROM (" * MANY + "FROM lake.ops.flights" + ")" * MANY,
    "set operations": "(" * MANY + "SELECT 1 AS a" + " UNION SELECT 2)" * MANY,
    "lists": "SELECT " + "[" * MANY + "]" * MANY + " AS a",
    "structs": "SELECT " + "{'a':" * MANY + "1" + "}" * MANY + " AS a",
    "calls": "SELECT " + "f(" * MANY + ")" * MANY + " AS a",
    "types": "SELECT CAST(1 AS " + "STRUCT(a " * MANY + "INT" + ")" * MANY + ") AS a",
    "WITH in WITH": "WITH a AS (" * MANY + "SELECT 1 AS a" + ") SELECT * FROM a" * MANY,
    "EXISTS": "SELECT 1 AS a WHERE " + "EXISTS (SELECT 1 WHERE " * MANY + "true" + ")" * MANY,
    "NOT": "SELECT " + "NOT " * MANY + "true AS a",
    "minus": "SELECT " + "- " * MANY + "1 AS a",
    "subscripts": "SELECT a" + "[1]" * MANY + " AS a FROM lake.ops.flights",
    "methods": "SELECT a" + ".f()" * MANY + " AS a FROM lake.ops.flights",
    "joins in joins": "SELECT 1 AS a FROM " + "(" * MANY + "lake.ops.flights" + " JOIN lake.ops.flights ON true)" * MANY,
    "parts of a name": "SELECT 1 AS a FROM lake" + ".a" * MANY,
}
REFUSED |= {  # chains, which are read without recursion: into trees as deep as they are long
    "plus": "SELECT " + "1 + " * MANY + "1 AS a",
    "casts": "SELECT 1" + "::INT" * MANY + " AS a",
    "WITH": "WITH c0 AS (SELECT 1 AS a)"
    + "".join(f", c{n} AS (SELECT a FROM c{n - 1})" for n in range(1, 1000))
    + " SELECT a FROM c9",
}
COMPILED = {
    "one text": "SELECT '" + "x" * 300_000 + "' AS a FROM lake.ops.flights",
    "UNION ALL": "SELECT 1 AS a" + " UNION ALL SELECT 1" * MANY,
    "plus": "SELECT " + "1 + " * 900 + "1 AS a",
    "AND": "SELECT 1 AS a FROM lake.ops.flights WHERE " + "id = 1 AND " * MANY + "true",
    "IN": "SELECT 1 AS a WHERE 1 IN (" + "1, " * MANY + "1)",
    "columns": "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(MANY)),
    "VALUES": "SELECT * FROM (VALUES " + "(1), " * MANY + "(1)) v(a)",
    "WITH": "WITH c0 AS (SELECT 1 AS a)"
    + "".join(f", c{n} AS (SELECT a FROM c{n - 1})" for n in range(1, 400))
    + " SELECT a FROM c9",
    "joins": "SELECT 1 AS a FROM lake.ops.flights AS s"
    + "".join(f" JOIN lake.ops.flights AS s{n} ON s{n}.id = s.id" for n in range(100)),
    "a string": "SELECT '" + "a" * MANY * 100 + "' AS a",
    "a number": "SELECT " + "9" * MANY * 10 + ".0 AS a",
    "a name": "SELECT a" + "a" * MANY * 10 + " AS a FROM (SELECT 1 AS a" + "a" * MANY * 10 + ")",
    "comments": "SELECT " + "/* a */ " * MANY + "1 AS a",
    "comments in comments": "SELECT " + "/* " * MANY + "*/ " * MANY + "1 AS a",
}


def _answer(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], input=text, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS, cwd=ROOT
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout.strip()


@pytest.mark.nightly(16)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_nested_beyond_reason_is_refused(name: str) -> None:
    assert _answer(HEAD + view(REFUSED[name])) == "refused"


@pytest.mark.nightly(16)
@pytest.mark.parametrize("name", COMPILED)
def test_what_is_only_long_compiles(name: str) -> None:
    assert _answer(HEAD + view(COMPILED[name])) == "compiled"


def test_a_hundred_levels_are_not_too_deep() -> None:
    for query in (
        "SELECT " + "(" * 98 + "1" + ")" * 98 + " AS a",
        "SELECT * FROM " + "(SELECT * FROM " * 98 + "lake.ops.flights" + ")" * 98,
    ):
        assert _answer(HEAD + view(query)) == "compiled"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO lake.b FROM ops.public TABLES (flights) EVERY '1 hour' EXPECT e: ("
        + "(" * MANY
        + "a"
        + ")" * MANY
        + ") OR WARN;",
        "INSERT INTO lake.b.c EVERY '1 hour' AS SELECT Id, SystemModstamp FROM crm.Account WHERE "
        + "(" * MANY
        + "a = 1"
        + ")" * MANY
        + ";",
        "CREATE CONNECTION x TO postgres WITH (secret = 's', port = " + "9" * MANY + ");",
        "INSERT INTO lake" + ".a" * MANY + " FROM ops TABLES (a) EVERY '1 hour';",
        view("/**/" * MANY + " x"),
        view("(" + "/**/" * 50 + " x"),
        "CREATE " * MANY,
        "INSERT INTO " * MANY,
        "'" * (MANY + 1),
    ],
    ids=["expectation", "SOQL", "number", "name", "comments", "comments in parentheses", "CREATE", "INSERT INTO", "quotes"],
)
def test_other_ways_to_be_too_much_are_refused(statement: str) -> None:
    assert _answer(HEAD + statement) == "refused"


def test_a_program_of_ten_thousand_lines_compiles() -> None:
    views = (
        f"CREATE MATERIALIZED VIEW lake.v.v{n}\n  EVERY '1 day' REPLACE\nAS\nSELECT * FROM lake.v.v{n - 1};\n\n"
        for n in range(1, 2000)
    )
    first = "CREATE MATERIALIZED VIEW lake.v.v0 EVERY '1 day' REPLACE AS SELECT 1 AS one;\n"
    assert _answer(HEAD + first + "".join(views)) == "compiled"
