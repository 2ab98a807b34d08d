"""INSERT by Athena of the embedded AWS: rows in files that have the table's field ids, as a snapshot of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DecimalType, LongType, NestedField, StringType, TimestamptzType

from infra.embedded import EmbeddedAws
from tests.athena_lake import AthenaLake, athena_lake

pytestmark = pytest.mark.xdist_group("emulator")
SCHEMA = Schema(
    NestedField(1, "gone", LongType()),
    NestedField(2, "id", LongType()),
    NestedField(3, "carrier", StringType()),
    NestedField(4, "price", DecimalType(12, 2)),
    NestedField(5, "seen", TimestamptzType()),
)
SEEN = "CAST(NULL AS timestamp(6) with time zone)"
ROW = f"SELECT CAST(1 AS bigint) AS id, 'UA' AS carrier, CAST(1.5 AS decimal(12,2)) AS price, {SEEN} AS seen"


@pytest.fixture(scope="module")
def lake(local_aws: EmbeddedAws) -> Iterator[AthenaLake]:
    with athena_lake(local_aws) as found:
        yield found


@pytest.fixture
def name(request: Any, lake: AthenaLake) -> str:
    """A table of the test's own, without rows."""
    made = f"t{abs(hash(request.node.name)):x}"
    _made(lake, made, UNPARTITIONED_PARTITION_SPEC)
    return made


def _made(lake: AthenaLake, name: str, spec: PartitionSpec) -> None:
    """A table whose fields have other ids than their places say, as one has whose columns came and went."""
    with lake.table(name, SCHEMA, spec=spec).update_schema() as update:
        update.delete_column("gone")


def _files(lake: AthenaLake, name: str) -> list[str]:
    return [task.file.file_path for task in lake.catalog.load_table((lake.database, name)).scan().plan_files()]


def _field_ids(lake: AthenaLake, url: str) -> dict[str, int]:
    with lake.catalog.load_table((lake.database, url.split("/")[4])).io.new_input(url).open() as stream:
        schema = pq.read_schema(stream)
    return {field.name: int(field.metadata[b"PARQUET:field_id"]) for field in schema}


def test_rows_are_a_snapshot_whose_files_have_the_tables_field_ids(lake: AthenaLake, name: str) -> None:
    found = lake.run(f'INSERT INTO "{lake.database}"."{name}" {ROW} UNION ALL {ROW}')
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    (file,) = _files(lake, name)
    assert _field_ids(lake, file) == {"id": 2, "carrier": 3, "price": 4, "seen": 5}
    id = found["QueryExecutionId"]
    answer = lake.client.get_query_results(QueryExecutionId=id)
    assert (answer["UpdateCount"], answer["ResultSet"]["Rows"]) == (2, [])
    rows = lake.client.get_query_runtime_statistics(QueryExecutionId=id)["QueryRuntimeStatistics"]["Rows"]
    assert (
        rows["OutputRows"] == 2
        and rows["OutputBytes"] == lake.s3.head_object(Bucket=lake.name, Key=file.removeprefix(f"s3://{lake.name}/"))["ContentLength"]
    )
    manifest = found["Statistics"]["DataManifestLocation"].removeprefix(f"s3://{lake.name}/")
    assert lake.s3.get_object(Bucket=lake.name, Key=manifest)["Body"].read().decode().split() == [file]
    assert lake.rows(f"SELECT id, carrier, price, seen FROM {name} ORDER BY id") == [["1", "UA", "1.50", None]] * 2


def test_columns_are_met_by_their_places_and_those_that_are_not_named_are_null(lake: AthenaLake, name: str) -> None:
    assert lake.run(f"INSERT INTO {name} (carrier, id) SELECT 'x', 2")["Status"]["State"] == "SUCCEEDED"
    assert lake.rows(f"SELECT * FROM {name}") == [["2", "x", None, None]]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1, 'a'",
        "SELECT 'a', 'b', 1.5, CAST(NULL AS timestamp(6) with time zone)",
        "SELECT 1, 2, 1.5, CAST(NULL AS timestamp(6) with time zone)",
        "SELECT 1, 'a', 1.5e0, CAST(NULL AS timestamp(6) with time zone)",
        "SELECT 1, 'a', 1.555, CAST(NULL AS timestamp(6) with time zone)",
    ],
)
def test_columns_of_other_types_are_refused(lake: AthenaLake, name: str, query: str) -> None:
    expected = "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [bigint, varchar, decimal(12,2), "
    assert lake.failure(f"INSERT INTO {name} {query}").startswith(expected)
    assert _files(lake, name) == []


def test_a_write_has_at_most_a_hundred_partitions(lake: AthenaLake) -> None:
    _made(lake, "parted", PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "id")))

    def insert(number: int) -> str:
        values = ", ".join(f"({n})" for n in range(number))
        rows = f"SELECT x, 'a', CAST(1 AS decimal(12,2)), CAST(NULL AS timestamp(6) with time zone) FROM (VALUES {values}) AS v(x)"
        return f"INSERT INTO parted {rows}"

    expected = "ICEBERG_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions"
    assert lake.failure(insert(101)) == expected and _files(lake, "parted") == []
    assert lake.run(insert(100))["Status"]["State"] == "SUCCEEDED" and len(_files(lake, "parted")) == 100


def test_no_rows_are_no_files(lake: AthenaLake, name: str) -> None:
    found = lake.run(f"INSERT INTO {name} SELECT * FROM ({ROW}) WHERE id > 1")
    assert found["Status"]["State"] == "SUCCEEDED" and _files(lake, name) == []
    assert lake.client.get_query_results(QueryExecutionId=found["QueryExecutionId"])["UpdateCount"] == 0


def test_a_conflict_commits_nothing_and_a_lost_commit_has_committed(lake: AthenaLake, name: str) -> None:
    lake.door.fault("conflict")
    assert lake.failure(f"INSERT INTO {name} {ROW}").startswith("ICEBERG_COMMIT_ERROR: ") and _files(lake, name) == []
    lake.door.fault("lost_commit")
    status = lake.run(f"INSERT INTO {name} {ROW}")["Status"]
    assert (status["State"], status["AthenaError"]["ErrorCategory"], status["AthenaError"]["Retryable"]) == ("FAILED", 1, True)
    assert len(_files(lake, name)) == 1


def test_of_those_who_commit_at_once_each_has_committed_or_says_that_it_has_not(lake: AthenaLake, name: str) -> None:
    ids = [lake.start(f"INSERT INTO {name} {ROW}") for _ in range(4)]
    ended = [lake.ended(id)["Status"] for id in ids]
    committed = [status for status in ended if status["State"] == "SUCCEEDED"]
    for status in ended:
        assert status["State"] == "SUCCEEDED" or status["StateChangeReason"].startswith("ICEBERG_COMMIT_ERROR: "), status
    assert committed and lake.rows(f"SELECT count(*) FROM {name}") == [[str(len(committed))]]
