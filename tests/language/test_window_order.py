"""A window that goes by the order of its rows needs one: what is the same in every row of a partition gives none."""

from __future__ import annotations

import pytest

from tests.language.typed_query import typed

TABLES = {
    "lake.o.trades": {"id": "long", "sym": "string", "qty": "long"},
    "lake.o.quotes": {"sym": "string", "price": "double"},
}
WINDOWS = ("row_number()", "ntile(4)", "lag(t.id)", "lead(t.id)", "first(t.id)", "last_value(t.id)", "nth_value(t.id, 2)")
CONSTANT = (
    "", "ORDER BY 1", "ORDER BY NULL", "ORDER BY 1 + 0", "ORDER BY (SELECT 1)", "ORDER BY (SELECT NULL)", "ORDER BY batch_end()",
    "ORDER BY lower('A') || batch_start()::VARCHAR, (SELECT 1)", "ORDER BY (SELECT max(sym) FROM lake.o.quotes)",
    "ORDER BY (SELECT max(q.sym) FROM lake.o.quotes q WHERE q.price > 1)",
    "ORDER BY (WITH q AS (SELECT sym FROM lake.o.quotes) SELECT max(sym) FROM q)",
    "ORDER BY (SELECT max(q.sym) FROM (SELECT sym FROM lake.o.quotes) AS q)", "ORDER BY EXISTS (FROM lake.o.quotes)",
    "PARTITION BY sym ORDER BY sym", "PARTITION BY sym ORDER BY upper(sym)", "PARTITION BY sym ORDER BY t.sym DESC",
    "PARTITION BY t.sym, qty ORDER BY qty || SYM", "PARTITION BY upper(sym) ORDER BY upper(sym)",
    "PARTITION BY sym ORDER BY (SELECT max(q.price) FROM lake.o.quotes q WHERE q.sym = t.sym)",
)  # fmt: skip
ORDERED = (
    "ORDER BY id", "ORDER BY 1, id", "ORDER BY upper(sym)", "PARTITION BY sym ORDER BY qty", "PARTITION BY upper(sym) ORDER BY sym",
    "PARTITION BY sym ORDER BY sym || qty", "ORDER BY (SELECT t.id)", "ORDER BY (SELECT id)",
    "ORDER BY (SELECT max(q.price) FROM lake.o.quotes q WHERE q.sym = t.sym)", "PARTITION BY t.qty ORDER BY t.id",
)  # fmt: skip


def problems(window: str, over: str) -> list[str]:
    return [found.cause for found in typed(f"SELECT {window} OVER ({over}) AS n FROM lake.o.trades t", TABLES).problems]


@pytest.mark.parametrize("over", CONSTANT)
def test_what_is_the_same_in_all_rows_of_a_partition_orders_no_window(over: str) -> None:
    for window in (*WINDOWS, "sum(t.qty)"):
        rows = over + " ROWS 1 PRECEDING" if window.startswith("sum") else over
        (cause,) = problems(window, rows)
        assert "goes by the order of rows" in cause, window


@pytest.mark.parametrize("over", ORDERED)
def test_what_differs_between_rows_orders_one(over: str) -> None:
    for window in WINDOWS:
        assert problems(window, over) == [], window


def test_a_named_window_is_one_too() -> None:
    query = "SELECT row_number() OVER w AS n FROM lake.o.trades WINDOW w AS (ORDER BY (SELECT 1))"
    assert [found.cause[:20] for found in typed(query, TABLES).problems] == ["`row_number` goes by"]


NAMED_CONSTANTS = (
    ("1 AS k", "ORDER BY k"), ("1 AS k", "ORDER BY K DESC, k + 1"), ("lower('A') AS k", "ORDER BY k || 'x'"),
    ("batch_end() AS k", "ORDER BY k"), ("t.sym AS k", "PARTITION BY sym ORDER BY k"),
    ("upper(sym) AS k", "PARTITION BY sym ORDER BY k"), ("sym AS k", "PARTITION BY k ORDER BY sym"),
)  # fmt: skip


@pytest.mark.parametrize(("item", "over"), NAMED_CONSTANTS)
def test_a_name_that_the_select_gives_stands_for_what_it_names(item: str, over: str) -> None:
    for window in WINDOWS:
        query = f"SELECT {item}, {window} OVER ({over}) AS n FROM lake.o.trades t"
        (found,) = typed(query, TABLES).problems
        assert "goes by the order of rows" in found.cause and query[found.start : found.end] == window.partition("(")[0]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id, row_number() OVER (ORDER BY id) AS n FROM lake.o.trades",  # the table's own column comes first
        "SELECT 1 AS k, row_number() OVER (ORDER BY k) AS n FROM (SELECT id AS k FROM lake.o.trades) AS q",
        "WITH q AS (SELECT id AS k FROM lake.o.trades) SELECT 1 AS k, row_number() OVER (ORDER BY k) AS n FROM q",
        "SELECT id AS k, row_number() OVER (ORDER BY k) AS n FROM lake.o.trades",
        "SELECT 1 AS k, id AS l, row_number() OVER (PARTITION BY sym ORDER BY k, l) AS n FROM lake.o.trades",
        "SELECT 1 AS k, sum(qty) OVER (ORDER BY k) AS n FROM lake.o.trades",  # all rows are peers, in whatever order
    ],
)
def test_a_column_of_that_name_orders(query: str) -> None:
    assert typed(query, TABLES).problems == ()
