"""Without any snapshot of the sources a program's queries are checked as far as their text alone tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from language import ProgramErrors, compile_program
from slices.registry import installed
from tests.language.test_engine import ACCEPTED

PROGRAM = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT id, {collected} AS c FROM ops.public.flights;
CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS SELECT id, {viewed} AS v FROM lake.ops.flights;
INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (id) AS SELECT id, {published} AS p FROM lake.v.a;
"""


def _mistakes(collected: str = "c", viewed: str = "c", published: str = "v") -> list[tuple[str, str, str]]:
    text = PROGRAM.format(collected=collected, viewed=viewed, published=published)
    try:
        compile_program({"p.sql": text}, installed())
    except ProgramErrors as errors:
        lines = text.splitlines()
        return [(lines[d.line - 1][d.column - 1 : d.column - 1 + d.length], d.cause, d.remedy) for d in errors.diagnostics]
    return []


def test_misspelled_functions_are_told_all_at_once_with_what_was_meant() -> None:
    found = _mistakes("uper(c)", "lwer(c)", "sm(v) OVER ()")
    assert [(words.partition("(")[0], cause) for words, cause, _ in found] == [
        ("uper", "PostgreSQL has no function `uper`"),
        ("lwer", "there is no function `lwer`"),
        ("sm", "there is no function `sm`"),
    ]
    assert "did you mean `upper`?" in found[0][2] and "did you mean `lower`?" in found[1][2]


def test_a_function_of_another_engine_is_translated() -> None:
    ((words, _, remedy),) = _mistakes(viewed="try_to_number(c)")
    assert words.startswith("try_to_number") and "TRY_CAST(c AS DECIMAL(38, 0)) for Snowflake's try_to_number" in remedy


def test_a_constant_without_a_value_is_told() -> None:
    assert [words for words, _, _ in _mistakes(viewed="DATE '2024-13-01'", published="('to' || 'day')::DATE")] == [
        "'2024-13-01'",
        "'to' || 'day'",
    ]


@pytest.mark.parametrize(
    "expression",
    [
        *("upper(c)", "row_number() OVER (ORDER BY id)", "count(*) OVER ()", "coalesce(c, 'x')", "c::VARCHAR", "c.upper()"),
        *("batch_end()", "struct_pack(a := c)", "list_transform([c], x -> x)", "grouping(id)", "md5(c)", "c LIKE 'a%'", "try(c)"),
        *("CASE WHEN c > 'a' THEN 1 END", "extract(year FROM c)", "unnest([c])", "first(c)", "ifnull(c, 'x')", "if(true, 1, 2)"),
        *("quantile_cont(id, 0.5)", "string_agg(c, ',' ORDER BY id)", "lag(id) OVER (ORDER BY id)", "'{}'::JSON -> 'a'"),
    ],
)
def test_a_function_that_there_is_is_none_that_is_not(expression: str) -> None:
    assert _mistakes(viewed=expression, published=expression.replace("c", "v") if expression == "upper(c)" else "v") == []


@pytest.mark.parametrize(
    "expression", ["upper(c)", "now()", "count(*)", "int4(c)", "sales.margin(c)", "coalesce(c, 'x')", "date_part('year', c)"]
)
def test_a_function_of_postgres_or_in_a_schema_of_its_own_is_none_that_is_not(expression: str) -> None:
    assert not any("there is no function" in cause for _, cause, _ in _mistakes(collected=expression))


@pytest.mark.parametrize("query", [query for query, types in ACCEPTED.items() if types != "syntax"])
def test_what_is_right_with_types_is_right_without(query: str) -> None:
    head = PROGRAM.format(collected="c", viewed="c", published="v")
    text = head + f"CREATE MATERIALIZED VIEW lake.v.b EVERY '1 hour' REPLACE AS {query};"
    text = text.replace("lake.ops.planes", "lake.ops.flights")
    try:
        compile_program({"p.sql": text}, installed())
    except ProgramErrors as errors:
        assert not any("no function" in d.cause or "no value" in d.cause for d in errors.diagnostics), errors


def test_the_programs_of_the_clone_are_right_without_types() -> None:
    program = Path(__file__).parents[2] / "examples" / "airline" / "program.sql"
    compile_program({"p.sql": program.read_text()}, installed())


def test_two_columns_of_one_name_are_told_beside_the_rest() -> None:
    found = _mistakes(
        collected="int4(c) AS x, c AS X, c", viewed="lwer(c) AS a, c AS A, c", published="v AS pp, sm(v) OVER () AS PP, v"
    )
    assert [cause for _, cause, _ in found] == [
        "two columns would be called `x` (names are folded to lower case)",
        "there is no function `lwer`",
        "two columns would be called `a` (names are folded to lower case)",
        "there is no function `sm`",
        "two columns would be called `pp` (names are folded to lower case)",
    ]
