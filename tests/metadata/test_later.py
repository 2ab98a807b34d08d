"""Later is no failure: what AWS refuses only for the moment is told from what it always refuses, asked again, and never counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import duckdb
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from shared_metadata.aws import later
from shared_metadata.aws.client import aws_client
from shared_metadata.aws.later import Refusal, is_later, refusal
from shared_metadata.contract.parquet.duckdb_errors import unreached
from shared_metadata.contract.runtime.lambda_handler import PAYLOAD_LIMIT, LambdaHandler
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken, WaitForAws
from shared_metadata.state.records import MAX_ATTEMPTS, TableState
from shared_metadata.state.schedule import due_batches
from shared_metadata.store import items
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import FakeContext, SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB, refused
from tests.metadata.behaviour import FIRST, apply, claim, commit, program, staged, standing

# As the services' own pages write them: what the SDKs' retry behaviour calls throttling and transient, then DynamoDB, Lambda, S3,
# Glue, KMS, Step Functions, Secrets Manager. Written out, because a list read from the code cannot find what the code lacks.
NOT_NOW = (
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "TransactionConflictException",
    "ReplicatedWriteConflictException",
    "InternalServerError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalError",
    "InternalFailure",
    "OperationAborted",
    "ConditionalRequestConflict",
    "ConcurrentModificationException",
    "OperationTimeoutException",
    "InternalServiceException",
    "KMSThrottlingException",
    "ExecutionLimitExceeded",
    "InternalServiceError",
)
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
NEVER = ("ValidationException", "ResourceNotFoundException", "NoSuchKey", "InvalidRequest", "ExpiredTokenException")
UNREACHED = (
    exceptions.EndpointConnectionError(endpoint_url="https://x"),
    exceptions.ConnectTimeoutError(endpoint_url="https://x"),
    exceptions.ReadTimeoutError(endpoint_url="https://x"),
    exceptions.ConnectionClosedError(endpoint_url="https://x"),
    exceptions.ProxyConnectionError(proxy_url="https://x", error="x"),
    exceptions.ResponseStreamingError(error="x"),
    exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
)
STAYS = (
    exceptions.SSLError(endpoint_url="https://x", error="x"),
    exceptions.NoCredentialsError(),
    exceptions.NoRegionError(),
    exceptions.ParamValidationError(report="x"),
)
CONTENDED = [{"Code": "None"}, {"Code": "TransactionConflict"}]


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; it takes no time."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    client = MemoryDynamoDB()
    create_metadata_table(client, "metadata")
    return client


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(FIRST.end + timedelta(minutes=1))


@pytest.fixture
def writer(dynamodb: MemoryDynamoDB, clock: SettableClock) -> MetadataWriter:
    return MetadataWriter(dynamodb, "metadata", clock)  # type: ignore[arg-type]


def times(count: int) -> Callable[[Any], bool]:
    """True so often, then False."""
    left = iter(range(count))
    return lambda _: next(left, None) is not None


# -- what is told from what


@pytest.mark.parametrize("code", NOT_NOW)
def test_throttles_conflicts_and_services_that_are_down_are_for_later(code: str) -> None:
    assert refusal(refused(code, "Any")) == Refusal.LATER


def test_no_code_is_for_later_that_is_not_written_out_here() -> None:
    assert set(NOT_NOW) == later.THROTTLES | later.CONFLICTS | later.DOWN and set(DENIED) == later.DENIED


@pytest.mark.parametrize(
    ("code", "expected"), [*((code, Refusal.WRONG) for code in NEVER), *((code, Refusal.DENIED) for code in DENIED)]
)
def test_what_is_wrong_or_denied_is_not(code: str, expected: Refusal) -> None:
    assert refusal(refused(code, "Any")) == expected and not is_later(refused(code, "Any"))
    assert refusal(refused(code, "Any", ResponseMetadata={"HTTPStatusCode": 503})) == Refusal.LATER


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["None", "TransactionConflict"], Refusal.LATER),
        (["ThrottlingError", "ProvisionedThroughputExceeded"], Refusal.LATER),
        (["ConditionalCheckFailed", "TransactionConflict"], Refusal.CONDITION),
        (["ValidationError", "TransactionConflict"], Refusal.WRONG),
        (["ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded"], Refusal.WRONG),
    ],
)
def test_a_transaction_is_refused_for_the_worst_that_one_of_its_items_met(codes: list[str], expected: Refusal) -> None:
    error = refused("TransactionCanceledException", "TransactWriteItems", CancellationReasons=[{"Code": code} for code in codes])
    assert refusal(error) == expected


def test_botocore_knows_no_throttle_that_is_not_known_here() -> None:
    from botocore.retries.standard import ThrottledRetryableChecker

    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) <= later.THROTTLES | later.CONFLICTS | {"EC2ThrottledException"}


def test_it_is_found_where_a_library_has_wrapped_it() -> None:
    try:
        try:
            raise refused("SlowDown", "PutObject")
        except ClientError as error:
            raise OSError(5, "Please reduce your request rate") from error
    except OSError as error:
        assert is_later(error)
    assert not is_later(OSError(5, "x"))


@pytest.mark.parametrize("error", UNREACHED, ids=lambda error: type(error).__name__)
def test_an_endpoint_that_does_not_answer_is_for_later(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_later(error)

    def step(*_: Any) -> Any:
        try:
            raise error
        except type(error) as cause:
            raise OSError("a row of somebody's") from cause

    with pytest.raises(WaitForAws) as caught:
        handler(step, monkeypatch)({}, FakeContext())
    assert "somebody" not in str(caught.value)


@pytest.mark.parametrize("error", STAYS, ids=lambda error: type(error).__name__)
def test_what_a_client_refuses_by_itself_is_not(error: Exception) -> None:
    assert not is_later(error)


@pytest.mark.parametrize("error", [refused("SlowDown", "PutObject"), *UNREACHED[:3]])
@pytest.mark.parametrize("bug", [KeyError("x"), OSError(5, "x"), RetryLater("the target is down"), refused("NoSuchKey", "GetObject")])
def test_what_goes_wrong_while_a_refusal_is_handled_is_no_refusal(error: Exception, bug: Exception) -> None:
    """But what says that it was raised from it is, and so is what boto3 wraps without saying so."""
    assert not is_later(_while_handling(error, bug))
    assert is_later(_while_handling(error, S3UploadFailedError("x")))
    bug.__cause__ = error
    assert is_later(bug)
    bug.__cause__ = None


def _while_handling(error: Exception, raised: Exception) -> Exception:
    try:
        try:
            raise error
        except type(error):
            raise raised  # noqa: B904
    except type(raised) as found:
        assert found.__context__ is error
        return found


# -- a client asks again


@pytest.fixture
def answers() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def client(answers: list[dict[str, Any]]) -> Any:
    """DynamoDB's, with these answers instead of HTTP; an empty one is a success."""
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-central-1")
    made = aws_client(session, "dynamodb")

    def answer(request: Any, **_: Any) -> AWSResponse:
        body = answers.pop(0)
        found = AWSResponse(request.url, 400 if body else 200, {}, None)
        found._content = json.dumps(body).encode()
        return found

    made.meta.events.register("before-send.dynamodb", answer)
    return made


def test_a_client_asks_again_what_met_a_transaction(client: Any, answers: list[dict[str, Any]], slept: list[float]) -> None:
    answers += [{"__type": "x#TransactionConflictException", "message": "ongoing"}] * 5 + [{}]
    client.update_item(TableName="t", Key={"pk": {"S": "a"}})
    assert answers == [] and len(slept) == 5


def test_a_client_does_not_ask_for_ever(client: Any, answers: list[dict[str, Any]], slept: list[float]) -> None:
    answers += [{"__type": "x#TransactionConflictException", "message": "ongoing"}] * 50
    with pytest.raises(ClientError) as caught:
        client.put_item(TableName="t", Item={"pk": {"S": "a"}})
    assert is_later(caught.value) and len(slept) == later.TRIES


def test_a_client_asks_once_where_a_condition_does_not_hold(client: Any, answers: list[dict[str, Any]]) -> None:
    answers += [{"__type": "x#ConditionalCheckFailedException", "message": "no"}]
    with pytest.raises(ClientError):
        client.update_item(TableName="t", Key={"pk": {"S": "a"}})


# -- the metadata layer


def test_a_commit_is_tried_again_while_others_write_the_same_items(dynamodb: MemoryDynamoDB, writer: MetadataWriter) -> None:
    apply(writer, program())
    held = claim(writer)
    dynamodb.others_write = times(5)
    commit(writer, held, rows=1)
    assert standing(writer).watermark == FIRST.end


WRITES: dict[str, Callable[[MetadataWriter], Any]] = {
    "renew": lambda w: w.renew(claim(w), 60),
    "claim again": lambda w: (claim(w), claim(w)),
    "pin": lambda w: w.pin(claim(w), staged("t000"), {}),
    "commit": lambda w: commit(w, claim(w), rows=1),
    "fail": lambda w: w.fail(claim(w), staged("t000"), "it broke"),
    "lost": lambda w: w.record_lost("lake.crm", FIRST, [staged("t000")], "x", attempt=0, owner="o"),
}


@pytest.mark.parametrize("name", WRITES)
def test_whatever_is_written_others_who_do_not_cease_are_for_later(
    dynamodb: MemoryDynamoDB, writer: MetadataWriter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The claim itself is not disturbed."""
    apply(writer, program())
    real = writer.claim

    def claimed(*args: Any, **given: Any) -> Any:
        dynamodb.others_write = lambda _: False
        made = real(*args, **given)
        dynamodb.others_write = lambda _: True
        return made

    if name == "lost":
        dynamodb.others_write = lambda _: True
    monkeypatch.setattr(writer, "claim", claimed)
    if name == "claim again":
        claim(writer)
        monkeypatch.setattr(writer, "claim", real)
    with pytest.raises((ClientError, WaitForAws)) as caught:
        WRITES[name](writer)
    assert is_later(caught.value)


@pytest.mark.parametrize("ends", ["contended", "its condition does not hold"])
@pytest.mark.parametrize("name", ["commit", "fail", "drift"])
def test_only_what_others_write_at_the_last_try_is_for_later(
    dynamodb: MemoryDynamoDB, writer: MetadataWriter, slept: list[float], monkeypatch: pytest.MonkeyPatch, name: str, ends: str
) -> None:
    """A condition that never holds is a mistake, which is counted; each try comes after a pause."""
    apply(writer, program())
    held = claim(writer)
    reasons = {"contended": CONTENDED, "its condition does not hold": [{"Code": "ConditionalCheckFailed"}]}[ends]

    def refuse(**_: Any) -> None:
        raise refused("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)

    monkeypatch.setattr(dynamodb, "transact_write_items", refuse)
    send: dict[str, Callable[[], Any]] = {
        "commit": lambda: commit(writer, held, rows=1),
        "fail": lambda: writer.fail(held, staged("t000"), "it broke"),
        "drift": lambda: writer.drifts._tried(lambda: writer.drifts._transact([{}])),
    }
    with pytest.raises(RetryLater) as caught:
        send[name]()
    assert isinstance(caught.value, WaitForAws) == (ends == "contended") and is_later(caught.value) == (ends == "contended")
    assert len(slept) == later.TRIES


def test_the_commit_of_what_dynamodb_never_takes_says_so_at_once(writer: MetadataWriter, slept: list[float]) -> None:
    apply(writer, program())
    held = claim(writer)
    with pytest.raises(DefinitionError, match="maximum allowed size") as caught:
        commit(writer, held, cursor="x" * 500_000)
    assert slept == [] and "400 KB" in str(caught.value) and "lake.crm" in str(caught.value)


def test_what_a_throttled_table_leaves_over_is_asked_for_after_longer_and_longer_pauses(
    dynamodb: MemoryDynamoDB, writer: MetadataWriter, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = apply(writer, program())
    monkeypatch.setattr("tests.memory.dynamodb.ANSWERED", 0)
    monkeypatch.setattr("random.uniform", lambda shortest, longest: longest)
    with pytest.raises(WaitForAws):
        writer.reader.flow_states(list(applied.flows))
    assert len(set(slept)) == later.TRIES and slept == sorted(slept) and slept[-1] == later.LONGEST_PAUSE_SECONDS


def test_more_states_than_one_answer_holds_are_all_read(writer: MetadataWriter) -> None:
    flows = {f"flow {number}": [f"lake.a.t{number}"] for number in range(130)}
    for flow, (dataset,) in flows.items():
        writer._client.put_item(**writer._actions.put(items.new_state(flow, dataset, TableState(FIRST.start)))["Put"])
    assert sorted(writer.reader.states_of(flows)) == sorted(flows)


# -- a step


def handler(step: Callable[[Any, Any], Any], monkeypatch: pytest.MonkeyPatch) -> LambdaHandler:
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    return LambdaHandler("load", lambda: step)


@pytest.mark.parametrize("code", NOT_NOW)
def test_a_step_that_aws_refuses_for_the_moment_ends_with_a_name_that_its_state_machine_waits_for(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: Any) -> Any:
        raise refused(code, "GetTable")

    with pytest.raises(WaitForAws, match="GetTable") as caught:
        handler(step, monkeypatch)({}, FakeContext())
    assert type(caught.value).__name__ in later.NAMES


@pytest.mark.parametrize("error", [StaleToken("x"), DefinitionError("x"), RetryLater("x"), refused("NoSuchKey", "GetObject")])
def test_every_other_error_keeps_its_name(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any) -> Any:
        raise error

    with pytest.raises(type(error)) as caught:
        handler(step, monkeypatch)({}, FakeContext())
    assert caught.value is error


@pytest.mark.parametrize(
    ("message", "remedy"),
    [("Insufficient Lake Formation permission(s)", "docs/deploying.md"), ("not authorized", "stack again")],
)
def test_what_aws_denies_a_role_says_what_to_do(message: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any) -> Any:
        raise refused("AccessDeniedException", "CreateDatabase", message=message)

    with pytest.raises(DefinitionError, match=remedy):
        handler(step, monkeypatch)({}, FakeContext())


def test_an_answer_that_no_state_machine_carries_is_refused_where_it_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    step = handler(lambda *_: {"work": ["x" * PAYLOAD_LIMIT]}, monkeypatch)
    with pytest.raises(DefinitionError, match="fewer batches") as caught:
        step({"flow": "lake.crm"}, FakeContext())
    assert "lake.crm" in str(caught.value)


# -- attempts


@pytest.mark.parametrize("how", ["recorded", "lost"])
def test_later_is_never_counted_and_each_attempt_is_another_execution(writer: MetadataWriter, clock: SettableClock, how: str) -> None:
    applied = apply(writer, program())
    names = set()
    for _ in range(MAX_ATTEMPTS * 2):
        (batch,) = due_batches(applied, writer.reader.flow_states(list(applied.flows)), clock.now)
        names.add(batch.execution_name)
        if how == "recorded":
            writer.fail(claim(writer), staged("t000"), "Lambda.TooManyRequestsException: rate exceeded", later=True)
        else:
            attempts = standing(writer).attempts
            writer.record_lost("lake.crm", FIRST, [staged("t000")], "Lambda.TooManyRequestsException", attempt=attempts, later=True)
        clock.advance(minutes=6)
    assert len(names) == MAX_ATTEMPTS * 2
    assert standing(writer).failures == 0 and standing(writer).dead_letter is None
    assert "TooManyRequests" in standing(writer).error


# -- S3, as DuckDB asks it


@pytest.mark.parametrize(
    ("raised", "told", "later_on"),
    [
        (duckdb.HTTPException, "HTTP Error: Unable to write: (HTTP 503 Service Unavailable)", True),
        (duckdb.HTTPException, "HTTP Error: HTTP GET error on 'https://b.s3.amazonaws.com/k' (HTTP 429)", True),
        (duckdb.HTTPException, "HTTP Error: HTTP GET error on 'https://b.s3.amazonaws.com/k' (HTTP 404)", False),
        (duckdb.IOException, "IO Error: Could not establish connection", False),
        (duckdb.ConversionException, "Conversion Error: Could not convert string 'HTTP 503' to INT32", False),
    ],
)
def test_where_s3_throttles_duckdb_it_is_for_later(raised: type[duckdb.Error], told: str, later_on: bool) -> None:
    found = unreached(raised(told), "S3 was not reached", place="program.sql:1:1")
    assert isinstance(found, WaitForAws) == later_on and "program.sql:1:1" in str(found)
