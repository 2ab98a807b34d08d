"""Which field of a struct an output is made from, as far as that is exact; else the column."""

from __future__ import annotations

from functools import cache

import duckdb
import pytest

from shared_metadata.program.lineage import Use
from tests.language.typed_query import typed

KIND = 'struct<x: int, "y.Z": string, q: struct<z: int, w: int>>'
TABLES = {"s": {"id": "int", "p": KIND, "l": "list<struct<x: int>>"}, "r": {"id": "int", "p": KIND}}
# Of each query the origins of each column, then what decides over its rows.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "SELECT p.x FROM s": (["s.p.x"], []),
    'SELECT s.p."Y.z" AS y, P.Q.Z + 1 AS z FROM s': (["s.p.y.Z", "s.p.q.z"], []),
    "SELECT p['x'] AS x, struct_extract(p, 'q').w AS w FROM s": (["s.p.x", "s.p.q.w"], []),
    "SELECT p FROM s": (["s.p"], []),
    "SELECT p.q AS q, p.q.z AS z FROM s": (["s.p.q", "s.p.q.z"], []),
    "SELECT p.* FROM s": (["s.p.x", "s.p.y.Z", "s.p.q"], []),
    "SELECT unnest(p) FROM s": (["s.p.x", "s.p.y.Z", "s.p.q"], []),
    "SELECT a.p.q.z AS z FROM (SELECT * FROM s WHERE p.x > 1) a": (["s.p.q.z"], ["s.p.x"]),
    "WITH c AS (SELECT p AS whole, id FROM s) SELECT whole.x AS x FROM c JOIN r ON c.id = r.p.x": (["s.p.x"], ["r.p.x", "s.id"]),
    "SELECT p.x FROM (SELECT p FROM s UNION ALL SELECT p FROM r)": (["r.p.x s.p.x"], []),
    "SELECT p.x, count(*) AS n FROM s GROUP BY p.x": (["s.p.x", ""], ["s.p.x"]),
    "SELECT max(p.q.w) AS w FROM s GROUP BY p": (["s.p.q.w"], ["s.p"]),
    "SELECT (SELECT max(r.p.x) FROM r WHERE r.id = s.p.q.z) AS m FROM s": (["r.p.x"], ["r.id", "s.p.q.z"]),
    # of what is made of a struct, or of several, nothing tells where a field of it comes from
    "SELECT coalesce(p, NULL).x AS x FROM s": (["s.p"], []),
    "SELECT any_value(p).x AS x FROM s": (["s.p"], []),
    "SELECT struct_pack(a := p.x, b := p.q).a AS a FROM s": (["s.p.q s.p.x"], []),
    "SELECT l[1].x AS x, list_transform(l, e -> e.x) AS xs FROM s": (["s.l", "s.l"], []),
    "SELECT p.x FROM (SELECT p FROM s UNION ALL SELECT NULL)": (["s.p"], []),
}
LEAVES = ((), ("x",), ("y.Z",), ("q", "z"), ("q", "w"))


@pytest.mark.parametrize("query", CASES)
def test_an_output_is_made_from_the_field_or_else_from_the_column(query: str) -> None:
    found = typed(query, TABLES)
    assert all(problem.remedy == "name it with AS" for problem in found.problems), found.problems  # what a star makes of "y.Z"
    origins = [" ".join(".".join(ref) for ref in column.inputs) for column in found.columns]
    decides = {".".join((u.table, u.column, *u.fields)) for u in found.uses if u.use is not Use.VALUE}
    assert (origins, sorted(decides)) == CASES[query]


@pytest.mark.parametrize("query", CASES)
def test_a_field_that_no_use_names_decides_over_nothing(query: str) -> None:
    """Each field in turn gets other values; where no use meets it, the result is the same."""
    found = typed(query, TABLES)
    for table in TABLES:
        for leaf in LEAVES[1:]:
            used = any((u.table, u.column) == (table, "p") and _overlap(u.fields, leaf) for u in found.uses)
            assert used or _result(query, None) == _result(query, (table, leaf)), (table, leaf)


def test_what_a_query_names_and_does_not_use_is_read_by_field() -> None:
    found = typed("SELECT x FROM (SELECT p.x AS x, p.q.z AS z FROM s)", TABLES)
    assert {(u.column, *u.fields) for u in found.uses if u.use is Use.VALUE} == {("p", "x"), ("p", "q", "z")}


def test_a_use_of_a_field_is_where_the_text_names_it() -> None:
    query = "SELECT p.x, p.q.w AS w FROM s WHERE p.q.Z = 1 AND p.x > 0"
    places = {(u.use, u.fields): query[u.start : u.end] for u in typed(query, TABLES).uses}
    assert places == {
        (Use.VALUE, ("x",)): "p.x",
        (Use.VALUE, ("q", "w")): "p.q.w",
        (Use.FILTER, ("q", "z")): "p.q.Z",
        (Use.FILTER, ("x",)): "p.x",
    }


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))


def _result(query: str, changed: tuple[str, tuple[str, ...]] | None) -> list[tuple[str, ...]]:
    with _connection().cursor() as connection:
        connection.begin()
        for table in TABLES:
            kind = 'STRUCT(x INTEGER, "y.Z" VARCHAR, q STRUCT(z INTEGER, w INTEGER))'
            more = ", l STRUCT(x INTEGER)[]" if table == "s" else ""
            connection.execute(f"CREATE TABLE {table} (id INTEGER, p {kind}{more})")
            for number in range(4):
                connection.execute(f"INSERT INTO {table} VALUES ({_row(table, number, changed)})")
        found = sorted(tuple(map(str, row)) for row in connection.execute(query).fetchall())
        connection.rollback()
    return found


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """Opening one takes longer than all that is asked of it."""
    return duckdb.connect(config={"threads": 1})


def _row(table: str, number: int, changed: tuple[str, tuple[str, ...]] | None) -> str:
    x, y, z, w = (number + (100 * (number + 1) if changed == (table, leaf) else 0) for leaf in LEAVES[1:])
    more = f", [{{'x': {number}}}]" if table == "s" else ""
    return f"{number}, {{'x': {x}, 'y.Z': '{y}', 'q': {{'z': {z}, 'w': {w}}}}}{more}"
