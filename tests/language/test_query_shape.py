"""Which differences between two queries change rows, which only a column, and which nothing."""

from __future__ import annotations

import pytest

from language.sql.shape import query_shape
from shared_metadata.program.lineage import ColumnRef
from shared_metadata.update_set import QueryShape

QUERY = """
WITH paid AS (SELECT customer, sum(amount) AS amount, max(at) AS last FROM lake.s.orders WHERE amount > 0 GROUP BY 1)
SELECT c.id, upper(c.name) AS name, p.amount, p.last
FROM lake.s.customers AS c LEFT JOIN paid AS p ON p.customer = c.id
WHERE c.active AND c.id IN (SELECT customer FROM lake.s.visits WHERE pages > 1)
"""
ALL = ["id", "name", "amount", "last"]


def shape(sql: str, renamed: dict[ColumnRef, ColumnRef] | None = None) -> QueryShape:
    found = query_shape(sql, "duckdb", renamed)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SELECT c.id", "-- who\nselect C.id"),
        ("AS c LEFT", "AS c\n  LEFT"),
        ("c.", "customer."),
        ("paid", "payments"),
        ("GROUP BY 1", "GROUP BY customer"),
    ],
)
def test_names_comments_and_layout_are_no_difference(old: str, new: str) -> None:
    text = QUERY.replace(old, new)
    if old == "c.":
        text = text.replace("customers AS c", "customers AS customer")
    assert shape(text) == shape(QUERY)


@pytest.mark.parametrize(
    ("old", "new", "columns"),
    [
        ("upper(c.name)", "lower(c.name)", ["name"]),
        ("sum(amount)", "max(amount)", ["amount"]),
        ("max(at) AS last", "min(at) AS last", ["last"]),
        ("c.id, upper", "c.id, 1 AS one, upper", ["one"]),
    ],
)
def test_an_expression_changes_exactly_the_columns_that_come_from_it(old: str, new: str, columns: list[str]) -> None:
    before, after = shape(QUERY), shape(QUERY.replace(old, new))
    assert before.rows == after.rows
    assert [name for name, digest in after.columns.items() if before.columns.get(name) != digest] == columns


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount > 0", "amount > 1"),
        ("LEFT JOIN", "JOIN"),
        ("p.customer = c.id", "p.customer = c.parent"),
        ("pages > 1", "pages > 2"),
        ("lake.s.customers", "lake.s.people"),
        ("lake.s.visits", "lake.s.calls"),
        ("GROUP BY 1", "GROUP BY 1, at"),
        ("c.active AND", "c.active OR"),
        ("SELECT c.id, upper", "SELECT DISTINCT c.id, upper"),
        ("pages > 1)", "pages > 1) LIMIT 5"),
        ("pages > 1)", "pages > 1) UNION ALL SELECT 1, 'x', 2, NULL"),
    ],
)
def test_what_decides_over_rows_changes_rows(old: str, new: str) -> None:
    assert QUERY.count(old) == 1
    assert shape(QUERY).rows != shape(QUERY.replace(old, new)).rows


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT DISTINCT a FROM lake.s.t", "SELECT DISTINCT a + 1 AS a FROM lake.s.t"),
        ("SELECT a / 2 AS d, count(*) AS n FROM lake.s.t GROUP BY d", "SELECT a / 3 AS d, count(*) AS n FROM lake.s.t GROUP BY d"),
        ("SELECT a / 2 AS d, count(*) AS n FROM lake.s.t GROUP BY 1", "SELECT a / 3 AS d, count(*) AS n FROM lake.s.t GROUP BY 1"),
        ("SELECT a / 2 AS d, sum(b) AS n FROM lake.s.t GROUP BY ALL", "SELECT a / 3 AS d, sum(b) AS n FROM lake.s.t GROUP BY ALL"),
        ("SELECT a, sum(b) AS n FROM lake.s.t GROUP BY 1 HAVING n > 1", "SELECT a, max(b) n FROM lake.s.t GROUP BY 1 HAVING n > 1"),
        ("SELECT a AS x FROM lake.s.t ORDER BY x LIMIT 1", "SELECT b AS x FROM lake.s.t ORDER BY x LIMIT 1"),
        ("SELECT a AS x FROM lake.s.t ORDER BY x LIMIT 1", "SELECT a AS x FROM lake.s.t ORDER BY x DESC LIMIT 1"),
        ("SELECT a FROM lake.s.t UNION SELECT b FROM lake.s.t", "SELECT a FROM lake.s.t UNION SELECT c FROM lake.s.t"),
        ("SELECT a FROM lake.s.t EXCEPT SELECT b FROM lake.s.t", "SELECT a FROM lake.s.t EXCEPT SELECT c FROM lake.s.t"),
        ("SELECT a FROM lake.s.t UNION ALL SELECT b FROM lake.s.t", "SELECT a FROM lake.s.t UNION SELECT b FROM lake.s.t"),
        ("SELECT a FROM lake.s.t", "SELECT max(a) AS a FROM lake.s.t"),
        ("SELECT a, unnest(b) AS b FROM lake.s.t", "SELECT a, unnest(c) AS b FROM lake.s.t"),
        ("SELECT a, u.x FROM lake.s.t, unnest(b) AS u(x)", "SELECT a, u.x FROM lake.s.t, unnest(c) AS u(x)"),
        ("SELECT t.a FROM lake.s.t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
         "SELECT t.a FROM lake.s.t QUALIFY row_number() OVER (PARTITION BY a ORDER BY c) = 1"),
        ("SELECT a FROM lake.s.t AS t TABLESAMPLE 10 PERCENT", "SELECT a FROM lake.s.t AS t TABLESAMPLE 20 PERCENT"),
        ("SELECT x.a FROM (SELECT a FROM lake.s.t WHERE b > 1) AS x", "SELECT x.a FROM (SELECT a FROM lake.s.t WHERE b > 2) AS x"),
    ],
)  # fmt: skip
def test_an_item_that_decides_over_rows_changes_rows(before: str, after: str) -> None:
    assert shape(before).rows != shape(after).rows


def test_an_item_that_names_another_one_changes_with_it() -> None:
    before, after = shape("SELECT a + 1 AS b, b * 2 AS c FROM lake.s.t"), shape("SELECT a + 2 AS b, b * 2 AS c FROM lake.s.t")
    assert before.columns["b"] != after.columns["b"] and before.columns["c"] != after.columns["c"]


def test_an_order_without_a_limit_is_no_difference() -> None:
    assert shape("SELECT a FROM lake.s.t ORDER BY a") == shape("SELECT a FROM lake.s.t")


def test_a_column_of_an_input_that_got_another_name_is_the_same_column() -> None:
    now, then = ColumnRef("lake.s.customers", "full_name"), ColumnRef("lake.s.customers", "name")
    text = QUERY.replace("c.name", "c.full_name")
    assert shape(text, {now: then}) == shape(QUERY) != shape(text)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM lake.s.t",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT n FROM r",
        "SELECT x FROM lake.s.t AS t(x)",
        "SELECT FROM WHERE",
    ],
)
def test_where_the_columns_cannot_be_told_there_is_no_shape(sql: str) -> None:
    assert query_shape(sql, "duckdb") is None
