"""SQL of other engines, and clauses out of their order, are told with what says the same; what is advised is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.dialects.duckdb.engine import engine
from language.dialects.duckdb.misread import foreign as in_duckdb
from language.dialects.postgres.misread import foreign as in_postgres
from language.sql.translation import Translation
from language.text.diagnostics import Problem
from tests.language.typed_query import typed

TABLES = {
    "duckdb": {"t": {"a": "int", "b": "int", "c": "string", "d": "date", "l": "list<int>"}, "u": {"a": "int", "x": "int"}},
    "postgres": {"t": {"a": "int4", "b": "int4", "c": "text", "d": "date", "l": "_int4"}, "u": {"a": "int4", "x": "int4"}},
}
TRANSLATED: dict[str, Callable[[str], Translation | None]] = {
    "duckdb": lambda text: in_duckdb(text, engine()),
    "postgres": in_postgres,
}
EVERYWHERE = {  # what a user of another SQL writes ▸ the words at its place ▸ what to do, whatever the dialect
    "SELECT TOP 10 a FROM t": "TOP 10: remove TOP 10, and write LIMIT 10 at the end",
    "SELECT TOP 10 a FROM t WHERE a > 1 ORDER BY a": "TOP 10: remove TOP 10, and write LIMIT 10 at the end",
    "SELECT a FROM `t`": "`t`: write t without them",
    "SELECT `a`, `b` FROM t": "`a`: write a, b without them",
    "SELECT `a` AS `my a`, `t`.`b` FROM `t`": '`a`: write a, "my a", t.b … without them',
    "SELECT a FROM t LIMIT 5, 10": "5, 10: write 10 OFFSET 5 in place of 5, 10",
    "SELECT a FROM t MINUS SELECT a FROM u": "MINUS: write EXCEPT in place of MINUS",
    "SELECT a FROM t WHERE a = 1 && b = 2": "&&: write AND in place of &&",
    "SELECT a FROM t WHERE a = 1 || b = 2": "||: write OR in place of ||",
    "SELECT a FROM [t]": '[t]: write "t" in place of [t]',
    "SELECT a FROM t WITH (NOLOCK)": "WITH (NOLOCK): remove WITH (NOLOCK)",
    "SELECT a FROM t USE INDEX (x)": "USE INDEX (x): remove USE INDEX (x)",
    "SELECT a FROM t WHERE a > 1 JOIN u ON u.a = t.a": "WHERE a > 1: move WHERE a > 1 to the end",
    "SELECT b, count(*) AS n FROM t HAVING count(*) > 1 GROUP BY b": "GROUP BY b: move GROUP BY b before HAVING",
    "SELECT a FROM t ORDER BY a WHERE a > 1": "ORDER BY a: move ORDER BY a to the end",
    "SELECT a FROM t ORDER BY a LIMIT 10 WHERE a > 1": "WHERE a > 1: move WHERE a > 1 before ORDER",
}
DUCKDB = {
    "SELECT a FROM t QUALIFY rank() OVER (ORDER BY a) = 1 WHERE a > 1": "WHERE a > 1: move WHERE a > 1 before QUALIFY",
    "SELECT a FROM t LATERAL VIEW explode(l) e AS x": (
        "LATERAL VIEW explode: write CROSS JOIN UNNEST in place of LATERAL VIEW explode, and write (x) in place of AS x"
    ),
    "SELECT * EXCEPT (a) FROM t": "EXCEPT: write EXCLUDE in place of EXCEPT",
    "SELECT lag(a) IGNORE NULLS OVER (ORDER BY b) AS x FROM t": "",
    "SELECT a MOD b AS x FROM t": "MOD: write % in place of MOD",
    "SELECT UNIQUE a FROM t": "UNIQUE: write DISTINCT in place of UNIQUE",
    "SELECT a FROM t LEFT SEMI JOIN u ON t.a = u.a": "LEFT: remove LEFT",
    "SELECT a FROM t WHERE a <=> 1": "a <=> 1: write IS NOT DISTINCT FROM in place of <=>",
    "SELECT a FROM t WHERE a ^= 1": "a ^= 1: write <> in place of ^=",
}
POSTGRES = {
    "SELECT a FROM t WHERE a <=> 1": "a <=> 1: write IS NOT DISTINCT FROM in place of <=>",
    "SELECT a FROM t WHERE a == 1": "a == 1: write = in place of ==",
}
BY_THE_WORDS = {  # what no other engine reads either
    "SELECT DISTINCT ON c a, b FROM t": "write DISTINCT ON (…)",
    "SELECT row_number() OVER PARTITION BY a AS n FROM t": "write OVER (PARTITION BY …)",
    "SELECT sum(a) FILTER WHERE b > 1 AS x FROM t": "write FILTER (WHERE …)",
    "SELECT a FROM t WHERE EXISTS SELECT 1 FROM u": "write EXISTS (SELECT …)",
    "SELECT a FROM t WHERE a IN SELECT a FROM u": "write IN (SELECT …)",
    "SELECT a FROM SELECT a FROM t": "write FROM (SELECT …) AS q",
    "SELECT a FROM t WHERE a > 1 AND WHERE b > 1": "write the condition alone: there is one WHERE",
    "SELECT a FROM t WHERE a > 1 WHERE b > 1": "write the clauses in their order, each once: FROM, WHERE, GROUP BY",
    "SELECT a FROM t ORDER a": "write ORDER BY",
    "SELECT a FROM t GROUP a": "write GROUP BY",
    "SELECT a FROM t JOIN u WHERE t.a = u.a": "write ON and a condition, or USING (…)",
    "SELECT CASE WHEN a > 1 THEN 2 FROM t": "end the CASE before it: CASE WHEN … THEN … END",
    "SELECT a FROM (SELECT a FROM t": "close the parenthesis that is open here",
}


def told(query: str, dialect: str) -> list[tuple[str, str]]:
    """The words at each mistake's place, and its remedy."""
    try:
        return [(query[p.start : p.end], p.remedy) for p in typed(query, TABLES[dialect], dialect).problems]
    except Problem as problem:
        return [(query[d.column - 1 : d.column - 1 + d.length], d.remedy) for d in problem.diagnostics]


@pytest.mark.parametrize(
    ("dialect", "query", "said"),
    [
        *((dialect, *case) for dialect in TABLES for case in EVERYWHERE.items()),
        *(("duckdb", *case) for case in DUCKDB.items()), *(("postgres", *case) for case in POSTGRES.items()),
    ],
)  # fmt: skip
def test_sql_of_another_engine_is_told_with_what_says_the_same(dialect: str, query: str, said: str) -> None:
    (found,) = told(query, dialect)
    assert ": ".join(found) == said if said else "in place of" in found[1]


@pytest.mark.parametrize("dialect", TABLES)
@pytest.mark.parametrize("query", BY_THE_WORDS)
def test_what_is_missing_is_told_by_the_words_around_it(query: str, dialect: str) -> None:
    (found,) = told(query, dialect)
    assert found[1].startswith(BY_THE_WORDS[query])


WORDS = ("a", "t", "FROM", "WHERE", "SELECT", "(", ")", ",", "1", "'x'", "`a`", "ON", "=", "BY", "ORDER")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("NVL(a, 1)", "write COALESCE in place of NVL"), ("LEN(c)", "write LENGTH in place of LEN"),
        ("IF(a > 1, 2, 3)", "write CASE WHEN a > 1 THEN 2 ELSE 3 END in place of IF(a > 1, 2, 3)"),
        ("uper(c)", "did you mean `upper`?"), ("own(a)", "name one of the database's own"),
        ("TRY_TO_NUMBER(c)", "name one of the database's own"),
    ],
)  # fmt: skip
def test_a_source_s_missing_function_is_told_with_those_that_say_the_same(call: str, said: str) -> None:
    """DuckDB's: tests/language/test_foreign.py."""
    (found,) = told(f"SELECT {call} AS x FROM t", "postgres")
    assert found[0] == call and said in found[1]


CLAUSES = ("WHERE a > 1", "GROUP BY a", "HAVING count(*) > 1", "ORDER BY a", "LIMIT 10")


@pytest.mark.parametrize("dialect", TABLES)
@given(order=st.permutations(CLAUSES), left_out=st.sets(st.sampled_from(CLAUSES)))
def test_clauses_in_any_order_are_told_the_right_one(dialect: str, order: list[str], left_out: set[str]) -> None:
    left_out |= {"HAVING count(*) > 1"} if "GROUP BY a" in left_out else set()
    written = [clause for clause in order if clause not in left_out]
    right = [clause for clause in CLAUSES if clause not in left_out]
    found = TRANSLATED[dialect](f"SELECT a FROM t {' '.join(written)}")
    if written == right:
        assert found is None
    else:
        assert (
            found is not None and found.text.upper().split() == f"SELECT a FROM t {' '.join(right)}".upper().split() and found.remedy
        )


@pytest.mark.parametrize("dialect", TABLES)
@pytest.mark.parametrize("query", [*EVERYWHERE, *DUCKDB])
def test_what_is_advised_is_read(query: str, dialect: str) -> None:
    found = TRANSLATED[dialect](query)
    if found is None:
        assert query not in EVERYWHERE
        return
    problems = told(found.text, dialect)
    assert not any("cannot be read" in remedy for _, remedy in problems) and TRANSLATED[dialect](found.text) is None


@pytest.mark.parametrize("dialect", TABLES)
@given(
    st.lists(
        st.sampled_from(["a", "t", "FROM", "WHERE", "SELECT", "(", ")", ",", "1", "'x'", "`a`", "ON", "=", "BY", "ORDER"]),
        max_size=12,
    )
)
def test_no_text_ends_the_search(dialect: str, words: list[str]) -> None:
    found = TRANSLATED[dialect]("SELECT " + " ".join(words))
    assert found is None or (found.remedy and TRANSLATED[dialect](found.text) is None)


@pytest.mark.parametrize("dialect", TABLES)
@pytest.mark.parametrize("word", ["order", "group", "end", "desc", "table", "user"])
@pytest.mark.parametrize(
    "query", ["SELECT {} FROM t", "SELECT a, {} AS x FROM t", "SELECT a FROM t WHERE {} > 1", "SELECT a FROM t AS {}"]
)
def test_a_name_that_is_a_word_of_sql_is_told_its_quotes(query: str, word: str, dialect: str) -> None:
    found = told(query.format(word), dialect)
    assert all(f'"{word}"' in remedy for _, remedy in found) or word == "user"


@pytest.mark.parametrize("dialect", TABLES)
@pytest.mark.parametrize("query", ["SELECT DISTINCT ON a FROM t", "SELECT a FROM t LATERAL VIEW explode(l) e AS x", *BY_THE_WORDS])
def test_a_word_where_no_name_can_stand_is_not_told_to_be_one(query: str, dialect: str) -> None:
    assert not any("quotes" in remedy or 'written "' in remedy for _, remedy in told(query, dialect))
