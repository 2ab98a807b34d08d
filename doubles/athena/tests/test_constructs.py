"""What passes the compiler's dialect runs here: queries of every construct, put together by chance, right and wrong ones."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from doubles.athena.engine import _failure
from doubles.athena.errors import QueryFailed
from doubles.athena.tests.test_types import COLUMNS, CONDITIONS, ROW, TABLES, VALUES, schema_type
from tests.language.typed_query import typed

FROMS = st.sampled_from(
    [
        *["far.ops.f"] * 4,
        "far.ops.f CROSS JOIN UNNEST(a) AS u (e)",
        "far.ops.f LEFT JOIN UNNEST(m) AS u (k, v) ON true",
        "far.ops.f, UNNEST(a, sequence(1, i), map(a, a)) WITH ORDINALITY AS u (e, n, k, v, o)",
        "(SELECT s, i, l, a FROM far.ops.f) AS q",
        "far.ops.f JOIN (VALUES (3, 'ab'), (4, NULL)) AS w (j, e) ON i = j AND e IS NOT NULL",
        "(SELECT i, s FROM far.ops.f) AS g JOIN (SELECT i, l FROM far.ops.f) AS h USING (i)",
    ]
)
LAMBDAS = st.sampled_from(
    [
        "transform(a, e -> e || s)",
        "filter(ARRAY[i, l], e -> e > i)",
        "reduce(a, 0, (r, e) -> r + length(e), r -> r / 2e0)",
        "any_match(a, e -> e = s)",
        "transform_values(m, (k, v) -> v + p)",
        "zip_with(a, a, (one, other) -> one || other)",
        "a[1]",
        "m['k']",
        "a[i]",
        "CAST(ROW(i, s) AS ROW(q bigint, w varchar)).q",
        "json_extract_scalar(s, '$.a')",
        "regexp_replace(s, '[a-z]', '-')",
    ]
)
AGGREGATES = st.sampled_from(
    [
        *["count(*)", "sum(i)", "max(s)", "avg(p)", "count(DISTINCT s)", "sum(l) FILTER (WHERE b)", "array_agg(s ORDER BY i DESC)"],
        *["listagg(s, ',') WITHIN GROUP (ORDER BY i)", "max_by(s, i)", "sum(sum(i))", "max(row_number() OVER ())", "grouping(s)"],
        *["count(*) FILTER (WHERE count(*) > 1)", "max(m)", "map_agg(s, i)", "approx_distinct(i)"],
    ]
)
WINDOWS = st.sampled_from(
    [
        *[
            "row_number() OVER (ORDER BY i)",
            "rank() OVER w",
            "sum(i) OVER (PARTITION BY s ORDER BY z RANGE INTERVAL '1' DAY PRECEDING)",
        ],
        *[
            "lag(i) OVER (ORDER BY l)",
            "lag(i) OVER ()",
            "sum(sum(i)) OVER ()",
            "sum(i) FILTER (WHERE b) OVER ()",
            "max(i) OVER (ORDER BY m)",
        ],
        *["first_value(s) IGNORE NULLS OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)", "count(DISTINCT i) OVER ()"],
        *["sum(i) OVER (w ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)", "upper(s) OVER ()", "row_number()", "ntile(2) OVER (w)"],
    ]
)
QUERIES_WITHIN = st.sampled_from(
    [
        *[
            "(SELECT max(i) FROM far.ops.f)",
            "(SELECT i, s FROM far.ops.f)",
            "i IN (SELECT l FROM far.ops.f)",
            "s IN (SELECT i FROM far.ops.f)",
        ],
        *[
            "EXISTS (SELECT 1 FROM far.ops.f AS g WHERE g.i = l)",
            "i IN (SELECT i, l FROM far.ops.f)",
            "(SELECT count(*) FROM far.ops.f)",
        ],
    ]
)
OTHERS = st.sampled_from(["i", "s", "e", "k", "n", "o", "q", "i + 1", "upper(s)", "s LIKE 'a!_' ESCAPE '!'", "s NOT LIKE 'b%'", "1"])
OF_ROWS = st.one_of(OTHERS, VALUES, LAMBDAS, WINDOWS, QUERIES_WITHIN)
OF_GROUPS = st.one_of(
    AGGREGATES,
    AGGREGATES,
    st.sampled_from(["s", "upper(s)", "1", "sum(count(*)) OVER ()", "count(*) OVER ()", "rank() OVER (ORDER BY max(i))"]),
)
ITEMS = st.one_of(OF_ROWS, AGGREGATES)
WHERES = st.one_of(CONDITIONS, QUERIES_WITHIN, st.sampled_from(["b", "i", "sum(i) > 1", "row_number() OVER () = 1", "e IS NOT NULL"]))
GROUPS = st.sampled_from(
    ["s", "1", "2", "7", "i, s", "ROLLUP (s, i)", "CUBE (s)", "GROUPING SETS ((s), (i, s), ())", "upper(s)", "m", "b"]
)
HAVINGS = st.sampled_from(["count(*) > 0", "i > 1", "max(i) > 1", "s = 'ab'", "grouping(s) = 0", "rank() OVER () = 1", "c0 = 1"])
ORDERS = st.sampled_from(
    ["1", "2 DESC", "9", "c0", "s", "count(*)", "c0 DESC NULLS FIRST", "max(i)", "upper(s)", "m", "row_number() OVER (ORDER BY i)"]
)


@st.composite
def selects(draw: Any) -> str:
    kind = draw(st.sampled_from([OF_ROWS, OF_ROWS, OF_ROWS, OF_GROUPS, OF_GROUPS, ITEMS]))
    items = draw(st.lists(kind, min_size=1, max_size=3))
    text = "SELECT " + ("DISTINCT " if draw(st.integers(0, 5)) == 0 else "")
    text += ", ".join(f"{item} AS c{number}" for number, item in enumerate(items)) + f" FROM {draw(FROMS)}"
    for word, strategy in (("WHERE", WHERES), ("GROUP BY", GROUPS), ("HAVING", HAVINGS)):
        often = 1 if word == "GROUP BY" and kind is OF_GROUPS else 9 if word != "WHERE" and kind is OF_ROWS else 4
        text += f" {word} {draw(strategy)}" if draw(st.integers(0, often)) == 0 else ""
    text += " WINDOW w AS (PARTITION BY s ORDER BY i)" if " OVER w" in text or "(w" in text else ""
    return text


def together(inner: SearchStrategy[str]) -> SearchStrategy[str]:
    words = st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT ALL"])
    return st.one_of(
        inner,
        st.builds(lambda one, word, other: f"{one} {word} {other}", inner, words, inner),
        st.builds(lambda one: f"WITH q AS ({one}) SELECT c0 FROM q", inner),
    )


@st.composite
def queries(draw: Any) -> str:
    text = draw(together(selects()))
    text += f" ORDER BY {draw(ORDERS)}" if draw(st.booleans()) else ""
    return str(text + draw(st.sampled_from(["", "", " LIMIT 2", " OFFSET 1 LIMIT 1", " FETCH FIRST ROW ONLY"])))


@pytest.fixture(scope="module")
def shared(one_trino: Any) -> Any:
    """One table and connection for all examples."""
    one_trino.fill([(name, kind) for name, (_, kind) in COLUMNS.items()], [ROW])
    return one_trino


def _check(shared: Any, text: str) -> None:
    found = typed(text, TABLES, "trino")
    event("refused" if found.problems else "taken")
    assume(not found.problems)
    assert [schema_type(column.value.kind) for column in shared.query(text).columns] == [column.type for column in found.columns], (
        text
    )
    shared.types(text)
    try:
        shared.answers(text)
    except duckdb.Error as error:
        failed = str(_failure(error))
        assert not failed.startswith(("GENERIC_INTERNAL_ERROR", "EXPRESSION_NOT_AGGREGATE")), (text, failed)
    except QueryFailed as refused:
        raise AssertionError(text) from refused


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(queries())
def test_what_passes_the_dialect_is_known_has_its_types_and_runs(shared: Any, text: str) -> None:
    _check(shared, text)


@pytest.mark.deep
@pytest.mark.nightly
@pytest.mark.budget(120)
@settings(max_examples=1500, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(queries())
def test_so_does_each_of_many(shared: Any, text: str) -> None:
    _check(shared, text)
