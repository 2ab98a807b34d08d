"""Types of expressions are those that DuckDB itself tells, over a table with a column of every type that a schema can have."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from language.text.diagnostics import Problem
from tests.language.typed_query import typed
from tests.language.words_of_types import iceberg_name

# column ▸ its type in a schema, DuckDB's, and a value that stands for any
COLUMNS = {
    "b": ("boolean", "BOOLEAN", "true"),
    "i": ("int", "INTEGER", "1"),
    "l": ("long", "BIGINT", "1"),
    "f": ("float", "FLOAT", "1"),
    "d": ("double", "DOUBLE", "1"),
    "n": ("decimal(10,2)", "DECIMAL(10, 2)", "1"),
    "w": ("decimal(30,4)", "DECIMAL(30, 4)", "1"),
    "s": ("string", "VARCHAR", "'1'"),
    "dt": ("date", "DATE", "'2020-01-01'"),
    "tm": ("time", "TIME", "'10:00'"),
    "ts": ("timestamp", "TIMESTAMP", "'2020-01-01'"),
    "tz": ("timestamptz", "TIMESTAMPTZ", "'2020-01-01'"),
    "u": ("uuid", "UUID", "uuid()"),
    "x": ("binary", "BLOB", "'a'::BLOB"),
    "li": ("list<int>", "INTEGER[]", "[1]"),
    "ls": ("list<string>", "VARCHAR[]", "['a']"),
}
TABLES = {"t": {name: kind for name, (kind, _, _) in COLUMNS.items()}}
REFUSED = "refused"

CASES = (Path(__file__).with_name("expressions.txt")).read_text(encoding="utf-8").splitlines()
IMPURE = frozenset(("random()", "current_date", "now()", "today()", "current_timestamp", "uuid()", "gen_random_uuid()"))
STRICTER = re.compile(r".*which it never becomes.*|this text is no .*")


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, (_, kind, _) in COLUMNS.items())})")
    connection.execute(f"INSERT INTO t VALUES ({', '.join(value for _, _, value in COLUMNS.values())})")
    return connection


def _duckdbs(expression: str, database: duckdb.DuckDBPyConnection) -> str:
    """The type that DuckDB tells, as a schema has it; REFUSED for what it does not bind, no row can pass, or no table can hold."""
    try:
        (row,) = database.execute(f"DESCRIBE SELECT {expression} AS o FROM {_from(expression)}").fetchall()
        found = _iceberg(row[1])
    except (duckdb.Error, ValueError):
        return REFUSED
    try:
        database.execute(f"CREATE OR REPLACE TEMP TABLE made AS SELECT {expression} AS o FROM {_from(expression)}")
    except duckdb.Error as error:
        return REFUSED if "Unimplemented type for cast" in str(error) else found
    return found


def _iceberg(kind: str) -> str:
    """Of DuckDB's word for a type; of nested ones sqlglot's reading of it."""
    if kind.startswith("MAP(VARCHAR, "):
        return f"map<string, {_iceberg(kind[13:-1])}>"
    return iceberg_name(exp.DataType.build(kind, dialect="duckdb")) or REFUSED


def _ours(expression: str) -> str:
    try:
        found = typed(f"SELECT {expression} AS o FROM {_from(expression)}", TABLES)
    except Problem:
        return REFUSED
    assert all(problem.cause and problem.remedy for problem in found.problems)
    return REFUSED if found.problems else found.columns[0].type


def _from(expression: str) -> str:
    return "t GROUP BY i" if expression.startswith("grouping") else "t"


@pytest.mark.parametrize("expression", CASES)
def test_an_expression_has_the_type_that_duckdb_tells(expression: str, database: duckdb.DuckDBPyConnection) -> None:
    assert _ours(expression) == (REFUSED if expression in IMPURE else _duckdbs(expression, database))


_LEAVES = st.sampled_from([*COLUMNS, "1", "0", "100000", "3000000000", "1.5", "0.25", "1e2", "i::TINYINT", "l::HUGEINT"])
_BINARY = st.sampled_from(["+", "-", "*", "/", "//", "%", "||", "=", "<", "<>", "AND", "OR", "IS DISTINCT FROM"])


def _trees(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, children, _BINARY, children),
        st.builds("CASE WHEN {} = {} THEN {} ELSE {} END".format, children, children, children, children),
        st.builds("coalesce({}, {})".format, children, children),
        st.builds("greatest({}, {})".format, children, children),
        st.builds("(NOT {})".format, children),
        st.builds("sum({}) OVER ()".format, st.sampled_from(sorted(COLUMNS))),
        st.builds("round({}, 1)".format, children),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=st.recursive(_LEAVES, _trees, max_leaves=6))
@example(expression="CASE WHEN dt = (b = b) THEN b ELSE b END")
def test_any_expression_has_duckdbs_type_or_both_refuse_it(expression: str, database: duckdb.DuckDBPyConnection) -> None:
    """Where only we refuse, DuckDB would have refused the first row that comes to the comparison."""
    ours, duckdbs = _ours(expression), _duckdbs(expression, database)
    if ours == REFUSED != duckdbs:
        assert any(STRICTER.match(p.cause) for p in typed(f"SELECT {expression} AS o FROM t", TABLES).problems)
    else:
        assert ours == duckdbs
