"""The condition of an EXPECT speaks of one row of what its statement makes, and is a function of that row."""

from __future__ import annotations

import duckdb
import pytest

from language import ProgramErrors, compile_program
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

PROGRAM = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.t EVERY '1 hour' REPLACE AS SELECT id, name FROM ops.public.t;
CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE EXPECT e: ({}) OR FAIL AS SELECT id, name FROM lake.ops.t;
"""
COLUMNS = (("id", "bigint"), ("name", "text"))
TABLE = Schema(tuple(SchemaColumn(name, "string", source=name, source_type=kind) for name, kind in COLUMNS))
SCHEMAS = {"ops": ConnectionSchemas("ops", "postgres", {"public.t": TABLE})}


def mistakes(condition: str) -> list[tuple[str, str, str]]:
    text = PROGRAM.format(condition)
    try:
        compile_program({"p.sql": text}, installed(), SCHEMAS)
    except ProgramErrors as errors:
        lines = text.splitlines()
        return [(lines[d.line - 1][d.column - 1 : d.column - 1 + d.length], d.cause, d.remedy) for d in errors.diagnostics]
    return []


def words() -> list[str]:
    """All that DuckDB reads as a value where no column has the name."""
    with duckdb.connect() as session:
        asked = "SELECT keyword_name FROM duckdb_keywords() UNION SELECT function_name FROM duckdb_functions() WHERE parameters = []"
        names = sorted({str(row[0]) for row in session.execute(asked).fetchall() if str(row[0]).isidentifier()})
        return [name for name in names if _means_something(session, name)]


def _means_something(session: duckdb.DuckDBPyConnection, name: str) -> bool:
    try:
        session.execute(f'EXPLAIN SELECT "{name}"')
    except duckdb.Error:
        return False
    return True


WORDS = sorted({*words(), "localtime", "localtimestamp", "current_time", "current_timestamp"})  # which no list of its has


@pytest.mark.parametrize("word", WORDS)
def test_what_differs_from_moment_to_moment_is_told_as_such(word: str) -> None:
    ((place, cause, remedy),) = mistakes(f"name < {word}::VARCHAR")
    assert (place, cause) == (word, f"`{word}` gives something else each time, so the result is no function of the inputs")
    assert "batch_end()" in remedy or "write the value itself" in remedy


def test_a_column_that_there_is_not_is_told() -> None:
    ((place, cause, _),) = mistakes("nme < 'x'")
    assert (place, cause) == ("nme", "the column `nme` is not among the query's columns")


@pytest.mark.parametrize(
    "condition",
    [
        *("(SELECT 1) = 1", "id IN (SELECT 1)", "EXISTS (SELECT id)", "id = ALL (SELECT unnest([id]))", "id > (VALUES (1))"),
        *("id IN (FROM range(3))", "(SELECT max(x) FROM (SELECT 1 AS x)) = id", "EXISTS (FROM lake.ops.t)"),
    ],
)
def test_a_subquery_is_refused(condition: str) -> None:
    ((_, cause, _),) = mistakes(condition)
    assert cause in ("an expectation speaks of one row, without subqueries", "an expectation cannot read tables")
