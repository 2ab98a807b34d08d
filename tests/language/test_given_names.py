"""A column has a name where the text gives one, by whatever means: also by the values of a PIVOT or a pattern after COLUMNS."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.language.typed_query import typed

TRADES = {"sym": "string", "year": "int", "qty": "long", "fee": "double", "s": 'struct<"a b": int, c: int>'}
TABLES = {"lake.o.trades": TRADES}
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
OTHERS = [("1.5", "1.5"), ("true", "true"), ("DATE '2024-01-01'", "2024-01-01"), ("1e3", "1000.0"), ("NULL", "NULL")]
VALUES = st.one_of(  # as written, and as the name of a column
    st.integers(-(2**63), 2**64).map(lambda number: (str(number), str(number))),
    TEXTS.map(lambda text: ("'" + text.replace("'", "''") + "'", text)),
    st.sampled_from(OTHERS),
)
DISTINCT = st.lists(VALUES, min_size=1, max_size=4, unique_by=lambda value: value[1].lower())


def problems(query: str) -> list[tuple[str, str, str]]:
    return [(query[found.start : found.end], found.cause, found.remedy) for found in typed(query, TABLES).problems]


@settings(max_examples=100)
@given(DISTINCT, st.sampled_from(["", " AS s", ' AS "a sum"']))
def test_a_value_names_the_column_that_it_becomes(values: list[tuple[str, str]], alias: str) -> None:
    listed, after = ", ".join(written for written, _ in values), alias.removeprefix(" AS ").strip('"')
    names = [f"{name}_{after}" if after else name for _, name in values]
    rows = "(SELECT sym, qty, year FROM lake.o.trades)"
    for query in (
        f"PIVOT {rows} ON year IN ({listed}) USING sum(qty){alias} GROUP BY sym",
        f"SELECT * FROM {rows} PIVOT (sum(qty){alias} FOR year IN ({listed}))",
    ):
        found = typed(query, TABLES)
        assert not found.problems
        assert [column.name for column in found.columns] == ["sym", *map(str.lower, names)]


@pytest.mark.parametrize(
    "query",
    [
        'FROM (SELECT year, qty FROM lake.o.trades) PIVOT (sum(qty) FOR year IN (2023 AS "the year"))',
        "PIVOT (SELECT sym, year, qty, fee FROM lake.o.trades) ON year IN (2023) USING sum(fee) AS f, sum(qty) AS q GROUP BY sym",
        "PIVOT (SELECT sym, year, qty FROM lake.o.trades) ON year IN (2023, -1), sym IN ('A-1') USING sum(qty)",
        'UNPIVOT (SELECT sym, qty, fee FROM lake.o.trades) ON qty, fee INTO NAME "a name" VALUE "a value"',
        "SELECT COLUMNS('q.*') AS \"x \\0\" FROM lake.o.trades",
        "SELECT max(COLUMNS('(q)(.*)')) AS \"x \\2 (\\1)\" FROM lake.o.trades",
        "SELECT s.* FROM lake.o.trades",
        "SELECT unnest(s) FROM lake.o.trades",
    ],
)
def test_so_do_aliases_patterns_and_fields(query: str) -> None:
    assert problems(query) == []


def test_what_duckdb_makes_up_is_no_name() -> None:
    rows = "(SELECT sym, year, qty, fee FROM lake.o.trades)"
    unnamed = "the columns of this aggregate have no name"
    two, one = "sum(fee), sum(qty)", "sum(fee) AS f, sum(qty)"
    told = [(each, unnamed, f"add AS after {each}") for each in ("sum(fee)", "sum(qty)")]
    assert problems(f"PIVOT {rows} ON year IN (2023, 2024) USING {two} GROUP BY sym") == told
    assert problems(f"FROM {rows} PIVOT ({one} FOR year IN ('a (b)'))") == told[1:]
    nameless = ("*", "this column has no name", "name it with AS")
    within = "(SELECT sym, year, max(qty), max(fee) AS fee FROM lake.o.trades GROUP BY ALL)"
    assert problems(f"SELECT * FROM {within} PIVOT (sum(fee) FOR year IN (2023))") == [nameless]
    assert problems("SELECT 2023 FROM lake.o.trades") == [("2023", *nameless[1:])]
