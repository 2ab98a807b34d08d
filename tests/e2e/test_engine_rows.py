"""The reference program's views by Athena beside the same by DuckDB, over rows of the airline in memory, before and after a change.

What is published of them is compared with the sources, deployed, by `test_engines.py`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from console.project import compile_project
from examples.airline import flights
from language.compiler import Compilation
from language.dialects.duckdb.types import duckdb_type
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.program import Kind
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.records import TableCommit
from slices.organize.athena.tests.test_views import Views, serve
from tests.conformance.engine_views import forget_databases
from tests.conformance.fixtures import open_cloud
from tests.e2e.engine_programs import REJECTED, VIEWS, write_beside
from tests.e2e.same_rows import OWN, as_json, unlike

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]
MOST_ROWS = 20_000  # of each of the sources' tables
TABLES = ("airlines", "airports", "planes", "weather", "flights")
# What is collected, of a batch that begins at `begun`; `round` counts them from 0.
SOURCES = {
    "lake.crm.account": "SELECT 'A' || rowid AS id, name, 'Airline' AS type, carrier AS carrier_code__c, rowid = 3 AS _deleted "
    "FROM airlines",
    "lake.crm.opportunity": "SELECT 'O' || n AS id, 'A' || n % 16 AS accountid, n * 1234.56 AS amount, n % 7 = 0 AS _deleted "
    "FROM range(100) AS r (n), airline WHERE n < 60 + round",
    "lake.ops.airports": "SELECT * FROM airports",
    "lake.ops.planes": "SELECT tailnum, year, manufacturer, seats FROM planes UNION ALL "
    "SELECT name, year + round, NULL, 1 FROM (VALUES ('N-OLD', 1800), ('N-NEW', 2026)) AS v (name, year), airline WHERE round = 1",
    "lake.ops.weather": "SELECT * FROM weather",
    "lake.ops.flights": "SELECT flights.rowid AS id, * REPLACE (CAST(dep_delay AS INT) + 15 * round AS dep_delay), "
    "begun + to_seconds(flights.rowid % 100) AS updated_at FROM flights, airline WHERE round = 0 OR id % 50 = 7",
}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Views]:
    for cloud in open_cloud(monkeypatch):
        yield serve(cloud, monkeypatch)
        forget_databases(cloud)


def collected(lake: Views, compilation: Compilation, number: int) -> None:
    """Does what the slices that collect do for the next batch of each."""
    assert compilation.lineage is not None
    for flow in compilation.program.flows.values():
        if flow.kind != Kind.COLLECT:
            continue
        event = lake.cloud.event(flow.id)
        interval = Interval(datetime.fromisoformat(event["start"]), datetime.fromisoformat(event["end"]))
        staged = [table.dataset for table in flow.tables]
        claim = lake.cloud.writer.claim(flow.id, interval, staged, program_version="v", owner="test", lease_seconds=60)
        staging, commits = Staging(lake.cloud.s3, lake.cloud.bucket, flow.slice_id, claim), []
        for name in staged:
            dataset = name.partition(":")[0]
            columns = [SchemaColumn(c.name, c.type, source=c.name) for c in compilation.lineage.datasets[dataset].columns]
            rows, body, key = source_rows(dataset, columns, interval.start, number), io.BytesIO(), staging.key(name, "0.parquet")
            pq.write_table(rows, body)
            lake.cloud.s3.put_object(Bucket=lake.cloud.bucket, Key=key, Body=body.getvalue())
            files = [{"key": key, "rows": len(rows), "bytes": len(body.getvalue())}]
            manifest = staging.write({"files": files, "schema": asdict(Schema(tuple(columns)))}, name, "manifest.json")
            commits.append(TableCommit(name, rows=len(rows), pointer={"manifest": manifest}, cursor="c"))
        lake.cloud.writer.commit(claim, commits)


@cache
def airline() -> duckdb.DuckDBPyConnection:
    """The airline's tables as texts."""
    connection = duckdb.connect()
    for table in TABLES:
        connection.register("texts", flights.table(table))
        connection.execute(f"CREATE TABLE {table} AS FROM texts LIMIT {MOST_ROWS}")
    return connection


def source_rows(dataset: str, columns: list[SchemaColumn], start: datetime, number: int) -> pa.Table:
    """Rows with the columns of a collected table, of which those that its source has not are null."""
    with airline().cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sql = "CREATE OR REPLACE TABLE airline AS SELECT CAST(? AS INT) AS round, CAST(? AS TIMESTAMPTZ) AS begun"
        connection.execute(sql, [number, start])
        found = connection.execute(f"SELECT *, (SELECT begun FROM airline) AS _batch FROM ({SOURCES[dataset]})").to_arrow_table()
        connection.register("found", found)
        values = ", ".join(
            f"CAST({identifier(c.name) if c.name in found.column_names else 'NULL'} AS {duckdb_type(c.type)}) AS {identifier(c.name)}"
            for c in columns
        )
        return connection.execute(f"SELECT {values} FROM found").to_arrow_table()


def rows_of(lake: Views, schema: str) -> Mapping[str, pa.Table]:
    return {name: lake.table(f"lake.{schema}.{name}").scan().to_arrow() for name in (*VIEWS, REJECTED)}


def test_each_view_has_the_same_rows_by_athena_and_by_duckdb(lake: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_beside(tmp_path, "athena")
    monkeypatch.chdir(tmp_path)
    compilation = compile_project(["program.sql"])
    lake.cloud.writer.put_program(compilation.program, compilation.lineage)
    lake.cloud.writer.activate(compilation.program, former_version=lake.cloud.reader.active_version())
    lake.flows = dict(compilation.program.flows)
    for number in range(2):
        collected(lake, compilation, number)
        for flow in compilation.program.flows.values():
            if flow.kind not in (Kind.COLLECT, Kind.PUBLISH):
                lake.run(flow.id)
        by_athena, by_duckdb = (rows_of(lake, schema) for schema in ("ops", "beside"))
        for name in VIEWS:
            assert by_athena[name].num_rows and unlike(by_duckdb[name], by_athena[name], OWN) == [], (name, number)
        assert by_athena[REJECTED].num_rows
        assert unlike(as_json(by_duckdb[REJECTED]), as_json(by_athena[REJECTED]), OWN) == []
    assert "N-NEW" in by_athena["fleet"].column("tailnum").to_pylist() and lake.submitted()
