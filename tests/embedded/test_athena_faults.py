"""What a test has Athena do wrong, and what a role may not: by boto3, with IAM enforced."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from infra.embedded import EmbeddedAws
from shared_metadata.contract.waiting.statements import Look, Status
from tests.athena_lake import AthenaLake, athena_lake
from tests.conformance.waiting import EngineConformance

pytestmark = pytest.mark.xdist_group("emulator")
STATES = {
    **{"QUEUED": Status.WAITS, "RUNNING": Status.RUNS, "SUCCEEDED": Status.DONE},
    **{"FAILED": Status.FAILED, "CANCELLED": Status.CANCELLED},
}


@pytest.fixture(scope="module")
def lake(local_aws: EmbeddedAws) -> Iterator[AthenaLake]:
    with athena_lake(local_aws) as found:
        found.table("numbers", Schema(NestedField(1, "n", LongType())), pa.table([pa.array([1, 2])], ["n"]))
        found.table("staging", Schema(NestedField(1, "n", LongType())))
        yield found


@pytest.fixture(autouse=True)
def no_faults(lake: AthenaLake) -> Iterator[None]:
    yield
    lake.door.clear()


def _once(lake: AthenaLake) -> Any:
    """A client that does not try again by itself."""
    return lake.aws.session().client("athena", config=Config(retries={"total_max_attempts": 1}))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("refuse", "InvalidRequestException"),
        ("too_many_requests", "TooManyRequestsException"),
        ("throttle", "ThrottlingException"),
        ("internal", "InternalServerException"),
    ],
)
def test_a_call_is_refused_once_and_does_nothing(lake: AthenaLake, kind: str, code: str) -> None:
    token, before = str(uuid.uuid4()), len(lake.door.queries())
    lake.door.fault(kind, match="StartQueryExecution")
    with pytest.raises(ClientError, match=code):
        lake.start("SELECT 1", _once(lake), ClientRequestToken=token)
    assert len(lake.door.queries()) == before
    lake.ended(lake.start("SELECT 1", _once(lake), ClientRequestToken=token))


def test_an_answer_is_lost_after_the_query_has_started(lake: AthenaLake) -> None:
    token, before = str(uuid.uuid4()), len(lake.door.queries())
    lake.door.fault("lose_answer", match="StartQueryExecution")
    with pytest.raises(ClientError, match="InternalServerException"):
        lake.start("SELECT 1", _once(lake), ClientRequestToken=token)
    assert len(lake.door.queries()) == before + 1
    lake.ended(lake.start("SELECT 1", _once(lake), ClientRequestToken=token))
    assert len(lake.door.queries()) == before + 1


@pytest.mark.parametrize(
    ("kind", "state", "category", "retryable"),
    [("transient", "FAILED", 1, True), ("fail", "FAILED", 2, False), ("cancel", "CANCELLED", 0, False)],
)
def test_the_next_query_of_some_words_ends_so(lake: AthenaLake, kind: str, state: str, category: int, retryable: bool) -> None:
    lake.door.fault(kind, match="numbers", message="as the test says")
    assert lake.run("SELECT 1")["Status"]["State"] == "SUCCEEDED"
    status = lake.run("SELECT n FROM numbers")["Status"]
    error = status.get("AthenaError", {"ErrorCategory": 0, "Retryable": False})
    assert (status["State"], error["ErrorCategory"], error["Retryable"]) == (state, category, retryable)
    assert "as the test says" in status["StateChangeReason"]
    assert lake.run("SELECT n FROM numbers")["Status"]["State"] == "SUCCEEDED"


# -- what a role may not

INSERT = "INSERT INTO staging SELECT n FROM numbers"


def test_a_role_does_what_it_was_granted(lake: AthenaLake) -> None:
    client = lake.as_role([*lake.grants().values()])
    found = lake.run(INSERT, client)
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    assert client.get_query_results(QueryExecutionId=found["QueryExecutionId"])["UpdateCount"] == 2


@pytest.mark.parametrize(
    ("withheld", "words"),
    [("catalog", "glue:GetDatabase"), ("data", "Access Denied"), ("write", "Access Denied"), ("commit", "glue:UpdateTable")],
)
def test_a_query_runs_by_the_rights_of_whoever_starts_it(lake: AthenaLake, withheld: str, words: str) -> None:
    client = lake.as_role([grant for what, grant in lake.grants().items() if what != withheld])
    status = lake.run(INSERT, client)["Status"]
    assert status["State"] == "FAILED" and status["StateChangeReason"].startswith("PERMISSION_DENIED: "), status
    assert words in status["StateChangeReason"] and status["AthenaError"]["ErrorType"] == 1500


def test_a_result_is_read_by_the_rights_of_whoever_asks(lake: AthenaLake) -> None:
    grants = lake.grants()
    id = lake.run("SELECT n FROM numbers")["QueryExecutionId"]
    client = lake.as_role([grants["athena"]])
    assert lake.look(id, client)["Status"]["State"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_query_results(QueryExecutionId=id)


def test_a_grant_is_for_its_workgroup_alone(lake: AthenaLake) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    lake.client.create_work_group(Name=name, Configuration={"ResultConfiguration": {"OutputLocation": lake.results}})
    client = lake.as_role([*lake.grants(workgroup=name).values()])
    assert lake.run("SELECT 1", client, WorkGroup=name)["Status"]["State"] == "SUCCEEDED"
    others = lake.run("SELECT 1")["QueryExecutionId"]
    for call in (
        lambda: lake.start("SELECT 1", client),
        lambda: lake.look(others, client),
        lambda: client.stop_query_execution(QueryExecutionId=others),
        lambda: client.get_query_results(QueryExecutionId=others),
        lambda: client.create_work_group(Name="another"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


# -- as what the steps of slices take it for


class AthenaEngine:
    kind = "Athena query"

    def __init__(self, lake: AthenaLake) -> None:
        self._lake = lake

    def submit(self, text: str, token: str) -> str:
        return self._lake.start(text, ClientRequestToken=token)

    def look(self, id: str) -> Look:
        found = self._lake.look(id)
        status, figures = found["Status"], found["Statistics"]
        error = status.get("AthenaError", {})
        seconds = [figures[name] / 1000 for name in ("QueryQueueTimeInMillis", "EngineExecutionTimeInMillis")]
        transient = error.get("ErrorCategory") == 1 and error.get("Retryable", False)
        return Look(STATES[status["State"]], status.get("StateChangeReason", ""), transient, *seconds, figures["DataScannedInBytes"])

    def cancel(self, id: str) -> None:
        self._lake.client.stop_query_execution(QueryExecutionId=id)


class AthenaUnderTest:
    reason = "DIVISION_BY_ZERO"

    def __init__(self, lake: AthenaLake) -> None:
        mark = uuid.uuid4().hex  # a token is known for as long as its query is
        self.engine, self._lake, self._before = AthenaEngine(lake), lake, len(lake.door.queries())
        self.slow, self.broken = f"SELECT n FROM numbers -- slow {mark}", f"SELECT n / 0 FROM numbers -- {mark}"
        lake.door.fault("slow", count=10, match="slow", seconds=0.3)

    def submitted(self) -> int:
        return len(self._lake.door.queries()) - self._before

    def cancelled_by_an_administrator(self, id: str) -> None:
        self._lake.door.cancel(id)


class TestAthena(EngineConformance):
    @pytest.fixture
    def elsewhere(self, lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> AthenaUnderTest:
        tokens = str(uuid.uuid4())
        monkeypatch.setattr("tests.conformance.waiting.token", lambda name: str(uuid.uuid5(uuid.UUID(tokens), name)))
        return AthenaUnderTest(lake)
