"""What Trino gives for an expression, by its documentation and by Java, whether DuckDB would give the same or not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from doubles.athena.engine import _failure
from doubles.athena.errors import QueryFailed, Refused

# expression ▸ type, value as the CSV of a result has it
GIVES: dict[str, tuple[str, str | None]] = {
    # whole numbers
    "7 / 2": ("integer", "3"),
    "-7 / 2": ("integer", "-3"),
    "-7 % 2": ("integer", "-1"),
    "2147483648": ("bigint", "2147483648"),
    "-2147483648": ("integer", "-2147483648"),
    "NULL / 0": ("integer", None),
    "CAST(2.5e0 AS bigint)": ("bigint", "3"),
    "CAST(-2.5e0 AS bigint)": ("bigint", "-3"),
    "CAST(2.5 AS integer)": ("integer", "3"),
    "abs(-5)": ("integer", "5"),
    "mod(7, 4)": ("integer", "3"),
    # decimals
    "1.0 / 3": ("decimal(2,1)", "0.3"),
    "2.0 / 3": ("decimal(2,1)", "0.7"),
    "-2.0 / 3": ("decimal(2,1)", "-0.7"),
    "1.50 * 2.25": ("decimal(6,4)", "3.3750"),
    "1.5 + 2": ("decimal(12,1)", "3.5"),
    "99999999999999999999999999999999999999. + 0": ("decimal(38,0)", "99999999999999999999999999999999999999"),
    "5.5 % 2": ("decimal(2,1)", "1.5"),
    "-5.5 % 2.0": ("decimal(2,1)", "-1.5"),
    "CAST(1.005e0 AS decimal(10,2))": ("decimal(10,2)", "1.00"),
    "CAST(2.345 AS decimal(10,2))": ("decimal(10,2)", "2.35"),
    "CAST('12.345' AS decimal(10,2))": ("decimal(10,2)", "12.35"),
    "round(2.55)": ("decimal(2,0)", "3"),
    "round(9.95, 1)": ("decimal(4,2)", "10.00"),
    "ceil(1.2)": ("decimal(2,0)", "2"),
    "floor(-1.2)": ("decimal(2,0)", "-2"),
    # doubles
    "1 / 0e0": ("double", "Infinity"),
    "0e0 / 0": ("double", "NaN"),
    "10 / 4e0": ("double", "2.5"),
    "1e10": ("double", "1.0E10"),
    "1e-4": ("double", "1.0E-4"),
    "sqrt(-1)": ("double", "NaN"),
    "ln(0)": ("double", "-Infinity"),
    "round(-2.5e0)": ("double", "-3.0"),
    "0e0 / 0 = 0e0 / 0": ("boolean", "false"),
    "0e0 / 0 <> 1e0": ("boolean", "true"),
    "CAST(1.5e0 AS varchar)": ("varchar", "1.5"),
    "CAST(REAL '0.1' AS varchar)": ("varchar", "0.1"),
    # texts
    "'a' || NULL": ("varchar", None),
    "concat('a', NULL)": ("varchar", None),
    "substr('abc', 0)": ("varchar", ""),
    "substr('abc', -2)": ("varchar", "bc"),
    "substr('abc', -5)": ("varchar", ""),
    "substr('abc', 2, 0)": ("varchar", ""),
    "split_part('a,b', ',', 3)": ("varchar", None),
    "split('a,b', ',')": ("array(varchar)", "[a, b]"),
    "CAST('abcdef' AS varchar(3))": ("varchar(3)", "abc"),
    "lpad('abc', 2, 'x')": ("varchar", "ab"),
    "trim('  a ')": ("varchar", "a"),
    "'a_c' LIKE 'a!_c' ESCAPE '!'": ("boolean", "true"),
    "regexp_like('abc', 'b.$')": ("boolean", "true"),
    "to_hex(sha256(to_utf8('a')))": ("varchar", "CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB"),
    "typeof(1.5)": ("varchar", "decimal(2,1)"),
    # moments
    "date_trunc('week', DATE '2024-05-08')": ("date", "2024-05-06"),
    "date_trunc('hour', TIMESTAMP '2024-05-08 01:59:00.123 UTC')": (
        "timestamp(3) with time zone",
        "2024-05-08 01:00:00.000 UTC",
    ),
    "CAST(DATE '2024-01-01' AS timestamp(6))": ("timestamp(6)", "2024-01-01 00:00:00.000000"),
    "CAST(TIMESTAMP '2024-01-01 00:00:00.123500' AS timestamp(3))": ("timestamp(3)", "2024-01-01 00:00:00.124"),
    "CAST(TIMESTAMP '2024-01-01 00:00:00.123456' AS varchar)": ("varchar", "2024-01-01 00:00:00.123456"),
    "DATE '2024-01-31' + INTERVAL '1' MONTH": ("date", "2024-02-29"),
    "date_add('day', 3, DATE '2024-01-30')": ("date", "2024-02-02"),
    "date_diff('day', TIMESTAMP '2024-01-01 12:00:00', TIMESTAMP '2024-01-03 11:00:00')": ("bigint", "1"),
    "date_diff('month', DATE '2024-01-15', DATE '2024-03-14')": ("bigint", "1"),
    "day_of_week(DATE '2024-01-07')": ("bigint", "7"),
    "extract(year FROM DATE '2024-01-07')": ("bigint", "2024"),
    "date_format(DATE '2024-01-07', '%Y/%m')": ("varchar", "2024/01"),
    "from_iso8601_timestamp('2024-01-07T01:02:03Z')": ("timestamp(3) with time zone", "2024-01-07 01:02:03.000 UTC"),
    # casts that fail, tried
    "TRY_CAST('1.5' AS bigint)": ("bigint", None),
    "TRY_CAST(' 12' AS bigint)": ("bigint", None),
    "TRY_CAST('yes' AS boolean)": ("boolean", None),
    "try(1 / 0)": ("integer", None),
    "try(CAST('x' AS bigint))": ("bigint", None),
    # conditions
    "coalesce(NULL, 1, 2.5)": ("decimal(11,1)", "1.0"),
    "greatest(1, NULL)": ("integer", None),
    "least(2, 1)": ("integer", "1"),
    "if(1 > 2, 'a')": ("varchar", None),
    "CASE 1 WHEN 1 THEN 'a' ELSE 'b' END": ("varchar", "a"),
    "nullif(1, 1)": ("integer", None),
    "1 IN (2, NULL)": ("boolean", None),
    "NULL IS NOT DISTINCT FROM 1": ("boolean", "false"),
    "contains(ARRAY[1, NULL], 2)": ("boolean", None),
    "element_at(ARRAY[1, 2], 5)": ("integer", None),
    "cardinality(map(ARRAY['a'], ARRAY[1]))": ("bigint", "1"),
}
FAILS = {
    "1 / 0": "DIVISION_BY_ZERO: Division by zero",
    "1 % 0": "DIVISION_BY_ZERO",
    "1.0 / 0": "DIVISION_BY_ZERO",
    "CAST('1.5' AS bigint)": "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to bigint",
    "CAST('x' AS date)": "NOT_SUPPORTED",
    "2147483647 + 1": "NUMERIC_VALUE_OUT_OF_RANGE",
    "CAST(300000000000 AS integer)": "NUMERIC_VALUE_OUT_OF_RANGE",
    "CAST(1234.5 AS decimal(4,2))": "NUMERIC_VALUE_OUT_OF_RANGE",
    "'a' + 1": r"TYPE_MISMATCH: line 1:1: Cannot apply operator: varchar \+ integer",
    "'1' = 1": "TYPE_MISMATCH",
    "CASE WHEN true THEN 1 ELSE 'a' END": "TYPE_MISMATCH",
    "CAST(DATE '2024-01-01' AS bigint)": "TYPE_MISMATCH",
    "x": "COLUMN_NOT_FOUND: line 1:1: Column 'x' cannot be resolved",
    "date_diff('month', DATE '2024-01-31', DATE '2024-02-29')": "NOT_SUPPORTED: .* is not known to this double of Athena",
    "soundex('a')": "NOT_SUPPORTED: soundex.* is not known to this double of Athena",
    "transform(ARRAY[1], v -> v + 1)": "NOT_SUPPORTED",
    "CAST('a' AS json)": "NOT_SUPPORTED",
    "regexp_like('a', '(?<=b)a')": "NOT_SUPPORTED",
    "TIMESTAMP '2024-01-01 00:00:00 Europe/Berlin'": "NOT_SUPPORTED",
    "CAST(1e300 AS varchar)": "NOT_SUPPORTED",
    "date_trunc('hour', DATE '2024-01-01')": "TYPE_MISMATCH",
}


@pytest.mark.parametrize("expression", GIVES)
def test_an_expression_gives_what_trino_gives(expression: str, one_trino: Any) -> None:
    kind, value = GIVES[expression]
    assert one_trino.types(f"SELECT {expression} AS x") == [kind]
    assert one_trino.answers(f"SELECT {expression} AS x") == [[value]]


@pytest.mark.parametrize("expression", FAILS)
def test_what_trino_refuses_fails_and_what_is_not_known_is_not_guessed(expression: str, one_trino: Any) -> None:
    with pytest.raises(QueryFailed, match=FAILS[expression]):
        try:
            one_trino.answers(f"SELECT {expression} AS x")
        except duckdb.Error as error:
            raise _failure(error) from None


@pytest.mark.parametrize("text", ["SELECT", "SELECT 1 FROM", "SELECT 1; SELECT 2", "SELECT (1", "selec 1", ""])
def test_what_is_no_statement_is_refused_before_it_runs(text: str, one_trino: Any) -> None:
    with pytest.raises((Refused, QueryFailed)):
        one_trino.query(text)


@pytest.mark.parametrize(
    "text", ["CREATE TABLE a (b int)", "DROP TABLE a", "DELETE FROM a", "MERGE INTO a USING b ON 1=1 WHEN MATCHED THEN DELETE"]
)
def test_another_statement_is_not_known(text: str, one_trino: Any) -> None:
    with pytest.raises(QueryFailed, match="not known to this double"):
        one_trino.query(text)


def test_what_is_nested_deeply_stays_short(one_trino: Any) -> None:
    nested = "1.5"
    for _ in range(12):
        nested = f"({nested} / 1.1)"
    text = f"SELECT CAST({nested} AS decimal(10,2)), nullif(greatest({nested}, 1), 2), {nested} > 1e0 FROM (VALUES 1)"
    assert len(one_trino.query(text).sql) < 40_000
    assert one_trino.answers(text)[0][2] == "false"
