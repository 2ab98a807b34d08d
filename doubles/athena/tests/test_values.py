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
    "'a' NOT LIKE 'b'": ("boolean", "true"),
    # what is within
    "ARRAY[1, 2][2]": ("integer", "2"),
    "ARRAY[1, 2][1 + 1]": ("integer", "2"),
    "ARRAY[1, 2][cardinality(ARRAY[0])]": ("integer", "1"),
    "map(ARRAY['a'], ARRAY[1])['a']": ("integer", "1"),
    "map(ARRAY[5], ARRAY[1])[5]": ("integer", "1"),
    "CAST(ROW(1, 'a') AS ROW(x bigint, y varchar)).x": ("bigint", "1"),
    # lambdas
    "transform(ARRAY[1, NULL], v -> v + 1)": ("array(integer)", "[2, null]"),
    "filter(ARRAY[1, NULL, 3], v -> v > 1)": ("array(integer)", "[3]"),
    "reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s * 1.5)": ("decimal(12,1)", "112.5"),
    "reduce(ARRAY[300000000000], 0, (s, x) -> s + x, s -> s)": ("bigint", "300000000000"),
    "reduce(ARRAY[], 7, (s, x) -> s, s -> s)": ("integer", "7"),
    "any_match(ARRAY[1, NULL], v -> v > 1)": ("boolean", None),
    "all_match(ARRAY[1, NULL], v -> v > 1)": ("boolean", "false"),
    "none_match(ARRAY[1, 2], v -> v > 2)": ("boolean", "true"),
    "any_match(ARRAY[], v -> true)": ("boolean", "false"),
    "zip_with(ARRAY[1, 2], ARRAY['a'], (x, y) -> coalesce(y, CAST(x AS varchar)))": ("array(varchar)", "[a, 2]"),
    "transform_values(map(ARRAY['a'], ARRAY[1]), (k, v) -> k || CAST(v AS varchar))": ("map(varchar, varchar)", "{a=a1}"),
    "transform_keys(map(ARRAY['a'], ARRAY[1]), (k, v) -> v)": ("map(integer, integer)", "{1=1}"),
    "map_filter(map(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)": ("map(varchar, integer)", "{b=2}"),
    "transform(ARRAY[1], x -> transform(ARRAY[2], y -> x + y))": ("array(array(integer))", "[[3]]"),
    # lists
    "array_distinct(ARRAY[2, 1, NULL, 2, NULL])": ("array(integer)", "[2, 1, null]"),
    "array_union(ARRAY[1, NULL], ARRAY[NULL, 2])": ("array(integer)", "[1, null, 2]"),
    "array_intersect(ARRAY[1, NULL, 1], ARRAY[NULL, 1])": ("array(integer)", "[1, null]"),
    "array_except(ARRAY[1, NULL, 2], ARRAY[2])": ("array(integer)", "[1, null]"),
    "arrays_overlap(ARRAY[1], ARRAY[2, NULL])": ("boolean", None),
    "array_remove(ARRAY[1, NULL, 2], 1)": ("array(integer)", "[null, 2]"),
    "slice(ARRAY[1, 2, 3], -2, 2)": ("array(integer)", "[2, 3]"),
    "flatten(ARRAY[ARRAY[1], ARRAY[2, 3]])": ("array(integer)", "[1, 2, 3]"),
    "sequence(3, 1)": ("array(bigint)", "[3, 2, 1]"),
    "sequence(DATE '2024-02-28', DATE '2024-03-01')": ("array(date)", "[2024-02-28, 2024-02-29, 2024-03-01]"),
    "repeat('a', 2)": ("array(varchar)", "[a, a]"),
    "array_join(ARRAY['a', NULL, 'b'], ',')": ("varchar", "a,b"),
    "concat_ws(',', ARRAY['a', 'b'])": ("varchar", "a,b"),
    # texts
    "substring('hello' FROM 2 FOR 3)": ("varchar", "ell"),
    "position('l' IN 'hello')": ("bigint", "3"),
    "trim(BOTH 'x' FROM 'xax')": ("varchar", "a"),
    "trim(LEADING 'x' FROM 'xax')": ("varchar", "ax"),
    "regexp_extract('a1b22', '[a-z]([0-9]+)', 1)": ("varchar", "1"),
    "regexp_extract('abc', '[0-9]')": ("varchar", None),
    "regexp_replace('a1b2', '[0-9]')": ("varchar", "ab"),
    "regexp_replace('a1', '([a-z])([0-9])', '$2$1')": ("varchar", "1a"),
    "regexp_split('a1b2c', '[0-9]')": ("array(varchar)", "[a, b, c]"),
    "regexp_count('a1b22', '[0-9]+')": ("bigint", "2"),
    "url_extract_host('https://me@example.org:80/a/b?c=d%20e#f')": ("varchar", "example.org"),
    "url_extract_path('https://example.org/a/b?c=d')": ("varchar", "/a/b"),
    "url_extract_query('https://example.org/a/b?c=d')": ("varchar", "c=d"),
    "url_extract_parameter('https://example.org/?b=1&c=d%20e', 'c')": ("varchar", "d e"),
    # JSON
    """json_extract_scalar('{"a": [{"b": "x"}]}', '$.a[0].b')""": ("varchar", "x"),
    """json_extract_scalar('{"a": [1]}', '$.a')""": ("varchar", None),
    "json_extract_scalar('no', '$.a')": ("varchar", None),
    """json_format(json_extract('{"a": [1, 2]}', '$.a'))""": ("varchar", "[1,2]"),
    "json_array_length('[1, 2]')": ("bigint", "2"),
    """CAST(json_parse('{"a": 1}') AS map(varchar, bigint))['a']""": ("bigint", "1"),
    "json_format(CAST(ARRAY[1, 2] AS json))": ("varchar", "[1,2]"),
    # formats
    "format_datetime(TIMESTAMP '2024-01-02 03:04:05', 'yyyy-MM-dd''T''HH:mm')": ("varchar", "2024-01-02T03:04"),
    "to_iso8601(TIMESTAMP '2024-01-02 03:04:05.123')": ("varchar", "2024-01-02T03:04:05.123"),
    "date_format(TIMESTAMP '2024-01-02 15:04:05', '%l:%i %p')": ("varchar", "3:04 PM"),
    "round(1234, -2)": ("integer", "1200"),
    # other zones
    "TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin'": (
        "timestamp(0) with time zone",
        "2024-07-02 00:30:00 Europe/Berlin",
    ),
    "CAST(TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin' AS date)": ("date", "2024-07-02"),
    "CAST(TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin' AS timestamp(0))": ("timestamp(0)", "2024-07-02 00:30:00"),
    "CAST(TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin' AS varchar)": (
        "varchar",
        "2024-07-02 00:30:00 Europe/Berlin",
    ),
    "hour(TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin')": ("bigint", "0"),
    "extract(day FROM TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin')": ("bigint", "2"),
    "date_trunc('day', TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'UTC'": (
        "timestamp(0) with time zone",
        "2024-07-01 22:00:00 UTC",
    ),
    "date_add('day', 1, TIMESTAMP '2024-03-30 12:00:00 UTC' AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'UTC'": (
        "timestamp(0) with time zone",
        "2024-03-31 11:00:00 UTC",
    ),
    "TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'Asia/Tokyo' = TIMESTAMP '2024-07-01 22:30:00 UTC'": ("boolean", "true"),
    "date_format(TIMESTAMP '2024-07-01 22:30:00 UTC' AT TIME ZONE 'America/New_York', '%H:%i')": ("varchar", "18:30"),
    "mod(5.5, 2)": ("decimal(2,1)", "1.5"),
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
    "ARRAY[1, 2][3]": "INVALID_FUNCTION_ARGUMENT: Array subscript must be less",
    "ARRAY[1, 2][0]": "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1",
    "map(ARRAY['a'], ARRAY[1])['b']": "INVALID_FUNCTION_ARGUMENT: Key not present in map",
    "filter(ARRAY[1], v -> v + 1)": "FUNCTION_NOT_FOUND",
    "json_parse('{')": "INVALID_FUNCTION_ARGUMENT",
    "json_extract_scalar('{}', '$[*]')": "NOT_SUPPORTED",
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


OF_EACH_TYPE = {
    **{"boolean": "true", "integer": "1", "bigint": "1", "real": "1e0", "double": "1e0", "decimal(18,2)": "1.5", "varchar": "'1'"},
    **{
        "date": "DATE '2024-01-01'",
        "timestamp(3)": "TIMESTAMP '2024-01-01 00:00:00.000'",
        "varbinary": "to_utf8('a')",
        "json": "json_parse('1')",
    },
    "timestamp(3) with time zone": "TIMESTAMP '2024-01-01 00:00:00.000 UTC'",
}


@pytest.mark.parametrize("cast", ["CAST", "TRY_CAST"])
@pytest.mark.parametrize("kind", OF_EACH_TYPE)
def test_a_null_of_any_type_is_a_null_of_any_other(kind: str, cast: str, one_trino: Any) -> None:
    """Nulls that only the rows know: an account without opportunities has no sum of theirs."""
    tried = 0
    for other in OF_EACH_TYPE:
        null = f"CASE WHEN y < 0 THEN CAST({OF_EACH_TYPE[kind]} AS {kind}) END"
        try:
            given = one_trino.answers(f"SELECT {cast}({null} AS {other}) AS x FROM (VALUES 1) AS t(y)")
        except QueryFailed as error:
            assert str(error).split(":")[0] in ("TYPE_MISMATCH", "NOT_SUPPORTED"), (other, str(error))
        else:
            tried += 1
            assert given == [[None]], other
    assert tried >= 1


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
