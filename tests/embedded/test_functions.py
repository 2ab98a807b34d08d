"""What Atoll needs of the emulator's Lambda and Step Functions, and what the gateway corrects in them."""

import io
import json
import os
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.embedded import EmbeddedAws, down, functions, up
from infra.embedded.ports import free_port
from infra.embedded.state import wait_until

pytestmark = pytest.mark.xdist_group("emulator")

_FUNCTION = """
import json, os, signal, time
import boto3

class RetryLater(Exception):
    pass

def handler(event, context):
    if "Records" in event:
        client = boto3.client("sqs")
        for record in event["Records"]:
            client.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=record["dynamodb"]["Keys"]["pk"]["S"])
        return
    if event.get("fail"):
        raise RetryLater("later")
    if event.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(event.get("seconds", 0))
    return {"remaining": context.get_remaining_time_in_millis(), "keeps_bytecode": "PYTHONDONTWRITEBYTECODE" in os.environ,
            "process": os.getpid()}
"""


def _role(session: boto3.Session, name: str, service: str, actions: list[str]) -> str:
    def document(**statement: object) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

    iam = session.client("iam")
    trust = document(Principal={"Service": service}, Action="sts:AssumeRole")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="granted", PolicyDocument=document(Action=actions, Resource="*"))
    return arn


def _function(session: boto3.Session, name: str, actions: list[str], **variables: str) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("function.py", _FUNCTION)
    created = session.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="function.handler",
        Role=_role(session, f"{name}-role", "lambda.amazonaws.com", actions),
        Code={"ZipFile": archive.getvalue()},
        Timeout=2,
        Environment={"Variables": variables},
    )
    return str(created["FunctionArn"])


def _invoke(session: boto3.Session, name: str, event: dict[str, object]) -> Any:
    answer = session.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def function(local_aws: EmbeddedAws) -> str:
    return _function(local_aws.session(), "probe", [])


def test_calls_at_once_share_as_many_environments_as_there_are_processors(local_aws: EmbeddedAws, function: str) -> None:
    session, processors = local_aws.session(), os.cpu_count() or 1
    with ThreadPoolExecutor(2 * processors) as pool:
        called = [pool.submit(_invoke, session, function, {"seconds": 0.3}) for _ in range(2 * processors)]
        assert len({call.result()["process"] for call in called}) <= processors


def test_a_function_knows_its_remaining_time_and_keeps_compiled_files(local_aws: EmbeddedAws, function: str) -> None:
    answer = _invoke(local_aws.session(), function, {})
    assert 0 < answer["remaining"] <= 2000
    assert answer["keeps_bytecode"] is False


def test_a_function_that_takes_too_long_is_ended(local_aws: EmbeddedAws, function: str) -> None:
    assert "timed out" in _invoke(local_aws.session(), function, {"seconds": 4})["errorMessage"]


def test_an_exception_is_reported_by_its_class_name(local_aws: EmbeddedAws, function: str) -> None:
    assert _invoke(local_aws.session(), function, {"fail": True}) == {"errorType": "RetryLater", "errorMessage": "later"}


def test_a_process_that_dies_is_reported_as_lambda_does(local_aws: EmbeddedAws, function: str) -> None:
    assert _invoke(local_aws.session(), function, {"dies": True})["errorType"] == "Runtime.ExitError"
    assert "remaining" in _invoke(local_aws.session(), function, {})


def test_a_state_machine_catches_an_exception_by_its_class_name(local_aws: EmbeddedAws, function: str) -> None:
    assert _caught(local_aws.session(), function, {"fail": True}, "RetryLater")


def test_a_state_machine_catches_a_refusal_for_want_of_concurrency(local_aws: EmbeddedAws, function: str) -> None:
    client = local_aws.session().client("lambda", config=Config(retries={"total_max_attempts": 1}))
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        assert _caught(local_aws.session(), function, {}, "Lambda.TooManyRequestsException")
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName=function, Payload=b"{}")
    finally:
        client.delete_function_concurrency(FunctionName=function)
    assert "remaining" in _invoke(local_aws.session(), function, {})


def _caught(session: boto3.Session, function: str, event: dict[str, object], error: str) -> bool:
    """Whether a state machine that calls the function meets the error, and no other."""
    states = {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload.$": "$"},
            "Catch": [{"ErrorEquals": [error], "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Pass", "Result": "caught", "End": True},
    }
    client, name = session.client("stepfunctions"), f"catching-{error.replace('.', '-')}"
    machine = client.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "Call", "States": states}),
        roleArn=_role(session, f"{name}-role", "states.amazonaws.com", ["lambda:InvokeFunction"]),
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]

    def ended() -> bool:
        return bool(client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    wait_until(ended, 20, "the execution is still running")
    return client.describe_execution(executionArn=execution).get("output") == '"caught"'


@pytest.mark.deep
def test_a_table_stream_goes_on_after_a_restart_where_it_stopped(tmp_path: Path) -> None:
    try:
        session = up(tmp_path, port=free_port()).session()
        queue = _stream_into_queue(session)
        _put(session, "before", "other")
        assert _received(session, queue, 1) == ["before"]

        down(tmp_path)
        session = up(tmp_path).session()
        _put(session, "after", "other")
        bodies = _received(session, queue, 1)
        while "after" not in bodies:  # a stream delivers at least once: what was read just before the end may come again
            bodies += _received(session, queue, 1)
        assert set(bodies) <= {"before", "after"}
    finally:
        down(tmp_path)


def _stream_into_queue(session: boto3.Session) -> str:
    queue: str = session.client("sqs").create_queue(QueueName="changes")["QueueUrl"]
    table = session.client("dynamodb").create_table(
        TableName="events",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    reading = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    function = _function(session, "stream", ["sqs:SendMessage", *reading], QUEUE=queue)
    wanted = {"dynamodb": {"NewImage": {"kind": {"S": ["event"]}}}}
    session.client("lambda").create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=table["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": json.dumps(wanted)}]},
    )
    return queue


def _put(session: boto3.Session, event: str, other: str) -> None:
    for pk, kind in ((event, "event"), (other, "other")):
        session.client("dynamodb").put_item(TableName="events", Item={"pk": {"S": pk}, "kind": {"S": kind}})


def _received(session: boto3.Session, queue: str, count: int) -> list[str]:
    client = session.client("sqs")
    bodies: list[str] = []

    def enough() -> bool:
        for message in client.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            bodies.append(message["Body"])
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) >= count

    wait_until(enough, 30, f"received only {bodies}")
    return bodies


class _Environment:
    """One process of a function, as the emulator records it."""

    def __init__(self, idle_seconds: float, in_use: bool = False) -> None:
        self.in_use, self.last_used = in_use, time.time() - idle_seconds
        self._proc = subprocess.Popen(["sleep", "600"])
        self.process = self._proc

    def _discard_tmpdir(self) -> None:
        pass


def test_an_environment_that_nobody_calls_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    only, called, busy = _Environment(500), _Environment(5), _Environment(500, in_use=True)
    monkeypatch.setattr(lambda_runtime, "_workers", {"one": [only], "two": [called, busy]})
    monkeypatch.setattr(lambda_svc, "reap_idle_workers", None)
    functions.end_idle_environments()
    try:
        assert lambda_svc.reap_idle_workers() == 1
        assert lambda_runtime._workers == {"one": [], "two": [called, busy]}
        assert [one.process.poll() is None for one in (only, called, busy)] == [False, True, True]
    finally:
        for one in (only, called, busy):
            one.process.kill()
            one.process.wait()
