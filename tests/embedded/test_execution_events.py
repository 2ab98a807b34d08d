"""The embedded AWS tells of executions that ended as AWS does, also of those that a restart has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor.losses import LOST, TOLD_AS
from infra.embedded import EmbeddedAws, down, up
from infra.embedded.ports import free_port
from infra.embedded.state import wait_until
from tests.embedded.test_functions import _role

pytestmark = [pytest.mark.xdist_group("emulator"), pytest.mark.budget(30)]
WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}
FAILS = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "BatchFailed", "Cause": "it broke"}}}
ENDS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedAws]:
    try:
        yield up(tmp_path, port=free_port())
    finally:
        down(tmp_path)


class Told:
    """A queue to which the conductor's rule brings what it would call the conductor with."""

    def __init__(self, stack: EmbeddedAws) -> None:
        self.stack = stack
        queue = self._client("sqs").create_queue(QueueName="told")["QueueUrl"]
        prefix = f"arn:aws:states:{stack.region}:{stack.account}:stateMachine:atoll-"
        detail = {"status": list(LOST), "stateMachineArn": [{"prefix": prefix}]}
        pattern = json.dumps({"source": ["aws.states"], "detail-type": [TOLD_AS], "detail": detail})
        self._client("events").put_rule(Name="ended", EventPattern=pattern)
        arn = f"arn:aws:sqs:{stack.region}:{stack.account}:told"
        self._client("events").put_targets(Rule="ended", Targets=[{"Id": "1", "Arn": arn}])
        self._role = _role(stack.session(), "states", "states.amazonaws.com", ["events:PutEvents"])
        self._queue, self._found = queue, list[dict[str, Any]]()

    def start(self, name: str, definition: dict[str, Any]) -> str:
        made = self._client("stepfunctions").create_state_machine(name=name, definition=json.dumps(definition), roleArn=self._role)
        answer = self._client("stepfunctions").start_execution(
            stateMachineArn=made["stateMachineArn"], name="one", input='{"flow": "lake.crm"}'
        )
        return str(answer["executionArn"])

    def abort(self, arn: str) -> None:
        self._client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by hand")

    def of(self, arn: str) -> dict[str, Any] | None:
        """The detail of the event that an execution has ended, if it has come."""
        messages = self._client("sqs").receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        self._found += [json.loads(message["Body"])["detail"] for message in messages]
        return next((detail for detail in self._found if detail["executionArn"] == arn), None)

    def _client(self, service: str) -> Any:
        return self.stack.session().client(service)


def test_executions_that_fail_or_are_aborted_are_told_of_with_their_input_and_others_are_not(stack: EmbeddedAws) -> None:
    told = Told(stack)
    failed, stopped = told.start("atoll-fails", FAILS), told.start("atoll-waits", WAITS)
    others = [told.start("atoll-ends", ENDS), told.start("another-fails", FAILS)]
    told.abort(stopped)
    for arn, status in ((failed, "FAILED"), (stopped, "ABORTED")):
        wait_until(lambda arn=arn: told.of(arn), 30, "nothing is told")  # type: ignore[misc]
        detail = told.of(arn)
        assert detail and (detail["status"], json.loads(detail["input"])) == (status, {"flow": "lake.crm"})
    detail = told.of(failed)
    assert detail and (detail["error"], detail["cause"]) == ("BatchFailed", "it broke")
    assert [told.of(arn) for arn in others] == [None, None]


@pytest.mark.deep
def test_what_a_restart_has_ended_is_told_of(stack: EmbeddedAws, tmp_path: Path) -> None:
    told = Told(stack)
    running = told.start("atoll-waits", WAITS)
    down(tmp_path)
    told.stack = up(tmp_path)
    wait_until(lambda: told.of(running), 30, "nothing is told")
    detail = told.of(running)
    assert detail and (detail["status"], detail["error"]) == ("FAILED", "States.ServiceRestart")
