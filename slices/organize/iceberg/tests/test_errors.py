"""What is told of a failed query depends on the query: no word of a value changes it, and none is in it."""

from __future__ import annotations

import math
from pathlib import Path

import boto3
import pytest

from shared_metadata.contract.parquet.duckdb_errors import told
from shared_metadata.contract.parquet.duckdb_session import literal, open_duckdb
from shared_metadata.errors import AtollError, DefinitionError
from systems.iceberg.engine import Engine
from tests.words_in_values import MARK, WORDS

SESSION = boto3.Session(aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-central-1")
TYPES = (
    *("TINYINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "DECIMAL(9,2)", "BOOLEAN", "UUID", "DATE", "TIME", "TIMESTAMP"),
    *("TIMESTAMPTZ", "INTERVAL", "INTEGER[]", "INTEGER[2]", "STRUCT(a INTEGER)", "MAP(INTEGER, INTEGER)", "JSON", "ENUM('a')"),
)
EXPRESSIONS = {
    **{kind: f"CAST(v AS {kind})" for kind in TYPES},
    "list": "CAST([v] AS INTEGER[])",
    "struct": "CAST({'a': v} AS STRUCT(a INTEGER))",
    "said by the query": "error(v)",
    "moment": "strptime(v, '%Y')",
    "pattern": "regexp_matches(v, '[z-a' || v)",
    "zone": "timezone(v, TIMESTAMPTZ '2020-01-01')",
    "part": "date_part(v, DATE '2020-01-01')",
    "base64": "from_base64('=' || v)",
    "url": "url_decode('%ff' || v)",
    "hex": "unhex('x' || v)",
    "path": "json_extract(v, '$.a')",
    "number": "CAST(length(v) + 4711000 AS TINYINT)",
    "key of a map": "MAP([nullif(v, v)], [1])",
    "keys of a map": "MAP([v, v], [1, 2])",
    "code point": "chr(CAST(-length(v) AS INTEGER))",
    "day": "make_date(length(v) + 99999999, 1, 1)",
    "bytes": "decode('\\xff'::BLOB || encode(v))",
    "product": "CAST(length(v) + 4711000 AS INTEGER) * 4711000",
}


def said(engine: Engine, expression: str, value: str) -> str:
    with pytest.raises(AtollError) as caught:
        engine.fetch(f"SELECT {expression} AS r FROM (VALUES ({literal('x' + value)})) AS t (v) WHERE random() < 2")
    assert type(caught.value) is DefinitionError
    return str(caught.value)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("what", EXPRESSIONS)
def test_no_word_of_a_value_changes_what_is_told_or_is_in_it(what: str) -> None:
    with Engine(SESSION, "organize.iceberg", "p.sql:1:1", 64, math.inf) as engine:
        found = {said(engine, EXPRESSIONS[what], word) for word in WORDS}
    assert len(found) == 1, found
    (message,) = found
    assert "jane" not in message and "4711" not in message and MARK not in message
    assert message.startswith("p.sql:1:1: the query failed: ") and "TRY_CAST" in message


def test_what_duckdb_says_of_a_fault_is_told() -> None:
    expected = {
        "key of a map": "Map keys can not be NULL",
        "keys of a map": "Map keys must be unique",
        "code point": "Invalid UTF8 Codepoint",
        "day": "Date out of range",
        "bytes": "Failure in decode",
        "pattern": "invalid character class range",
        "hex": "Invalid input for hex digit",
    }
    with Engine(SESSION, "organize.iceberg", "p.sql:1:1", 64, math.inf) as engine:
        for what, words in expected.items():
            assert words in said(engine, EXPRESSIONS[what], "a"), what


def test_what_is_no_value_is_told(tmp_path: Path) -> None:
    with open_duckdb() as connection, Engine(SESSION, "organize.iceberg", "p.sql:1:1", 64, math.inf) as engine:
        connection.execute(f"COPY (SELECT 'x' AS address) TO {literal(str(tmp_path / 'rows.parquet'))}")
        rows = f"read_parquet({literal(str(tmp_path / 'rows.parquet'))})"
        for query, words in {
            f"SELECT CAST(address AS INTEGER) FROM {rows}": "Could not convert string … to INT32 (column address)",
            f"SELECT CAST(address AS DATE) FROM {rows}": "invalid date field format (column address)",
            f"SELECT nothing FROM {rows}": 'Referenced column "nothing" not found',
            f"SELECT nothing(address) FROM {rows}": "nothing",
        }.items():
            with pytest.raises(DefinitionError) as caught:
                engine.fetch(query)
            assert words in str(caught.value)


@pytest.mark.parametrize("kind", ["ParserException", "BinderException", "CatalogException"])
def test_a_query_that_is_refused_only_with_rows_is_not_quoted(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    class Refusing:
        """DuckDB, of which a function refuses a row as if it were a query."""

        def execute(self, sql: str, values: object = None) -> None:
            if not sql.startswith("EXPLAIN"):
                raise getattr(duckdb, kind)(f'no such table "{MARK}"')

        def close(self) -> None: ...

    with Engine(SESSION, "organize.iceberg", "p.sql:1:1", 64, math.inf) as engine:
        monkeypatch.setattr(engine, "_connection", Refusing())
        with pytest.raises(DefinitionError, match="a row is refused") as caught:
            engine.fetch("SELECT 1")
    assert MARK not in str(caught.value)


def test_a_class_without_known_words_is_told_by_its_name() -> None:
    import duckdb

    assert told(duckdb.InvalidInputException(f"Invalid Input Error: {MARK}")) == "InvalidInputException"
