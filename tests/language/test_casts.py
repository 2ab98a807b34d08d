"""Where DuckDB has no cast from one type to another it binds one all the same, and stops at the first row: `check` refuses it.

Asked of DuckDB for every pair of types in every place where one type meets another.
"""

from __future__ import annotations

import duckdb
import pytest

from language.text.diagnostics import Problem
from tests.language.typed_query import typed

# column ▸ its type in a schema, DuckDB's, and a value that stands for any
COLUMNS = {
    "b": ("boolean", "BOOLEAN", "true"),
    "i": ("int", "INTEGER", "1"),
    "l": ("long", "BIGINT", "1"),
    "f": ("float", "FLOAT", "1"),
    "d": ("double", "DOUBLE", "1"),
    "n": ("decimal(10,2)", "DECIMAL(10, 2)", "1"),
    "s": ("string", "VARCHAR", "'1'"),
    "dt": ("date", "DATE", "'2020-01-01'"),
    "tm": ("time", "TIME", "'10:00'"),
    "ts": ("timestamp", "TIMESTAMP", "'2020-01-01'"),
    "tz": ("timestamptz", "TIMESTAMPTZ", "'2020-01-01'"),
    "u": ("uuid", "UUID", "uuid()"),
    "x": ("binary", "BLOB", "'a'::BLOB"),
    "li": ("list<int>", "INTEGER[]", "[1]"),
    "ld": ("list<date>", "DATE[]", "[DATE '2020-01-01']"),
    "st": ("struct<a: int>", "STRUCT(a INTEGER)", "{'a': 1}"),
    "su": ("struct<a: uuid>", "STRUCT(a UUID)", "{'a': uuid()}"),
    "m": ("map<string, boolean>", "MAP(VARCHAR, BOOLEAN)", "MAP {'a': true}"),
}
# What has a type that only a query can have, or is made in a query.
MADE = ["i::TINYINT", "l::UBIGINT", "l::HUGEINT", "INTERVAL (i) DAY", "tm::TIMETZ", "ts::TIMESTAMP_NS", "ts::TIMESTAMP_S", "i::BIT"]
MADE += ["(i = i)", "(i BETWEEN i AND i)", "(b AND b)", "(NOT b)", "(i IN (i, 2))", "(s IS NULL)", "exists(SELECT 1)", "[[b]]"]
MADE += ["array_value(b)", "s::ENUM ('1', '2')", "{'a': {'b': dt}}", "to_json(i)", "(SELECT max(dt) FROM lake.ops.t)"]
PLACES = [
    "SELECT (({a}) = ({b}))::VARCHAR AS o FROM lake.ops.t",
    "SELECT ({a}) AS o FROM lake.ops.t WHERE ({a}) < ({b})",
    "SELECT (({a}) IS DISTINCT FROM ({b}))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (({a}) IN (({b}), ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (({a}) IN (SELECT ({b}) FROM lake.ops.t))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (({a}) BETWEEN ({b}) AND ({b}))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (CASE WHEN b THEN ({a}) ELSE ({b}) END)::VARCHAR AS o FROM lake.ops.t",
    "SELECT (CASE ({a}) WHEN ({b}) THEN 1 ELSE 2 END)::VARCHAR AS o FROM lake.ops.t",
    "SELECT CASE WHEN ({a}) = ({b}) THEN b ELSE b END AS o FROM lake.ops.t",
    "SELECT (coalesce(nullif(({a}), ({a})), ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (nullif(({a}), ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (greatest(({a}), ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT ([({a}), ({b})])::VARCHAR AS o FROM lake.ops.t",
    "SELECT ({{'k': ({a})}} = {{'k': ({b})}})::VARCHAR AS o FROM lake.ops.t",
    "SELECT (({a}) || ({b}))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (list_contains([({a})], ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (list_transform([({a})], e -> e = ({b})))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (lag(({a}), 1, ({b})) OVER (ORDER BY i))::VARCHAR AS o FROM lake.ops.t",
    "SELECT (max(s) FILTER (({a}) = ({b}))) AS o FROM lake.ops.t",
    "SELECT o::VARCHAR AS o FROM (SELECT ({a}) AS o FROM lake.ops.t UNION ALL SELECT ({b}) FROM lake.ops.t)",
    "SELECT o::VARCHAR AS o FROM (SELECT ({a}) AS o FROM lake.ops.t INTERSECT SELECT ({b}) FROM lake.ops.t)",
    "SELECT o::VARCHAR AS o FROM (VALUES (({a}))) AS v(o) UNION ALL SELECT max(s) FROM lake.ops.t WHERE ({b}) IS NULL",
    "SELECT one.s AS o FROM (SELECT s, ({a}) AS k FROM lake.ops.t) one JOIN (SELECT ({b}) AS k FROM lake.ops.t) two ON one.k = two.k",
    "SELECT s AS o FROM (SELECT s, ({a}) AS k FROM lake.ops.t) one LEFT JOIN (SELECT ({b}) AS k FROM lake.ops.t) two USING (k)",
    "SELECT (CAST(({a}) AS {type_of_b}))::VARCHAR AS o FROM lake.ops.t",
]


TABLES = {"lake.ops.t": {name: kind for name, (kind, _, _) in COLUMNS.items()}}
VALUES = [*COLUMNS, *MADE]


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    """With rows whose values are there, one for each branch."""
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.ops")
    connection.execute(f"CREATE TABLE lake.ops.t ({', '.join(f'{name} {kind}' for name, (_, kind, _) in COLUMNS.items())})")
    connection.execute(f"INSERT INTO lake.ops.t VALUES ({', '.join(value for _, _, value in COLUMNS.values())})")
    connection.execute("INSERT INTO lake.ops.t SELECT * REPLACE (false AS b) FROM lake.ops.t")
    return connection


def _can_run(query: str, database: duckdb.DuckDBPyConnection) -> bool:
    """Whether DuckDB runs it for some values."""
    try:
        database.execute(query).fetchall()
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.NotImplementedException):
        return False
    except duckdb.Error as error:
        return "Unimplemented type for cast" not in str(error)
    return True


def _mistakes(query: str) -> list[tuple[str, str]]:
    try:
        return [(query[p.start : p.end], p.cause) for p in typed(query, TABLES).problems if "no table can hold" not in p.cause]
    except Problem as problem:
        return [("", problem.diagnostic.cause)]


def _beside(place: str, value: str) -> list[str]:
    """All in a comparison and in a CAST, elsewhere each value a quarter of them: another one in each place."""
    number = PLACES.index(place)
    return VALUES if number == 0 or "CAST(" in place else VALUES[(number + VALUES.index(value)) % 4 :: 4]


@pytest.mark.sampled(40)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_a_query_is_refused_exactly_where_no_value_can_pass(place: str, value: str, database: duckdb.DuckDBPyConnection) -> None:
    for other in _beside(place, value):
        (described,) = database.execute(f"DESCRIBE SELECT {other} AS o FROM lake.ops.t").fetchall()
        query = place.format(a=value, b=other, type_of_b=described[1])
        assert (_mistakes(query) == []) == _can_run(query, database), query


@pytest.mark.parametrize(
    ("query", "words", "source", "target"),
    [
        ("SELECT CASE WHEN dt = (b = b) THEN b ELSE b END AS o FROM lake.ops.t", "b = b", "BOOLEAN", "DATE"),
        ("SELECT dt <> (i BETWEEN 1 AND l) AS o FROM lake.ops.t", "i BETWEEN 1 AND l", "BOOLEAN", "DATE"),
        (
            "SELECT s FROM lake.ops.t WHERE dt IN (SELECT dt FROM lake.ops.t WHERE u = (b AND i > 1))",
            "b AND i > 1",
            "BOOLEAN",
            "UUID",
        ),
        ("SELECT a.s FROM lake.ops.t a JOIN (SELECT i AS dt FROM lake.ops.t) c USING (dt)", "dt", "INTEGER", "DATE"),
        ("SELECT list_transform(ld, e -> e = (i = 1)) AS o FROM lake.ops.t", "i = 1", "BOOLEAN", "DATE"),
        ("SELECT li = ld AS o FROM lake.ops.t", "li", "INTEGER[]", "DATE[]"),
        ("SELECT CAST(b AS DATE) AS o FROM lake.ops.t", "b", "BOOLEAN", "DATE"),
        ("SELECT max(s) AS o FROM lake.ops.t HAVING sum(i) = max(dt)", "sum(i)", "HUGEINT", "DATE"),
        ("SELECT b AS o FROM lake.ops.t UNION SELECT dt FROM lake.ops.t", "b", "BOOLEAN", "DATE"),
        ("SELECT s FROM lake.ops.t AS t WHERE t.b = t.dt", "t.b", "BOOLEAN", "DATE"),
    ],
)
def test_what_is_told_is_the_place_and_the_two_types(query: str, words: str, source: str, target: str) -> None:
    (found,) = _mistakes(query)
    assert found == (words, f"this is {source} where {target} is wanted, which it never becomes")


@pytest.mark.parametrize(
    "expression", ["TRY(i = dt)", "TRY_CAST(b AS DATE)", "NULL = dt", "[] = ld", "{'a': NULL} = su", "li = [NULL]"]
)
def test_what_gives_null_instead_and_what_has_no_value_are_fine(expression: str) -> None:
    assert _mistakes(f"SELECT ({expression})::VARCHAR AS o FROM lake.ops.t") == []


@pytest.mark.parametrize("words", ["'123456789.1'", "concat('x', 'y')"])
def test_a_text_is_held_against_types_with_sizes_too(words: str) -> None:
    ((place, _),) = _mistakes(f"SELECT s FROM lake.ops.t WHERE n = {words}")
    assert place == words
