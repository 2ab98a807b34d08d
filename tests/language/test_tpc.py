"""TPC-H's 22 and TPC-DS's 99 queries as views of one program: every column has the type that DuckDB gives it, and its origins.

The queries and the tables are those of DuckDB's own extensions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache

import duckdb
import pytest
from sqlglot import exp
from sqlglot.lineage import lineage as traced_by_sqlglot

from language import compile_with_positions
from language.compiler import Compilation
from language.sql.edits import edited
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.parquet.duckdb_session import extension_path
from shared_metadata.program.lineage import ColumnLineage
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from tests.language.typed_query import warehouse_query
from tests.language.words_of_types import iceberg_name

SUITES = {"tpch": (22, "dbgen"), "tpcds": (99, "dsdgen")}
QUERIES = [(suite, number) for suite, (count, _) in SUITES.items() for number in range(1, count + 1)]
SLOWLY_TRACED = [("tpch", number) for number in range(1, 23)] + [("tpcds", number) for number in (3, 7, 15, 36, 64, 75, 86, 97)]

pytestmark = [
    pytest.mark.xdist_group("tpc"),  # tables are made once
    pytest.mark.skipif(
        any(importlib.util.find_spec(f"duckdb_extension_{suite}") is None for suite in SUITES),
        reason="needs duckdb-extension-tpch and duckdb-extension-tpcds",
    ),
]


@cache
def _database(suite: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension_path(suite)}'")
    connection.execute(f"CALL {SUITES[suite][1]}(sf = 0)")
    for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN _batch TIMESTAMPTZ")  # as every collected table has it
    return connection


@cache
def _query(suite: str, number: int) -> str:
    (text,) = _database(suite).execute(f"SELECT query FROM {suite}_queries() WHERE query_nr = {number}").fetchone() or ("",)
    return text.strip().rstrip(";")


@cache
def _tables(suite: str) -> Mapping[str, Mapping[str, str]]:
    rows = _database(suite).execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal AND column_name <> '_batch' "
        "ORDER BY table_name, column_index"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows.fetchall():
        found.setdefault(table, {})[column] = _iceberg(kind)
    return found


def _iceberg(kind: str) -> str:
    return iceberg_name(exp.DataType.build(kind, dialect="duckdb")) or kind


def _described(suite: str, number: int) -> list[str]:
    """The columns' types as DuckDB tells them when it is about to run the query as it was published."""
    return [_iceberg(row[1]) for row in _database(suite).execute(f"DESCRIBE {_query(suite, number)}").fetchall()]


def _view(suite: str, number: int, columns: int) -> str:
    """The query over the warehouse's tables, its columns named c1, c2, …: some have no name, or the same."""
    query = warehouse_query(_query(suite, number))
    edits = [(reference.spans[0], f"lake.{suite}.{reference.folded[0]}") for reference in query.tables]
    names = ", ".join(f"c{n}" for n in range(1, columns + 1))
    text = f"SELECT * FROM (\n{edited(query.span, edits)}\n) AS q({names})"
    return f"CREATE MATERIALIZED VIEW lake.views.{suite}_{number} EVERY '1 day' REPLACE AS\n{text};\n"


@pytest.fixture(scope="module")
def compilation(request: pytest.FixtureRequest, slices: Mapping[str, Slice]) -> Compilation:
    """Of the queries that this run asks for."""
    asked = {tuple(item.callspec.params.values()) for item in request.session.items if _is_here(item, request)}
    text, schemas = "CREATE WAREHOUSE lake USING iceberg;\n", {}
    for suite in SUITES:
        tables = _tables(suite)
        text += f"CREATE CONNECTION {suite} TO postgres WITH (secret = '{suite}');\n"
        listed = ", ".join(f"public.{table}" for table in tables)
        text += f"INSERT INTO lake.{suite} FROM {suite} TABLES ({listed}) EVERY '1 day' REPLACE;\n"
        known = {
            f"public.{table}": Schema(tuple(SchemaColumn(name, kind, source=name) for name, kind in columns.items()))
            for table, columns in tables.items()
        }
        schemas[suite] = ConnectionSchemas(suite, "postgres", known)
    text += "".join(_view(suite, number, len(_described(suite, number))) for suite, number in QUERIES if (suite, number) in asked)
    return compile_with_positions({"tpc.sql": text}, slices, schemas)


def _is_here(item: pytest.Item, request: pytest.FixtureRequest) -> bool:
    return item.path == request.path and hasattr(item, "callspec")


def _columns(compilation: Compilation, suite: str, number: int) -> tuple[ColumnLineage, ...]:
    assert compilation.lineage is not None
    return compilation.lineage.datasets[f"lake.views.{suite}_{number}"].columns


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("suite", "number"), QUERIES)
def test_every_column_has_the_type_that_duckdb_gives_it(suite: str, number: int, compilation: Compilation) -> None:
    assert [column.type for column in _columns(compilation, suite, number)] == _described(suite, number)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("suite", "number"), QUERIES)
def test_duckdb_binds_the_query_as_it_is_pinned_to_the_same_columns(suite: str, number: int, compilation: Compilation) -> None:
    flow = compilation.program.flows[f"lake.views.{suite}_{number}"]
    rows = _database(suite).execute(f"DESCRIBE {flow.query.replace(f'lake.{suite}.', '')}").fetchall()
    assert [(row[0], _iceberg(row[1])) for row in rows] == [(c.name, c.type) for c in _columns(compilation, suite, number)]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("suite", "number"), SLOWLY_TRACED)
def test_origins_are_those_that_sqlglots_own_lineage_finds(suite: str, number: int, compilation: Compilation) -> None:
    """Which follows each column by itself, and slowly: not in all of them."""
    schema = {table: dict(columns) for table, columns in _tables(suite).items()}
    columns = _columns(compilation, suite, number)
    query = f"SELECT * FROM ({_query(suite, number)}) AS q({', '.join(column.name for column in columns)})"
    for column in columns:
        nodes = traced_by_sqlglot(column.name, query, schema=schema, dialect="duckdb").walk()
        leaves = {
            (node.expression.name, node.name.rpartition(".")[2].lower()) for node in nodes if isinstance(node.expression, exp.Table)
        }
        assert {(ref.dataset.rpartition(".")[2], ref.column) for ref in column.inputs} == {leaf for leaf in leaves if leaf[1] != "*"}
