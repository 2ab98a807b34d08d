"""What the forms of dialects say: each meaning, written over from each dialect to each other one, gives the same of the same rows.

Rows are those at which engines are known to differ. Either engine may fail where the other has a value; no two values may differ.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, NamedTuple

import pytest

from doubles.emr_serverless.parts import fetched
from language.dialects.spark.types import TYPES as SPARK
from language.sql.meanings.alike import CASTS
from language.sql.meanings.forms import forms_of, translated_dialects
from language.text.diagnostics import SourceText, Span
from language.translate.query import Translated, translated
from slices.organize.spark.spelling import as_spark
from tests.language.meaning_engines import (
    Engine,
    athena_answers,
    databricks_answers,
    differences,
    duckdb_answers,
    redshift_answers,
    same,
    snowflake_answers,
)
from tests.language.meaning_rows import DEC, cases, columns, rows, table
from tests.language.spark_rows import computed

AGGREGATES = ("rows", "count", "different", "sum", "mean", "minimum", "maximum", "all", "any", "stddev", "var_")
WINDOWS = ("row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value")
TO = ("int", "long", "decimal(20,4)", "decimal(12,0)", "double", "string", "boolean", "date", "timestamp", "timestamptz")
AMONG_ROWS = "SELECT id, p1 IN (SELECT p1 FROM TABLE WHERE p1 > 0) AS x FROM TABLE"
WHOLE = (
    "SELECT 1 AS id, count(*) AS x FROM (SELECT p2 FROM TABLE GROUP BY p2) q",
    "SELECT 1 AS id, count(*) AS x FROM (SELECT DISTINCT p1, p2 FROM TABLE) q",
    "SELECT id, row_number() OVER (ORDER BY p1, id) AS x FROM TABLE",
    "SELECT id, row_number() OVER (PARTITION BY g ORDER BY p1 DESC, p2, id) AS x FROM TABLE",
    "SELECT id, sum(p1) OVER (PARTITION BY g ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS x FROM TABLE WHERE abs(p1) < 9",
    "SELECT a.id, b.p1 AS x FROM TABLE a LEFT JOIN TABLE b ON b.id = a.id + 1",
    "SELECT id, CASE WHEN p1 > 0 THEN 'a' WHEN p1 IS NULL THEN 'n' ELSE NULL END AS x FROM TABLE",
    "SELECT id, p1 IN (1, 7) OR p1 NOT IN (2, 7) AND p2 IN (1, 0) AS x FROM TABLE",
    AMONG_ROWS,
    "SELECT id, p1 AS x FROM TABLE WHERE p1 IN (SELECT p1 FROM TABLE WHERE p1 > 0) AND p2 > 0",
    "SELECT id, p1 AS x FROM TABLE WHERE p1 NOT IN (SELECT p1 FROM TABLE WHERE p1 > 0)",
    "SELECT id, p1 AS x FROM TABLE WHERE NOT (p1 IN (SELECT p1 FROM TABLE WHERE p1 > 0 OR p1 IS NULL))",
    (
        "WITH few AS (SELECT id, p1 FROM TABLE WHERE p1 > 1) "
        "SELECT id, p1 AS x FROM few UNION ALL SELECT id + 999 AS id, 1 - p1 AS x FROM few"
    ),
    "SELECT id, coalesce(p1, 0) AS x FROM TABLE",
    "SELECT g AS id, count(*) FILTER (WHERE p1 > 0) AS x FROM TABLE GROUP BY g HAVING count(*) > 1",
    "SELECT id, p1 AS x FROM TABLE ORDER BY p1, id LIMIT 40",
    "SELECT id, p1 AS x FROM TABLE ORDER BY p1 DESC, id LIMIT 40",
    "SELECT id, p2 AS x FROM TABLE ORDER BY p2 DESC, id LIMIT 40",
    "SELECT id, p2 BETWEEN -1 AND 2 AND NOT p1 BETWEEN 0 AND 3 AS x FROM TABLE",
    "SELECT id, p1 - (SELECT max(p1) FROM TABLE WHERE p1 < 9) AS x FROM TABLE WHERE p1 > -9",
)
ENGINES: dict[str, Engine] = {
    **{"duckdb": duckdb_answers, "trino": athena_answers, "redshift": redshift_answers, "snowflake": snowflake_answers},
    "databricks": databricks_answers,
}
WAREHOUSES = ("redshift", "snowflake", "databricks")


class Case(NamedTuple):
    """A query of two columns over the rows of some types, in the dialect that it is written in."""

    meaning: str
    sql: str
    kinds: tuple[str, ...]

    def over(self, source: str, target: str) -> Translated:
        span = Span(SourceText("case.sql", self.sql), 0, len(self.sql))
        return translated(span, source, target, {table(self.kinds): columns(self.kinds)})


def _cases(source: str, target: str) -> list[Case]:
    found = []
    for meaning, text, kinds in cases(source, target):
        name, read = meaning.partition("(")[0], table(kinds)
        if name.startswith(AGGREGATES) and not name.startswith("all_"):
            sql = f"SELECT g AS id, {text} AS x FROM {read} GROUP BY g"
        elif name in WINDOWS:
            sql = f"SELECT id, {text} OVER (PARTITION BY g ORDER BY id DESC) AS x FROM {read}"
        else:
            sql = f"SELECT id, {text} AS x FROM {read}"
        found.append(Case(meaning, sql, kinds))
    return found


def _casts(source: str, target: str) -> list[Case]:
    """A CAST of each type to each that it is known to go to."""
    here, there, found = forms_of(source), forms_of(target), []
    for kind in CASTS:
        for word in TO:
            if here.casts(kind, word.partition("(")[0]) and there.casts(kind, word.partition("(")[0]):
                kinds = (DEC if kind == "decimal" else kind,)
                sql = f"SELECT id, CAST(p1 AS {here.declared.type_name(word)}) AS x FROM {table(kinds)}"
                found.append(Case(f"{kind} to {word}", sql, kinds))
    return found


def _whole() -> list[Case]:
    """Queries of more than one expression, over whole numbers and floating ones."""
    kinds = ("int", "double")
    return [Case("whole", sql.replace("TABLE", table(kinds)), kinds) for sql in WHOLE]


def _names(source: str, target: str) -> list[str]:
    return sorted({case.meaning.partition("(")[0] for case in _cases(source, target)})


@pytest.mark.budget(40)
@pytest.mark.sampled(2)
@pytest.mark.parametrize(("source", "target"), [("duckdb", "trino"), ("trino", "duckdb")])
def test_casts_and_whole_queries_mean_the_same_to_duckdb_and_athena(source: str, target: str) -> None:
    wrong = []
    for case in (*_casts(source, target), *_whole()):
        found = case.over(source, target)
        wrong += [f"{case.sql} | {problem.cause}" for problem in found.problems]
        if not found.problems:
            given = (table(case.kinds), columns(case.kinds), rows(case.kinds))
            differ = differences((ENGINES[source], case.sql), (ENGINES[target], found.text), *given)
            wrong += [f"{case.sql} | {found.text} | {one}" for one in differ[:3]]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    "where", ["SELECT id FROM TABLE WHERE NOT (IN_ROWS OR p1 > 9)", "SELECT id, CASE WHEN IN_ROWS THEN 1 END AS x FROM TABLE"]
)
@pytest.mark.parametrize("pair", [("duckdb", "spark"), ("spark", "trino")])
def test_a_null_among_rows_is_not_written_over_where_an_engine_takes_it_for_false(where: str, pair: tuple[str, str]) -> None:
    kinds = ("int", "double")
    for sql in (AMONG_ROWS, where.replace("IN_ROWS", "p1 IN (SELECT p1 FROM TABLE WHERE p1 > 0)")):
        (problem,) = Case("whole", sql.replace("TABLE", table(kinds)), kinds).over(*pair).problems
        assert "IN (SELECT …) is not known to be NULL on both sides" in problem.cause


DUCKDB_AND_TRINO = [(s, t, name) for s, t in (("duckdb", "trino"), ("trino", "duckdb")) for name in _names(s, t)]


@pytest.mark.sampled(16)
@pytest.mark.parametrize(("source", "target", "name"), DUCKDB_AND_TRINO)
def test_what_is_written_over_between_duckdb_and_athena_means_the_same(source: str, target: str, name: str) -> None:
    wrong = []
    for case in (case for case in _cases(source, target) if case.meaning.partition("(")[0] == name):
        found = case.over(source, target)
        if found.problems:
            continue  # it is told, and nothing is written over
        given = (table(case.kinds), columns(case.kinds), rows(case.kinds))
        differ = differences((ENGINES[source], case.sql), (ENGINES[target], found.text), *given)
        wrong += [f"{case.sql} | {found.text} | {one}" for one in differ[:3]]
    assert wrong == [], "\n".join(wrong)


PAIRS = [pair for other in WAREHOUSES for pair in (("duckdb", other), (other, "duckdb"))]
WITH_WAREHOUSES = [(*pair, name) for pair in PAIRS for name in ("", *_names(*pair))]  # "" for CASTs and whole queries


@pytest.mark.budget(120)
@pytest.mark.timeout(900)
@pytest.mark.sampled(200)
@pytest.mark.parametrize(("source", "target", "name"), [*WITH_WAREHOUSES, *((*pair, "") for pair in PAIRS)])
def test_what_is_written_over_between_duckdb_and_a_warehouse_means_the_same(source: str, target: str, name: str) -> None:
    """Of each meaning, or of CASTs and whole queries; and the warehouse's double computes some row of each that was written over."""
    cases = [case for case in _cases(source, target) if case.meaning.partition("(")[0] == name] if name else []
    wrong, computed_by = [], dict[str, str]()
    for case in cases or (*_casts(source, target), *_whole()):
        found = case.over(source, target)
        if found.problems:
            continue
        some = rows(case.kinds)
        if "redshift" in (source, target):  # to which blanks at a text's end are none: docs/warehouses.md tells it
            some = [row for row in some if not any(isinstance(value, str) and value.endswith(" ") for value in row)]
        given = (table(case.kinds), columns(case.kinds), some)
        differ = differences((ENGINES[source], case.sql), (ENGINES[target], found.text), *given)
        wrong += [f"{case.sql} | {found.text} | {one}" for one in differ[:3]]
        there = found.text if source == "duckdb" else case.sql
        theirs = ENGINES[target if source == "duckdb" else source]
        if computed_by.get(case.meaning) != "":
            answers = [theirs(there, *given[:2], [row]) for row in some[-3:]]
            computed_by[case.meaning] = "" if dict in map(type, answers) else f"{case.meaning}: {there} | {answers[0]}"
    wrong += [said for said in computed_by.values() if said]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.deep
@pytest.mark.nightly(6)
@pytest.mark.parametrize(("source", "target"), [*permutations(translated_dialects(), 2)])
def test_each_meaning_is_written_over_for_some_types_at_least(source: str, target: str) -> None:
    never = {case.meaning for case in _cases(source, target)}
    for case in _cases(source, target):
        if case.meaning in never and not case.over(source, target).problems:
            never.discard(case.meaning)
    assert never == set()


@pytest.mark.deep
@pytest.mark.budget(900)
@pytest.mark.timeout(1800)
@pytest.mark.nightly
@pytest.mark.parametrize("part", range(6))
def test_what_is_written_over_to_and_from_spark_means_the_same_there(part: int) -> None:
    from tests.spark_lake import real_spark  # which brings the CDK

    real_spark()
    pairs = [("duckdb", "spark"), ("spark", "duckdb")]  # a form is the same whatever it is written from
    all_of = [(pair, case) for pair in pairs for case in (*_cases(*pair), *_casts(*pair), *_whole())]
    known = [(pair, case, found.text) for pair, case in all_of if not (found := case.over(*pair)).problems][part::6]
    asked = {text if pair[1] == "spark" else case.sql: case.kinds for pair, case, text in known}
    answers = _spark_answers(asked)
    wrong = []
    for (source, target), case, text in known:
        other, sql, theirs = (source, case.sql, text) if target == "spark" else (target, text, case.sql)
        wrong += [f"{other}: {sql} | {theirs} | {one}" for one in _apart(other, sql, case.kinds, answers[theirs])[:3]]
    assert wrong == [], "\n".join(wrong)


def _spark_answers(asked: dict[str, tuple[str, ...]]) -> dict[str, dict[Any, Any]]:
    """Of each query the values that Spark computes, of the rows on which it does not fail."""
    return dict(zip(asked, computed(fetched(), [_given(sql, kinds) for sql, kinds in asked.items()]), strict=True))


def _given(sql: str, kinds: tuple[str, ...]) -> Any:
    name = table(kinds).rpartition(".")[2]
    typed = [(column.name, SPARK.said(SPARK.read(column.type))) for column in columns(kinds)]
    return as_spark(sql.replace(table(kinds), name)), name, typed, rows(kinds)


def _apart(engine: str, sql: str, kinds: tuple[str, ...], theirs: dict[Any, Any]) -> list[str]:
    """Where an engine and Spark have two values; a row that either fails on is passed over."""
    whole = ENGINES[engine](sql, table(kinds), columns(kinds), rows(kinds))
    mine = whole if isinstance(whole, dict) else _one_by_one(ENGINES[engine], sql, kinds)
    given = {row[0]: row[2:] for row in rows(kinds)}
    both = mine.keys() & theirs.keys()
    return [f"{given.get(key, key)}: {mine[key]!r} and {theirs[key]!r}" for key in sorted(both) if not same(mine[key], theirs[key])]


def _one_by_one(engine: Engine, sql: str, kinds: tuple[str, ...]) -> dict[Any, Any]:
    if "GROUP BY" in sql or "OVER" in sql or sql.count("FROM") > 1:
        return {}
    found: dict[Any, Any] = {}
    for row in rows(kinds):
        one = engine(sql, table(kinds), columns(kinds), [row])
        found |= one if isinstance(one, dict) else {}
    return found


def test_a_dialects_forms_are_of_meanings_that_another_has_too() -> None:
    for name in translated_dialects():
        others = {meaning for other in translated_dialects() if other != name for meaning in forms_of(other).forms}
        assert forms_of(name).forms.keys() <= others, name


FILTERED = {
    "count(*) FILTER (WHERE p1 > 1)": "count(CASE WHEN p1 > 1 THEN 1 END)",
    "count(DISTINCT p1) FILTER (WHERE p2 > 1)": "count(DISTINCT CASE WHEN p2 > 1 THEN p1 END)",
    "max(p1) FILTER (WHERE p1 IS NOT NULL)": "max(CASE WHEN NOT p1 IS NULL THEN p1 END)",
}


@pytest.mark.parametrize("target", ["redshift", "snowflake"])
@pytest.mark.parametrize("text", FILTERED)
def test_an_engine_without_filter_is_given_a_case(text: str, target: str) -> None:
    kinds = ("int", "int")
    found = Case("", f"SELECT {text} AS x FROM {table(kinds)}", kinds).over("duckdb", target)
    assert found.text == f"SELECT {FILTERED[text]} AS x FROM {table(kinds)}", found.problems


def test_a_text_with_a_backslash_is_the_same_to_engines_in_which_it_escapes() -> None:
    sql = f"SELECT p1 AS x FROM {table(('string',))} WHERE p1 = 'O''Brien \\'"
    for target in ("redshift", "snowflake", "databricks"):
        assert Case("", sql, ("string",)).over("duckdb", target).text == sql
