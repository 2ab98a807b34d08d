"""The double of EMR Serverless: its API without any Spark, by boto3 with IAM enforced, and jobs of a real Spark in the deep suite."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pyiceberg.schema import Schema
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
)

from infra.embedded import EmbeddedAws
from shared_metadata.contract.waiting.statements import Status
from shared_metadata.program.schema import SchemaColumn
from slices.organize.spark.logic import other_names, reading
from slices.organize.spark.spelling import as_spark
from systems.iceberg.delete_files import folded
from systems.iceberg.overwriting import Overwriting
from systems.iceberg.staging_table import StagingTables
from tests.conformance.waiting import EngineConformance
from tests.spark_lake import SparkLake, real_spark, spark_lake

pytestmark = pytest.mark.xdist_group("emulator")
NUMBERS = Schema(NestedField(1, "n", LongType()))


@pytest.fixture(scope="module")
def lake(local_aws: EmbeddedAws) -> Iterator[SparkLake]:
    with spark_lake(local_aws) as found:
        found.table("numbers", NUMBERS, pa.table([pa.array([1, 2, 3])], ["n"]))
        yield found


@pytest.fixture(autouse=True)
def no_faults(lake: SparkLake) -> Iterator[None]:
    yield
    lake._door(disarm=True)


def staging(lake: SparkLake, schema: Schema = NUMBERS) -> str:
    name = f"t{uuid.uuid4().hex[:8]}"
    lake.table(name, schema)
    return name


def _once(lake: SparkLake) -> Any:
    """A client that does not try again by itself."""
    return lake.aws.session().client("emr-serverless", config=Config(retries={"total_max_attempts": 1}))


def _asked(lake: SparkLake, **more: Any) -> dict[str, Any]:
    given = {"entryPoint": f"s3://{lake.name}/assets/job.py", "entryPointArguments": ["s3://none/none.json", "atoll.none.none"]}
    return {
        **{"applicationId": lake.application, "executionRoleArn": lake.role, "clientToken": str(uuid.uuid4())},
        **{"jobDriver": {"sparkSubmit": given}, **more},
    }


# -- the API: no job of these begins


def test_an_application_of_a_stack_is_there_and_starts_with_its_first_job(lake: SparkLake) -> None:
    lake.application = lake.make_application(16)
    found = lake.emr.get_application(applicationId=lake.application)["application"]
    assert (found["state"], found["maximumCapacity"]["cpu"], found["type"]) == ("CREATED", "16 vCPU", "Spark")
    lake.fault("refused")
    lake.emr.start_job_run(**_asked(lake))
    assert lake.emr.get_application(applicationId=lake.application)["application"]["state"] == "STARTED"


@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttle", "ThrottlingException"), ("quota", "ServiceQuotaExceededException"), ("internal", "InternalServerException")],
)
def test_a_call_is_refused_once_and_does_nothing(lake: SparkLake, kind: str, code: str) -> None:
    asked, before = _asked(lake), len(lake.runs())
    lake.fault(kind, match="StartJobRun")
    with pytest.raises(ClientError, match=code):
        _once(lake).start_job_run(**asked)
    assert len(lake.runs()) == before
    lake.fault("refused")
    assert _once(lake).start_job_run(**asked)["jobRunId"]


def test_a_token_is_one_run_and_with_other_parameters_a_conflict(lake: SparkLake) -> None:
    asked = _asked(lake)
    lake.fault("refused")
    first, again = (lake.emr.start_job_run(**asked)["jobRunId"] for _ in range(2))
    assert first == again
    with pytest.raises(ClientError, match="ConflictException"):
        lake.emr.start_job_run(**{**asked, "name": "another"})


def test_a_run_that_the_service_loses_has_never_started(lake: SparkLake) -> None:
    service = lake.service("numbers")
    lake.fault("refused")
    identity = service.submit(lake.insert("numbers", "SELECT 1 AS n"), str(uuid.uuid4()))
    lake.run_to_its_end(identity)
    look = service.look(identity)
    assert look.status == Status.FAILED and look.transient


def test_a_driver_that_dies_has_failed_for_good_with_its_exit_code(lake: SparkLake) -> None:
    service = lake.service("numbers")
    lake.fault("killed")
    lake.fault("slow", seconds=0.1)
    identity = service.submit(lake.insert("numbers", "SELECT 1 AS n"), str(uuid.uuid4()))
    lake.run_to_its_end(identity)
    look = service.look(identity)
    assert look.status == Status.FAILED and not look.transient and "exit code 137" in look.reason
    assert look.used["emr_vcpu_hours"] > 0 and look.run_seconds > 0


def test_a_job_that_is_queued_is_cancelled_before_it_begins(lake: SparkLake) -> None:
    service = lake.service("numbers")
    lake.fault("queued", seconds=60)
    identity = service.submit(lake.insert("numbers", "SELECT 1 AS n"), str(uuid.uuid4()))
    assert service.look(identity).status == Status.WAITS
    service.cancel(identity)
    lake.run_to_its_end(identity)
    assert service.look(identity).status == Status.CANCELLED
    service.cancel(identity)  # of one that has ended


def test_a_job_over_its_time_is_told_so_and_not_as_somebody_s_cancelling(lake: SparkLake) -> None:
    service = lake.service("numbers", minutes=0)
    lake.fault("slow", seconds=0.1)
    lake.fault("killed")
    identity = service.submit(lake.insert("numbers", "SELECT 1 AS n"), str(uuid.uuid4()))
    lake.run_to_its_end(identity)
    look = service.look(identity)
    assert look.status == Status.FAILED and "spark_timeout_minutes" in look.reason


def test_a_job_that_is_larger_than_its_application_fails(lake: SparkLake) -> None:
    asked = _asked(lake, applicationId=lake.make_application(4))
    run = lake.emr.start_job_run(**asked)
    found = lake.run_to_its_end(f"{run['applicationId']}/{run['jobRunId']}")
    assert found["state"] == "FAILED" and "maximumCapacity" in found["stateDetails"]


@pytest.mark.security
def test_a_role_that_does_not_trust_the_service_and_one_that_may_not_be_passed_start_nothing(lake: SparkLake) -> None:
    distrusts = lake.role_with([lake.grants()["data"]], trusts="lambda.amazonaws.com")
    with pytest.raises(ClientError, match="does not trust"):
        lake.emr.start_job_run(**_asked(lake, executionRoleArn=distrusts))
    arn = f"arn:aws:emr-serverless:{lake.aws.region}:{lake.aws.account}:/applications/{lake.application}"
    start = {"Action": "emr-serverless:StartJobRun", "Resource": arn}
    passing = {"Action": "iam:PassRole", "Resource": lake.role}
    elsewhere = {**passing, "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    here = {**passing, "Condition": {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}}
    for grants, refused in (([passing], "StartJobRun"), ([start], "PassRole"), ([start, elsewhere], "PassRole")):
        with pytest.raises(ClientError, match=refused):
            _as(lake, grants).start_job_run(**_asked(lake))
    lake.fault("refused")
    run = _as(lake, [start, here]).start_job_run(**_asked(lake))
    with pytest.raises(ClientError, match="GetJobRun"):
        _as(lake, [start]).get_job_run(applicationId=lake.application, jobRunId=run["jobRunId"])
    looks = {"Action": "emr-serverless:GetJobRun", "Resource": f"{arn}/jobruns/*"}
    assert _as(lake, [looks]).get_job_run(applicationId=lake.application, jobRunId=run["jobRunId"])["jobRun"]["state"]


def _as(lake: SparkLake, grants: list[dict[str, Any]]) -> Any:
    """EMR Serverless by a role that has these grants alone."""
    athena = lake.as_role(grants)
    keys = athena._request_signer._credentials.get_frozen_credentials()
    session = boto3.Session(keys.access_key, keys.secret_key, keys.token, region_name=lake.aws.region)
    return session.client("emr-serverless", endpoint_url=lake.aws.endpoint, verify=str(lake.aws.ca_bundle))


# -- with a real Spark


class SparkUnderTest:
    reason = "UNRESOLVED_COLUMN"

    def __init__(self, lake: SparkLake) -> None:
        self._lake, self._before, table = lake, len(lake.runs()), staging(lake)
        self.engine = lake.service(table)
        self.slow = lake.insert(table, "SELECT n FROM db.numbers")
        self.broken = lake.insert(table, "SELECT none FROM db.numbers")

    def submitted(self) -> int:
        return len(self._lake.runs()) - self._before

    def cancelled_by_an_administrator(self, id: str) -> None:
        application, run = id.split("/")
        self._lake.emr.cancel_job_run(applicationId=application, jobRunId=run)


@pytest.mark.deep
@pytest.mark.nightly
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
class TestSpark(EngineConformance):
    @pytest.fixture
    def elsewhere(self, lake: SparkLake, monkeypatch: pytest.MonkeyPatch) -> SparkUnderTest:
        real_spark()
        tokens = str(uuid.uuid4())
        monkeypatch.setattr("tests.conformance.waiting.token", lambda name: str(uuid.uuid5(uuid.UUID(tokens), name)))
        monkeypatch.setattr("tests.conformance.waiting.MOST_LOOKS", 100_000)
        return SparkUnderTest(lake)


def _ran(lake: SparkLake, table: str, document: str, **how: Any) -> Any:
    service = lake.service(table, **how)
    identity = service.submit(document, str(uuid.uuid4()))
    lake.run_to_its_end(identity)
    return service.look(identity)


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
@pytest.mark.security
def test_each_grant_that_is_missing_fails_the_job_and_is_named(lake: SparkLake) -> None:
    real_spark()
    for missing in ("catalog", "commit", "data", "write"):
        table = staging(lake)
        role = lake.role_with([grant for name, grant in lake.grants().items() if name != missing])
        look = _ran(lake, table, lake.insert(table, "SELECT n FROM db.numbers"), role=role)
        assert look.status == Status.FAILED, missing
        early = missing in ("catalog", "data")  # without which it finds no place for an answer
        assert ("its role may not read the catalog" if early else "the job's role is refused") in look.reason, (missing, look)
        assert lake.catalog.load_table((lake.database, table)).current_snapshot() is None


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
def test_an_attempt_that_comes_second_writes_nothing_and_counts_what_is_there(lake: SparkLake) -> None:
    real_spark()
    table = staging(lake)
    document = lake.insert(table, "SELECT n FROM db.numbers", {"counts": "SELECT count(*), count_if(n > 1) FROM atoll_rows"})
    looks = [_ran(lake, table, document) for _ in range(2)]
    assert [(look.status, look.result, look.rows) for look in looks] == [(Status.DONE, {"counts": [3, 2]}, 3)] * 2
    assert len(lake.catalog.load_table((lake.database, table)).metadata.snapshots) == 1


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
def test_a_column_whose_name_iceberg_has_for_itself_is_read_through_another_one(lake: SparkLake) -> None:
    """Such as `_deleted`, which every collected table has that is merged."""
    real_spark()
    schema = Schema(NestedField(1, "n", LongType()), NestedField(2, "_deleted", BooleanType()))
    rows = pa.table([pa.array([1, 2, 3]), pa.array([False, True, None])], ["n", "_deleted"])
    name, target = f"d{uuid.uuid4().hex[:8]}", staging(lake)
    table = lake.table(name, schema, rows, rows)
    first = table.history()[0].snapshot_id
    columns = (SchemaColumn("n", "long"), SchemaColumn("_deleted", "boolean"))
    names = other_names(columns)
    assert names == {"_deleted": "atoll_deleted"}
    tables = StagingTables(lake.catalog, lake.database, "here")
    made = tables.renamed(
        str(uuid.uuid4()), lake.catalog.load_table((lake.database, name)), first, names, f"s3://{lake.name}/warehouse/m"
    )
    read = as_spark(reading(".".join(made.identifier), first, columns, sees_deleted=False))
    query = f"SELECT r.n FROM {read} AS r WHERE r.n < 5 AND NOT coalesce(r._deleted, false)"
    where = f"arn:aws:glue:{lake.aws.region}:{lake.aws.account}"
    resources = [f"{where}:database/{made.database}", f"{where}:table/{made.database}/*"]
    beside = {"Action": ["glue:GetDatabase", "glue:GetTable"], "Resource": resources}
    look = _ran(lake, target, lake.insert(target, query), role=lake.role_with([*lake.grants().values(), beside]))
    assert look.status == Status.DONE, look
    assert sorted(lake.catalog.load_table((lake.database, target)).scan().to_arrow()["n"].to_pylist()) == [1, 3]


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("CAST(concat('hidden', n) AS BIGINT)", "CAST_INVALID_INPUT"),
        ("n DIV (n - 1)", "DIVIDE_BY_ZERO"),
        ("n + 9223372036854775807", "ARITHMETIC_OVERFLOW"),
        ("array(n)[n + 5]", "INVALID_ARRAY_INDEX"),
        ("CAST(CAST(n + 5 AS DECIMAL(20, 0)) * 1000 AS DECIMAL(3, 0))", "NUMERIC_VALUE_OUT_OF_RANGE"),
    ],
)
def test_what_does_not_fit_fails_by_its_kind_and_quotes_no_row(lake: SparkLake, expression: str, kind: str) -> None:
    real_spark()
    table = staging(lake)
    look = _ran(lake, table, lake.insert(table, f"SELECT {expression} AS n FROM db.numbers"))
    assert look.status == Status.FAILED and look.reason.startswith(kind) and look.reason.endswith("in words that may quote a row"), (
        look
    )
    assert "hidden" not in look.reason


VALUES: dict[str, tuple[Any, Any, list[Any]]] = {
    "i": (IntegerType(), pa.int32(), [-(2**31), 2**31 - 1, 0, None]),
    "l": (LongType(), pa.int64(), [-(2**63), 2**63 - 1, 0, None]),
    "f": (FloatType(), pa.float32(), [float("nan"), -0.0, 3.4028234663852886e38, None]),
    "d": (DoubleType(), pa.float64(), [float("nan"), -0.0, float("-inf"), None]),
    "n": (
        DecimalType(38, 10),
        pa.decimal128(38, 10),
        [Decimal("9" * 28 + "." + "9" * 10), Decimal("-0.0000000001"), Decimal(0), None],
    ),
    "s": (StringType(), pa.string(), ["", "größer 'x\" \\ \u2003😀", "\x00", None]),
    "b": (BooleanType(), pa.bool_(), [True, False, True, None]),
    "y": (DateType(), pa.date32(), [date(1, 1, 1), date(1582, 10, 10), date(9999, 12, 31), None]),
    "t": (
        TimestampType(),
        pa.timestamp("us"),
        [datetime(1, 1, 1), datetime(1582, 10, 10, 1, 2, 3, 4), datetime(9999, 12, 31, 23), None],
    ),
    "z": (
        TimestamptzType(),
        pa.timestamp("us", "UTC"),
        [datetime(1, 1, 2, tzinfo=UTC), datetime(1900, 1, 1, 0, 0, 0, 1, UTC), datetime(9999, 12, 30, tzinfo=UTC), None],
    ),
    "x": (BinaryType(), pa.binary(), [b"", b"\x00\xff", b"a", None]),
    "a": (ListType(50, LongType(), False), pa.list_(pa.int64()), [[], [1, None], [2**62], None]),
    "m": (
        MapType(51, StringType(), 52, LongType(), False),
        pa.map_(pa.string(), pa.int64()),
        [[], [("", None)], [("k", 1), ("l", 2)], None],
    ),
    "r": (
        StructType(NestedField(53, "p", LongType()), NestedField(54, "q", StringType())),
        pa.struct([("p", pa.int64()), ("q", pa.string())]),
        [{"p": None, "q": ""}, {"p": 1, "q": None}, {"p": 2, "q": "x"}, None],
    ),
}


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
def test_spark_reads_no_row_that_a_delete_file_of_ours_names(lake: SparkLake) -> None:
    real_spark()
    name = f"d{uuid.uuid4().hex[:8]}"
    lake.table(name, NUMBERS, pa.table([pa.array(range(100_000))], ["n"]))
    table = lake.catalog.load_table((lake.database, name))
    (file,) = [task.file for task in table.scan().plan_files()]
    deletes = folded(table, [], {file.file_path: [*range(90_000), 99_999]}, {file.file_path: file})
    with table.transaction() as transaction, Overwriting(transaction, {}, "main", deletes):
        pass
    target = staging(lake)
    look = _ran(lake, target, lake.insert(target, f"SELECT n FROM db.{name}"))
    assert look.status == Status.DONE, look
    expected = list(range(90_000, 99_999))
    for read in (name, target):
        found = lake.catalog.load_table((lake.database, read)).scan().to_arrow()["n"].to_pylist()
        assert sorted(found) == expected, read


@pytest.mark.deep
@pytest.mark.budget(200)
@pytest.mark.timeout(600)
def test_every_value_that_spark_writes_is_the_one_that_it_read_as_duckdb_and_pyiceberg_see_it(lake: SparkLake) -> None:
    real_spark()
    schema = Schema(*(NestedField(number, name, kind) for number, (name, (kind, *_)) in enumerate(VALUES.items(), 1)))
    source = f"v{uuid.uuid4().hex[:8]}"
    rows = pa.table({name: pa.array(values, arrow) for name, (_, arrow, values) in VALUES.items()})
    lake.table(source, schema, rows)
    target = staging(lake, schema)
    look = _ran(lake, target, lake.insert(target, f"SELECT {', '.join(VALUES)} FROM db.{source}"))
    assert look.status == Status.DONE, look
    read, written = (lake.catalog.load_table((lake.database, name)).scan().to_arrow() for name in (source, target))
    one, other = (_as_duckdb_says(table) for table in (read, written))
    assert sorted(one) == sorted(other) and len(one) == 4


def _as_duckdb_says(table: pa.Table) -> list[str]:
    """Each row as a text in which no two values are alike: of doubles the bits, of texts and bytes their hex digits."""
    said = {"f": "hex(f::VARCHAR)", "d": "d::VARCHAR", "s": "hex(s)", "x": "hex(x)"}
    with duckdb.connect() as connection:
        connection.register("rows", table)
        columns = ", ".join(said.get(name, f"{name}::VARCHAR") for name in VALUES)
        return [json.dumps(row) for row in connection.execute(f"SELECT {columns} FROM rows").fetchall()]
