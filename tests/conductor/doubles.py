"""What the conductor's tests put in the place of AWS: Step Functions' answers, calls that are counted, a table in memory."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

from conductor.environment import Environment
from conductor.starter import Starter
from shared_metadata.records import EventKind
from shared_metadata.writer import MetadataWriter
from tests.conformance.fixtures import SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB

REGION, ACCOUNT = "eu-central-1", "123456789012"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class FakeStepFunctions:
    """StartExecution and DescribeExecution of standard workflows: names stay taken for 90 days after the end.

    refuses: operation ▸ the error that it answers with, whatever is asked.
    """

    def __init__(self, clock: SettableClock) -> None:
        self.clock, self.missing, self.refuses = clock, set[str](), dict[str, str]()
        self.executions: dict[str, dict[str, Any]] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        if stateMachineArn in self.missing:
            raise _error("StateMachineDoesNotExist")
        self._refuse("StartExecution")
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        known = self.executions.get(arn)
        if known and (known["status"], known["input"]) != ("RUNNING", input):
            raise _error("ExecutionAlreadyExists")
        self.executions.setdefault(arn, {"status": "RUNNING", "input": input, "startDate": self.clock.now})
        return {"executionArn": arn, "startDate": self.executions[arn]["startDate"]}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        self._refuse("DescribeExecution")
        if executionArn not in self.executions:
            raise _error("ExecutionDoesNotExist")
        return self.executions[executionArn]

    def _refuse(self, operation: str) -> None:
        """With the error that `refuses` names for the operation."""
        if operation in self.refuses:
            raise _error(self.refuses[operation])

    def end(self, status: str = "FAILED", **more: str) -> None:
        """Ends everything that runs."""
        for execution in self.executions.values():
            if execution["status"] == "RUNNING":
                execution |= {"status": status, **more}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [json.loads(execution["input"]) for execution in self.executions.values()]


class CountsCalls:
    """A client that counts its calls."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls = client, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._client, name)


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "call")


def new_table() -> MemoryDynamoDB:
    """A client of an account whose metadata table is empty."""
    client = MemoryDynamoDB()
    create_metadata_table(client, "metadata")
    return client


def new_writer(clock: SettableClock) -> MetadataWriter:
    """Over a table of its own."""
    return MetadataWriter(new_table(), "metadata", clock)  # type: ignore[arg-type]


def new_starter(writer: MetadataWriter, states: FakeStepFunctions) -> Starter:
    """Whose figures nobody reads."""
    return Starter(writer, states, Environment("metadata", ACCOUNT, REGION), lambda *_: None)  # type: ignore[arg-type]


def records_of(kind: EventKind) -> dict[str, Any]:
    """What the stream brings when an event of this kind was written."""
    image = {"pk": {"S": "EVENT#2026-11-23"}, "sk": {"S": "x"}, "kind": {"S": kind.value}}
    return {"Records": [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": image}}]}
