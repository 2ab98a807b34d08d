"""Athena of the embedded AWS, by boto3 as it is: queries over the lake's tables, their states, results, limits and errors."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from doubles.athena.limits import MOST_QUERY_BYTES
from infra.embedded import EmbeddedAws
from tests.athena_lake import AthenaLake, athena_lake

pytestmark = pytest.mark.xdist_group("emulator")
FLIGHTS = Schema(
    NestedField(1, "id", LongType()),
    NestedField(2, "carrier", StringType()),
    NestedField(3, "delay", DoubleType()),
    NestedField(4, "price", DecimalType(10, 2)),
    NestedField(5, "seen", TimestamptzType()),
)
KEY = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
SEEN = datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)


def flights(*rows: tuple[Any, ...]) -> pa.Table:
    names = [field.name for field in FLIGHTS.fields]
    types = [pa.int64(), pa.string(), pa.float64(), pa.decimal128(10, 2), pa.timestamp("us", "UTC")]
    return pa.table([pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)], names)


FIRST = flights((1, "UA", 1.5, Decimal("10.00"), SEEN), (2, "AA", None, Decimal("2.50"), SEEN), (3, "", 1e10, None, SEEN))
SECOND = flights((4, None, 0.0, Decimal("1.00"), SEEN))


@pytest.fixture(scope="module")
def lake(local_aws: EmbeddedAws) -> Iterator[AthenaLake]:
    with athena_lake(local_aws) as found:
        yield found


@pytest.fixture(scope="module")
def table(lake: AthenaLake) -> Table:
    return lake.table("flights", FLIGHTS, FIRST, SECOND)


@pytest.fixture(autouse=True)
def no_faults(lake: AthenaLake) -> Iterator[None]:
    yield
    lake.door.clear()


def test_a_query_is_queued_runs_and_has_its_rows_types_and_figures(lake: AthenaLake, table: Table) -> None:
    lake.door.fault("queued", seconds=0.2)
    lake.door.fault("slow", seconds=0.2)
    id, states = lake.start("SELECT id, carrier, delay, price, seen FROM flights ORDER BY id"), set()
    while (found := lake.look(id))["Status"]["State"] != "SUCCEEDED":
        states.add(found["Status"]["State"])
        assert found["Status"]["State"] in ("QUEUED", "RUNNING"), found
        time.sleep(0.01)
    assert states == {"QUEUED", "RUNNING"}
    figures = found["Statistics"]
    assert figures["QueryQueueTimeInMillis"] >= 200 and figures["EngineExecutionTimeInMillis"] >= 200
    assert figures["TotalExecutionTimeInMillis"] >= 400 and figures["DataScannedInBytes"] > 0
    answer = lake.client.get_query_results(QueryExecutionId=id)["ResultSet"]
    assert [column["Type"] for column in answer["ResultSetMetadata"]["ColumnInfo"]] == [
        "bigint", "varchar", "double", "decimal", "timestamp with time zone",
    ]  # fmt: skip
    rows = [[datum.get("VarCharValue") for datum in row["Data"]] for row in answer["Rows"]]
    assert rows[:5] == [
        ["id", "carrier", "delay", "price", "seen"],
        ["1", "UA", "1.5", "10.00", "2024-01-02 03:04:05.678901 UTC"],
        ["2", "AA", None, "2.50", "2024-01-02 03:04:05.678901 UTC"],
        ["3", "", "1.0E10", None, "2024-01-02 03:04:05.678901 UTC"],
        ["4", None, "0.0", "1.00", "2024-01-02 03:04:05.678901 UTC"],
    ]
    key = found["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{lake.name}/")
    csv = lake.s3.get_object(Bucket=lake.name, Key=key)["Body"].read().decode()
    assert csv.splitlines()[4] == '"4",,"0.0","1.00","2024-01-02 03:04:05.678901 UTC"' and key == f"results/{id}.csv"
    rows_read = lake.client.get_query_runtime_statistics(QueryExecutionId=id)["QueryRuntimeStatistics"]["Rows"]
    assert (rows_read["InputRows"], rows_read["OutputRows"]) == (4, 4)


def test_a_query_reads_the_snapshot_that_it_names(lake: AthenaLake, table: Table) -> None:
    first, second = table.snapshots()
    moment = datetime.fromtimestamp(first.timestamp_ms / 1000, UTC)
    count = "SELECT count(*), sum(id) FROM"
    assert lake.rows(f'{count} "{lake.database}"."flights" FOR VERSION AS OF {first.snapshot_id}') == [["3", "6"]]
    assert lake.rows(f"{count} flights FOR VERSION AS OF {second.snapshot_id}") == [["4", "10"]]
    assert lake.rows(f"{count} flights FOR TIMESTAMP AS OF TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f} UTC'") == [["3", "6"]]
    assert lake.rows(f"{count} flights") == [["4", "10"]]
    assert "INVALID_ARGUMENTS" in lake.failure(f"{count} flights FOR VERSION AS OF 1")
    both = f"SELECT a.id FROM flights FOR VERSION AS OF {first.snapshot_id} AS a RIGHT JOIN flights AS b USING (id)"
    assert "COLUMN_NOT_FOUND" in lake.failure(both)


def test_only_the_bytes_of_the_columns_that_are_read_are_scanned(lake: AthenaLake, table: Table) -> None:
    scanned = {
        what: lake.run(f"SELECT {what} FROM flights")["Statistics"]["DataScannedInBytes"]
        for what in ("count(*)", "id", "id, carrier")
    }
    assert 0 == scanned["count(*)"] < scanned["id"] < scanned["id, carrier"]


def test_every_type_of_a_table_is_read_and_written(lake: AthenaLake) -> None:
    inner = StructType(NestedField(21, "a", LongType()), NestedField(22, "B", StringType()))
    values = {
        "b": (BooleanType(), pa.bool_(), True, "true"),
        "i": (IntegerType(), pa.int32(), 7, "7"),
        "f": (FloatType(), pa.float32(), 0.1, "0.1"),
        "y": (DateType(), pa.date32(), SEEN.date(), "2024-01-02"),
        "m": (TimeType(), pa.time64("us"), SEEN.time(), "03:04:05.678901"),
        "t": (TimestampType(), pa.timestamp("us"), SEEN.replace(tzinfo=None), "2024-01-02 03:04:05.678901"),
        "x": (BinaryType(), pa.binary(), b"\x0a\xff", "0a ff"),
        "l": (ListType(20, StringType(), False), pa.list_(pa.string()), ["u", None], "[u, null]"),
        "s": (inner, pa.struct({"a": pa.int64(), "B": pa.string()}), {"a": 1, "B": "v"}, "{a=1, b=v}"),
        "p": (MapType(30, StringType(), 31, LongType(), False), pa.map_(pa.string(), pa.int64()), [("k", 1)], "{k=1}"),
        "u": (UUIDType(), pa.uuid(), KEY.bytes, str(KEY)),
    }
    schema = Schema(*(NestedField(number, name, value[0]) for number, (name, value) in enumerate(values.items(), 1)))
    arrays = [pa.array([value], kind) for _, kind, value, _ in values.values()]
    lake.table("every", schema, pa.table(arrays, [*values]))
    assert lake.rows("SELECT *, s.b FROM every") == [[*(text for *_, text in values.values()), "v"]]
    assert lake.run("INSERT INTO every SELECT * FROM every")["Status"]["State"] == "SUCCEEDED"
    assert lake.rows("SELECT * FROM every") == [[text for *_, text in values.values()]] * 2


def test_results_have_pages_of_which_the_first_begins_with_the_header(lake: AthenaLake) -> None:
    values = ", ".join(f"({number})" for number in range(2500))
    id = lake.run(f"SELECT x FROM (VALUES {values}) AS v(x) ORDER BY x")["QueryExecutionId"]
    pages = [*lake.client.get_paginator("get_query_results").paginate(QueryExecutionId=id)]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    texts = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert texts == ["x", *map(str, range(2500))]
    assert len(lake.client.get_query_results(QueryExecutionId=id, MaxResults=7)["ResultSet"]["Rows"]) == 7


def test_a_token_is_that_of_one_query(lake: AthenaLake) -> None:
    token = str(uuid.uuid4())
    first, again = (lake.start("SELECT 1", ClientRequestToken=token) for _ in range(2))
    assert first == again != lake.start("SELECT 1", ClientRequestToken=str(uuid.uuid4()))
    with pytest.raises(ClientError, match="InvalidRequestException"):
        lake.start("SELECT 2", ClientRequestToken=token)
    lake.ended(first)
    assert lake.start("SELECT 1", ClientRequestToken=token) == first


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        ("SELECT 1 FROM no_such", "TABLE_NOT_FOUND", 1110),
        ("SELECT 1 FROM nowhere.t", "SCHEMA_NOT_FOUND", 1110),
        ("SELECT nothing FROM flights", "COLUMN_NOT_FOUND", 1006),
        ("SELECT id / 0 FROM flights", "DIVISION_BY_ZERO", 1001),
        ("SELECT id || 'a' FROM flights", "TYPE_MISMATCH", 1002),
        ("SELECT CAST(carrier AS bigint) FROM flights", "INVALID_CAST_ARGUMENT", 1100),
        ("CREATE TABLE t (a int)", "NOT_SUPPORTED", 1200),
    ],
)
def test_a_query_that_is_wrong_fails_with_its_cause(lake: AthenaLake, table: Table, text: str, reason: str, kind: int) -> None:
    status = lake.run(text)["Status"]
    error = status["AthenaError"]
    assert status["State"] == "FAILED" and status["StateChangeReason"].startswith(f"{reason}: "), status
    assert (error["ErrorCategory"], error["ErrorType"], error["Retryable"]) == (2, kind, False)


def test_what_is_no_statement_is_refused_when_it_is_submitted(lake: AthenaLake) -> None:
    with pytest.raises(ClientError, match="mismatched input") as refused:
        lake.start("SELECT 1 FROM")
    assert refused.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"
    with pytest.raises(ClientError, match=str(MOST_QUERY_BYTES)):
        lake.start(f"SELECT '{'é' * (MOST_QUERY_BYTES // 2)}'")


def test_results_of_what_has_not_succeeded_are_refused(lake: AthenaLake) -> None:
    lake.door.fault("slow", seconds=5)
    id = lake.start("SELECT 1")
    with pytest.raises(ClientError, match="has not yet finished"):
        lake.client.get_query_results(QueryExecutionId=id)
    lake.client.stop_query_execution(QueryExecutionId=id)
    assert lake.ended(id)["Status"]["StateChangeReason"] == "Query cancelled by user"
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        lake.client.get_query_results(QueryExecutionId=id)
    with pytest.raises(ClientError, match="was not found"):
        lake.look(str(uuid.uuid4()))


def test_a_query_that_computes_is_stopped(lake: AthenaLake) -> None:
    values = ", ".join(f"({number})" for number in range(2000))
    text = f"WITH v AS (SELECT x FROM (VALUES {values}) AS v(x)) SELECT sum(a.x * b.x % 7 + c.x) FROM v a, v b, v c"
    id = lake.start(text)
    while lake.look(id)["Status"]["State"] == "QUEUED":
        time.sleep(0.01)
    lake.client.stop_query_execution(QueryExecutionId=id)
    assert lake.ended(id)["Status"]["State"] == "CANCELLED"


def test_queries_beyond_the_quota_are_throttled(lake: AthenaLake) -> None:
    lake.door.settings(most_active=2)
    lake.door.fault("slow", count=2, seconds=5)
    try:
        running = [lake.start("SELECT 1") for _ in range(2)]
        with pytest.raises(ClientError) as refused:
            lake.start("SELECT 1")
        assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert refused.value.response["Reason"] == "CONCURRENT_QUERY_LIMIT_EXCEEDED"
    finally:
        lake.door.settings(most_active=200)
    for id in running:
        lake.client.stop_query_execution(QueryExecutionId=id)
        lake.ended(id)


def test_a_query_that_takes_too_long_fails(lake: AthenaLake) -> None:
    lake.door.settings(dml_seconds=0.2)
    lake.door.fault("slow", seconds=5)
    try:
        status = lake.run("SELECT 1")["Status"]
    finally:
        lake.door.settings(dml_seconds=1800)
    assert (status["State"], status["AthenaError"]["ErrorType"]) == ("FAILED", 206)


def test_results_go_where_the_workgroup_says_unless_it_is_not_enforced(lake: AthenaLake) -> None:
    name, own = f"group-{uuid.uuid4().hex[:8]}", f"s3://{lake.name}/own/"
    with pytest.raises(ClientError, match="is not found"):
        lake.start("SELECT 1", WorkGroup=name)
    configuration = {"ResultConfiguration": {"OutputLocation": own}, "EnforceWorkGroupConfiguration": True}
    lake.client.create_work_group(Name=name, Configuration=configuration)
    found = lake.run("SELECT 1", WorkGroup=name)
    assert found["ResultConfiguration"]["OutputLocation"] == f"{own}{found['QueryExecutionId']}.csv"
    lake.client.update_work_group(WorkGroup=name, ConfigurationUpdates={"EnforceWorkGroupConfiguration": False})
    assert lake.run("SELECT 1", WorkGroup=name)["ResultConfiguration"]["OutputLocation"].startswith(lake.results)
    lake.client.update_work_group(WorkGroup=name, State="DISABLED")
    with pytest.raises(ClientError, match="is disabled"):
        lake.start("SELECT 1", WorkGroup=name)
    with pytest.raises(ClientError, match="is not empty"):
        lake.client.delete_work_group(WorkGroup=name)
    lake.client.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    with pytest.raises(ClientError):
        lake.client.get_work_group(WorkGroup=name)


def test_results_without_a_place_or_in_no_bucket_are_refused(lake: AthenaLake) -> None:
    with pytest.raises(ClientError, match="No output location provided"):
        lake.client.start_query_execution(QueryString="SELECT 1")
    with pytest.raises(ClientError, match="Unable to verify/create output bucket no-such-bucket"):
        lake.start("SELECT 1", ResultConfiguration={"OutputLocation": "s3://no-such-bucket/x"})


def test_a_query_that_scans_more_than_its_workgroup_allows_is_cancelled(lake: AthenaLake) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    lake.client.create_work_group(
        Name=name, Configuration={"ResultConfiguration": {"OutputLocation": lake.results}, "BytesScannedCutoffPerQuery": 10_000_000}
    )
    schema = Schema(NestedField(1, "x", BinaryType()), NestedField(2, "n", LongType()))
    lake.table("large", schema, pa.table([pa.array([os.urandom(11_000_000)]), pa.array([1])], ["x", "n"]))
    status = lake.run("SELECT x FROM large", WorkGroup=name)["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert lake.run("SELECT n FROM large", WorkGroup=name)["Status"]["State"] == "SUCCEEDED"


def test_a_stack_has_a_workgroup(lake: AthenaLake) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    settings = {
        "ResultConfiguration": {"OutputLocation": f"s3://{lake.name}/stacks/"},
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": 20_000_000,
    }
    properties = {"Name": name, "RecursiveDeleteOption": True, "WorkGroupConfiguration": settings}
    template = {"Resources": {"Group": {"Type": "AWS::Athena::WorkGroup", "Properties": properties}}}
    stacks = lake.aws.session().client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    assert lake.run("SELECT 1", WorkGroup=name)["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{lake.name}/stacks/")
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="is not found"):
        lake.start("SELECT 1", WorkGroup=name)
