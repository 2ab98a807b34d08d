"""Constant parts of a query are computed when it is compiled: what has no value is told at its place, and nothing else is."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.language.typed_query import typed

TABLES = {"lake.ops.t": {"id": "long", "name": "string", "day": "date", "seen": "timestamptz", "small": "decimal(3,1)"}}
# A constant, and the words at the place of what has no value in it.
WITHOUT_VALUE = {
    "CAST('x' AS INTEGER)": "'x'",
    "('to' || 'day')::DATE": "'to' || 'day'",
    "DATE '2024-13-01'": "'2024-13-01'",
    "make_date(2024, 13, 1)": "make_date(2024, 13, 1)",
    "200::TINYINT": "200",
    "9223372036854775807 + 1": "9223372036854775807 + 1",
    "sqrt(-1)": "sqrt(-1)",
    "12345.6::DECIMAL(3, 1)": "12345.6",
    "'x'::DECIMAL(3, 1)": "'x'",
    "strptime('x', '%Y')": "strptime('x', '%Y')",
    "upper(lower(CAST(concat('a', 'b') AS INTEGER)::VARCHAR))": "concat('a', 'b')",
    "[1, 'x'::INTEGER]": "'x'",
    "CAST('' AS DOUBLE)": "''",
    "batch_end() - INTERVAL '1 fortnight'": "'1 fortnight'",
}
PLACES = [
    "SELECT ({}) AS x FROM lake.ops.t",
    "SELECT id FROM lake.ops.t WHERE ({})::VARCHAR = name",
    "SELECT id, count(*) AS n FROM lake.ops.t GROUP BY id HAVING max(name) > ({})::VARCHAR",
    "WITH a AS (SELECT id FROM lake.ops.t WHERE name IN (SELECT ({})::VARCHAR)) SELECT id FROM a",
    "SELECT a.id FROM lake.ops.t a JOIN lake.ops.t b ON a.id = b.id AND b.name <> ({})::VARCHAR",
    "SELECT CASE WHEN ({})::VARCHAR = name THEN 1 ELSE 2 END AS x FROM lake.ops.t",
    "SELECT coalesce(({})::VARCHAR, name) AS x FROM lake.ops.t",
    "SELECT list_transform([name], n -> n || ({})::VARCHAR) AS x FROM lake.ops.t",
]
NOT_REACHED = [
    "SELECT CASE WHEN id > 1 THEN ({})::VARCHAR ELSE name END AS x FROM lake.ops.t",
    "SELECT CASE WHEN id > 1 THEN name WHEN name = ({})::VARCHAR THEN 'a' END AS x FROM lake.ops.t",
    "SELECT coalesce(name, ({})::VARCHAR) AS x FROM lake.ops.t",
    "SELECT TRY(({})::VARCHAR) AS x FROM lake.ops.t",
]


def _mistakes(query: str) -> list[tuple[str, str]]:
    return [(query[p.start : p.end], p.cause) for p in typed(query, TABLES).problems]


@pytest.mark.parametrize("constant", WITHOUT_VALUE)
@pytest.mark.parametrize("query", PLACES)
def test_a_constant_without_a_value_is_refused_at_its_place(query: str, constant: str) -> None:
    (found,) = _mistakes(query.format(constant))
    assert found[0] == WITHOUT_VALUE[constant] and "no" in found[1]


@pytest.mark.parametrize("constant", WITHOUT_VALUE)
@pytest.mark.parametrize("query", NOT_REACHED)
def test_what_need_not_be_reached_is_not_computed(query: str, constant: str) -> None:
    assert _mistakes(query.format(constant)) == []


IN_BRANCHES = [
    "CASE WHEN id > 1 THEN {} ELSE '' END",
    "coalesce(name, {})",
    "CASE WHEN id < 1 THEN CASE WHEN id > 1 THEN {} END ELSE '' END",
    "if(id > 1, {}, '')",
]
COMPUTED_BEFORE = ["(SELECT ({})::VARCHAR)", "(max(({})::VARCHAR) OVER ())", "(max(({})::VARCHAR || name) OVER ())"]


@pytest.mark.parametrize("inside", ["({})::VARCHAR", *COMPUTED_BEFORE])
@pytest.mark.parametrize("branch", IN_BRANCHES)
@pytest.mark.parametrize("constant", ["CAST('x' AS INTEGER)", "('x' || 'y')::DATE", "200::TINYINT", "'y'::DECIMAL(3, 1)"])
def test_a_branch_that_is_not_reached_is_refused_exactly_where_duckdb_computes_it(constant: str, branch: str, inside: str) -> None:
    """It does of subqueries, aggregates and windows, whatever comes of the expression in which they stand."""
    expression = branch.format(inside.format(constant))
    rows = "(VALUES (1, 'a')) AS t(id, name)"
    try:
        duckdb.execute(f"SELECT {expression} AS x FROM {rows}").fetchall()
        runs = True
    except duckdb.ConversionException:
        runs = False
    assert (_mistakes(f"SELECT ({expression})::VARCHAR AS x FROM lake.ops.t") == []) == runs


ROWS = "(VALUES (1::BIGINT, 'a', DATE '2024-01-01', TIMESTAMPTZ '2024-01-01', 1::DECIMAL(3, 1))) AS t(id, name, day, seen, small)"
# Where DuckDB reads a text as what stands beside it, without a CAST.
MIXED = [
    *("{c} = {t}", "{t} < {c}", "{c} IN ({c}, {t})", "{c} BETWEEN {t} AND {c}", "{c} IS DISTINCT FROM {t}", "{t} = ANY ([{c}])"),
    *("nullif({c}, {t})", "greatest({c}, {t})", "list_contains([{c}], {t})", "list_position([{c}], {t})", "[{c}] = [{t}]"),
    *("coalesce({c}, {t})", "CASE WHEN id > 1 THEN {t} ELSE {c} END", "CASE {c} WHEN {t} THEN 1 END", "ifnull({c}, {t})"),
    *("CASE WHEN id > 0 THEN 1 WHEN {c} = {t} THEN 2 END", "{{'k': {c}}} = {{'k': {t}}}", "list_filter([{c}], e -> e = {t})"),
    *("(SELECT max({c}) FROM t AS u WHERE u.{c} = {t})", "max({c} = {t}) OVER ()", "if(id > 1, {c} = {t}, true)", "TRY({c} = {t})"),
]


@pytest.mark.sampled(20)
@pytest.mark.parametrize("text", ["'x'", "'1234.5'", "concat('x', 'y')"])
@pytest.mark.parametrize("column", ["id", "day", "seen", "small"])
@pytest.mark.parametrize("mixed", MIXED)
def test_a_text_beside_another_type_is_refused_exactly_where_duckdb_reads_it_in_every_row(mixed: str, column: str, text: str) -> None:
    """In a branch that no row reaches DuckDB does not; where some rows reach it, nobody can tell before they are there."""
    for branch in ("{}", *IN_BRANCHES, "CASE WHEN false THEN {} END"):
        expression = branch.format(f"({mixed.format(c=column, t=text)})::VARCHAR")
        try:
            duckdb.execute(f"WITH t AS (SELECT * FROM {ROWS}) SELECT {expression} AS x FROM t").fetchall()
            runs = True
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.BinderException):
            runs = False
        query = f"SELECT {expression} AS x FROM lake.ops.t".replace("FROM t AS u", "FROM lake.ops.t AS u")
        assert (_mistakes(query) == []) == runs, expression


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("day = 'to' || 'day'", "'to' || 'day'"),
        ("seen = '2024-01-01' || ' nonsense'", "'2024-01-01' || ' nonsense'"),
    ],
)
def test_a_constant_text_that_becomes_what_stands_beside_it_is_computed_as_that(condition: str, said: str) -> None:
    ((words, cause),) = _mistakes(f"SELECT id FROM lake.ops.t WHERE {condition}")
    assert words == said and cause.startswith("this has no value")


@pytest.mark.parametrize(
    "expression",
    [
        *("'a' || 'b'", "DATE '2024-01-31' + INTERVAL 1 MONTH", "batch_start() - INTERVAL '1 day'", "1 / 0", "1 // 0", "1 % 0"),
        *("TRY_CAST('x' AS INTEGER)", "TRY('x'::INTEGER)", "[1, 2][3]", "{'a': 1}.a", "MAP {'a': 1}['b']", "NULL::DATE", "-(-1)"),
        *("repeat('x', 2000000000)", "len(range(9000000000))", "lpad('x', 2000000000, 'y')", "error('at run time only')::VARCHAR"),
        *("'a' COLLATE NOCASE = 'A'", "1 IN (1, 2)", "'ä' || '€😀'", "chr(39) || '''' || chr(92)", "'x' LIKE '%' ESCAPE '!'"),
    ],
)
def test_a_constant_with_a_value_and_what_is_not_to_be_computed_are_fine(expression: str) -> None:
    assert _mistakes(f"SELECT ({expression})::VARCHAR AS x FROM lake.ops.t") == []


_TEXTS = st.sampled_from(["'1'", "'x'", "'2024-02-30'", "'2024-02-28'", "'1.5'", "''", "1", "-300", "2.5", "true"])
_TYPES = st.sampled_from(["INTEGER", "TINYINT", "DATE", "TIMESTAMP", "DECIMAL(3, 1)", "BOOLEAN", "UUID", "DOUBLE", "VARCHAR", "TIME"])
_CONSTANTS = st.recursive(
    _TEXTS,
    lambda inner: st.one_of(
        st.tuples(inner, _TYPES).map(lambda pair: f"CAST({pair[0]} AS {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} || {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
        inner.map(lambda each: f"sqrt({each})"),
    ),
    max_leaves=4,
)


@given(constant=_CONSTANTS)
@settings(max_examples=300, deadline=None)
def test_a_constant_is_refused_exactly_where_duckdb_cannot_compute_it(constant: str) -> None:
    query = f"SELECT ({constant})::VARCHAR AS x FROM lake.ops.t"
    try:
        duckdb.execute(f"SELECT CAST(({constant}) AS VARCHAR)").fetchall()
        computes = True
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
        computes = False
    except duckdb.Error:
        return  # it does not bind
    assert (_mistakes(query) == []) == computes, constant
