"""What is advised for another engine's function gives what that engine gives; DuckDB is asked for its value."""

from __future__ import annotations

import duckdb
import pytest

from language.dialects.duckdb.foreign import in_duckdb

MEANT = {  # call ▸ engine ▸ the value that it gives there, by its documentation
    "NVL(NULL, 1)": {"Oracle": "1"},
    "IFF(1 > 2, 'a', 'b')": {"Snowflake": "b"},
    "CHARINDEX('c', 'abc')": {"SQL Server": "3"},
    "LOCATE('c', 'abc')": {"MySQL": "3"},
    "SAFE_DIVIDE(1, 0)": {"BigQuery": None},
    "TO_CHAR(TIMESTAMP '2024-03-05 06:07:08', 'YYYY-MM-DD HH24:MI')": {"Redshift": "2024-03-05 06:07"},
    "DATE_FORMAT(TIMESTAMP '2024-03-05 06:07:08', '%Y-%m')": {"Athena": "2024-03"},
    "TO_DATE('05.03.2024', 'DD.MM.YYYY')": {"Redshift": "2024-03-05"},
    "DATEADD(day, 1, TIMESTAMP '2024-02-28 00:00:00')": {"Snowflake": "2024-02-29 00:00:00", "Redshift": "2024-02-29 00:00:00"},
    "JSON_EXTRACT_SCALAR('{\"a\": \"x\"}', '$.a')": {"Athena": "x"},
    "DECODE(2, 1, 'x', 'y')": {"Redshift": "y"},
    "COUNTIF(x > 1)": {"BigQuery": "2"},
}


@pytest.mark.parametrize("call", MEANT)
def test_the_advice_gives_what_the_engine_gives(call: str) -> None:
    name = call.partition("(")[0]
    advice = dict(reversed(one.split(" for ", 1)) for one in (in_duckdb(call, lambda written: True) or "").split(", or "))
    for engine, value in MEANT[call].items():
        (written,) = [text for engines, text in advice.items() if engine in engines and engines.endswith(f"'s {name}")]
        found = duckdb.sql(f"SELECT CAST({written} AS VARCHAR) FROM (VALUES (1), (2), (3)) AS t(x) LIMIT 1").fetchone()
        assert found == (value,), written


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        ("CONVERT(VARCHAR, x)", "CAST(x AS VARCHAR) for SQL Server's CONVERT"),
        ("CONVERT(NVARCHAR(MAX), x)", "CAST(x AS VARCHAR) for SQL Server's CONVERT"),
        ("CONVERT(INT, x)", "CAST(x AS INT) for SQL Server's CONVERT"),
        ("TRY_CONVERT(VARCHAR(9), x)", "TRY_CAST(x AS VARCHAR) for SQL Server's TRY_CONVERT"),
    ],
)
def test_a_conversion_fails_where_the_engine_s_does(call: str, advice: str) -> None:
    assert in_duckdb(call, lambda written: "TEXT" not in written) == advice


@pytest.mark.parametrize("format", ["%Y", "%Y-%m-%d", "%H:%i"])
def test_a_format_is_not_taken_for_another_engine_s(format: str) -> None:
    advice = in_duckdb(f"DATE_FORMAT(d, '{format}')", lambda written: True)
    assert advice is not None and "%%" not in advice and "Databricks" not in advice and "MySQL" in advice


@pytest.mark.parametrize("call", ["UPPER(x)", "nosuch(x)", "RLIKE('ab', 'a')", "STUFF(1)", "((", "x"])
def test_of_what_no_engine_has_by_that_name_nothing_is_said(call: str) -> None:
    assert in_duckdb(call, lambda written: True) is None
