"""Queries that a PostgreSQL runs: their columns have the types with which the collect slice loads what PostgreSQL answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from language.diagnostics import Problem
from language.query_typing import type_query
from shared_metadata.records import SchemaColumn
from slices.collect.postgres.catalog import columns_of
from slices.collect.postgres.type_mapping import map_type
from tests.background import postgres_server
from tests.language.typed_query import parsed

COLUMNS = {
    **{"b": "boolean", "si": "smallint", "i": "integer", "l": "bigint", "f": "real", "d": "double precision", "n": "numeric(10,2)"},
    **{"m": "numeric", "s": "text", "vc": "character varying(10)", "dt": "date", "tm": "time without time zone", "u": "uuid"},
    **{"ts": "timestamp without time zone", "tz": "timestamp with time zone", "iv": "interval", "x": "bytea", "j": "jsonb"},
    **{"ai": "integer[]", "en": "mood"},
}
EXPRESSIONS = Path(__file__).with_name("postgres_expressions.txt").read_text(encoding="utf-8").splitlines()
REFUSED = "refused"
# What has a type in PostgreSQL and none here until it is CAST.
UNTYPED = frozenset(("date_part('year', ts)", "extract(year FROM dt)", "extract(epoch FROM ts)"))


@pytest.fixture(scope="module")
def session() -> Iterator[psycopg.Connection[Any]]:
    with (
        postgres_server() as (host, port),
        psycopg.connect(host=host, port=port, dbname="postgres", user="postgres", autocommit=True) as connection,
    ):
        connection.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
        yield connection


@pytest.fixture(scope="module")
def table(session: psycopg.Connection[Any]) -> tuple[SchemaColumn, ...]:
    found = columns_of(session, "SELECT * FROM t")
    return tuple(SchemaColumn(c.name, map_type(c.type).iceberg, source=c.name, source_type=c.type_name) for c in found)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_loaded_with_the_type_that_it_has_here(
    expression: str, session: psycopg.Connection[Any], table: tuple[SchemaColumn, ...]
) -> None:
    try:
        (column,) = columns_of(session, f"SELECT {expression} AS o FROM t")
        expected = map_type(column.type).iceberg
    except psycopg.Error:
        expected = REFUSED
    assert _ours(expression, table) == (REFUSED if expression in UNTYPED else expected)


def _ours(expression: str, table: tuple[SchemaColumn, ...]) -> str:
    try:
        query = parsed(f"SELECT {expression} AS o FROM t", "postgres")
    except Problem:
        return REFUSED
    references = {id(reference.node): reference.folded[0] for reference in query.tables}
    found = type_query(query.tree, references, "postgres", {"t": table})
    return REFUSED if found.problems else found.columns[0].type
