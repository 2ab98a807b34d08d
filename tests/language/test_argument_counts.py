"""A call of a wrong number of arguments is told how many there are, and no CAST, which would change nothing."""

from __future__ import annotations

import duckdb
import pytest

from tests.language.typed_query import typed

TABLES = {"lake.o.trades": {"id": "long", "sym": "string", "qty": "long", "d": "date"}}
MANY = 9
WINDOWS = ("cume_dist", "dense_rank", "fill", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank")
NOT_CALLED = {*WINDOWS, "rank", "rank_dense", "row_number", "position"}  # so: they take OVER, or words between their arguments


def functions() -> list[tuple[str, tuple[int, ...]]]:
    """DuckDB's own that take a fixed number of arguments: their names, and the numbers."""
    asked = """SELECT function_name, list(DISTINCT len(parameters)) FROM duckdb_functions()
        WHERE function_type IN ('scalar', 'aggregate') GROUP BY ALL
        HAVING bool_and(varargs IS NULL) AND max(len(parameters)) < 9 AND regexp_full_match(function_name, '[a-z]\\w*') ORDER BY 1"""
    return [(str(name), tuple(sorted(numbers))) for name, numbers in duckdb.sql(asked).fetchall()]


FUNCTIONS = [each for each in functions() if each[0] not in NOT_CALLED]


def mistakes(expression: str) -> list[tuple[str, str, str]]:
    query = f"SELECT {expression} AS n FROM lake.o.trades"
    return [(query[found.start : found.end], found.cause, found.remedy) for found in typed(query, TABLES).problems]


@pytest.mark.parametrize(("name", "numbers"), FUNCTIONS[::8])
def test_a_function_tells_how_many_it_takes(name: str, numbers: tuple[int, ...]) -> None:
    call = f"{name}({', '.join(['id'] * MANY)})"
    ((place, cause, remedy), *_) = mistakes(call)
    assert place == call and "CAST" not in remedy
    told = " or ".join(map(str, numbers)) if numbers != (0,) else "no"
    assert cause == f"`{name}` takes {told} argument{'' if numbers == (1,) else 's'}, not {MANY}"


@pytest.mark.parametrize(
    ("call", "told", "written"),
    [
        ("lower()", "`lower` takes 1 argument, not none", "write lower(VARCHAR)"),
        ("pi(id)", "`pi` takes no arguments, not 1", "write pi()"),
        ("concat_ws()", "`concat_ws` takes 2 or more arguments, not none", "write concat_ws(VARCHAR, ANY, [ANY...])"),
        ("count(DISTINCT sym, qty)", "`count` takes 0 or 1 arguments, not 2", "write count(DISTINCT (sym, qty))"),
        ("replace(sym, 'a')", "`replace` takes 3 arguments, not 2", "write REPLACE(sym, 'a', '') for Snowflake and Athena's replace"),
    ],
)
def test_so_it_is_worded(call: str, told: str, written: str) -> None:
    assert mistakes(call) == [(call, told, written)]
