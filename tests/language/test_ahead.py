"""What is done for many statements at once gives what doing it for each gives, and each process keeps to its own statements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import Dialect

from language.cache.statements import Memo
from language.cache.workers import Crew
from language.dialects.duckdb.answers import Bound, EngineError
from language.dialects.duckdb.engine import MOST_PLANS, Engine, Tables
from language.dialects.duckdb.text import QueryText
from language.text.tokens import DIALECT
from shared_metadata.program.schema import SchemaColumn

ID, DAY, BATCH = SchemaColumn("id", "long", True), SchemaColumn("day", "date", True), SchemaColumn("_batch", "timestamptz", True)
SIGHTS: Sequence[Tables] = (
    {"lake.ops.flights": (ID, DAY)},
    {"lake.ops.flights": (ID, DAY, BATCH)},
    {"lake.ops.flights": (ID,), "mart.ops.flights": (ID, DAY)},
    {"mart.ops.flights": (DAY, ID)},
)
QUERIES = (
    "SELECT * FROM lake.ops.flights",
    "SELECT id FROM lake.ops.flights",
    "SELECT count(*) FROM mart.ops.flights",
    "SELECT l.id, m.day FROM lake.ops.flights l JOIN mart.ops.flights m ON l.id = m.id",
    "SELECT id, FROM lake.ops.flights, nowhere",
    "SELECT day FROM mart.ops.flights WHERE",
)


@cache
def _engine(which: str) -> Engine:
    return Engine()


def _bound(engine: Engine, text: str, tables: Tables) -> Bound | EngineError:
    try:
        return engine.bind(text, tables)
    except EngineError as error:
        return error


@given(st.lists(st.tuples(st.sampled_from(QUERIES), st.sampled_from(SIGHTS)), max_size=6))
def test_plans_that_were_made_ahead_are_those_that_are_made_one_by_one(asked: list[tuple[str, Tables]]) -> None:
    """Of the same text twice, of tables in two databases, and of one table that two queries see otherwise too."""
    seen = [(text, {**SIGHTS[3], **SIGHTS[0], **tables}) for text, tables in asked]
    _engine("ahead").plan_ahead(seen)
    assert [_bound(_engine("ahead"), *each) for each in seen] == [_bound(_engine("one by one"), *each) for each in seen]


def test_more_plans_than_one_call_makes_are_made_ahead() -> None:
    engine, tables = Engine(), SIGHTS[0]
    texts = [f"SELECT id + {number} AS n FROM lake.ops.flights" for number in range(MOST_PLANS + 1)]
    engine.plan_ahead([(text, tables) for text in texts])
    engine._provide({"lake.ops.flights": (DAY,)})  # what is planned already needs the tables no more
    assert [engine.bind(text, tables, ("n",)).columns[0].type for text in texts] == ["long"] * len(texts)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_process_keeps_to_its_statements_whichever_of_them_are_asked_for(count: int) -> None:
    crews = [Crew(Memo(), count, number) for number in range(count)]
    owners = {number: owner for owner, crew in enumerate(crews) for number in crew.share(range(20))}
    assert sorted(owners) == [*range(20)]
    for level in ([3, 4, 9], [0], [19, 18, 5, 2]):
        assert {n: owner for owner, crew in enumerate(crews) for n in crew.share(level)} == {n: owners[n] for n in level}


def test_no_word_that_begins_a_statement_is_within_a_token_of_several_words() -> None:
    words = {word for key in Dialect.get_or_raise(DIALECT).tokenizer_class.KEYWORDS if " " in key for word in key.upper().split()}
    assert {"PARTITION", "BY"} <= words
    assert not words & {"CREATE", "INSERT", "INTO", "AS", "WAREHOUSE", "CONNECTION", "MATERIALIZED", "VIEW", "FUNCTION"}


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("SELECT @a, b AS c FROM t", ["a", "b AS c"]),
        ("SELECT DISTINCT @a, b", ["a", "b"]),
        ("WITH x AS (SELECT 1 AS one, 2) SELECT @a -- first, FROM\n , /* b, */ c FROM x", ["a", "c"]),
        ("SELECT @count(*) FILTER (WHERE a, b), [c, d], {'e': 1, 'f': 2} FROM t", None),
        ("SELECT @a, (SELECT max(b) FROM u), 'x, FROM' FROM t", ["a", "(SELECT max(b) FROM u)", "'x, FROM'"]),
        ("SELECT 1, (SELECT @a, b FROM u) FROM t", ["a", "b"]),
        ("SELECT @a, b UNION ALL SELECT c, d FROM t", ["a", "b"]),
        ("(SELECT @a, b) EXCEPT SELECT c, d", ["a", "b"]),
        ('SELECT (@a + b) * c, "from", t.from FROM t WHERE x = ALL (SELECT d, e FROM u)', ["(a + b) * c", '"from"', "t.from"]),
        ("select @a, b from t", ["a", "b"]),
        ("SELECT @a,", ["a"]),
        ("FROM @t", []),
    ],
)
def test_the_items_of_a_select_are_found_around_a_place(text: str, items: list[str] | None) -> None:
    """@ is the place."""
    at, text = text.index("@"), text.replace("@", "")
    expected = items if items is not None else ["count(*) FILTER (WHERE a, b)", "[c, d]", "{'e': 1, 'f': 2}"]
    assert [text[slice(*place)] for place in QueryText(text).items(at)] == expected
