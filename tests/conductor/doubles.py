"""What the conductor's tests put in the place of AWS: Step Functions' answers, calls that are counted, a table in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from conductor.environment import Environment
from conductor.known_states import KnownStates
from conductor.losses import LOST, Losses
from conductor.starter import Starter
from shared_metadata.state.records import EventKind
from shared_metadata.store import items
from shared_metadata.store.keys import EVENT_PREFIX
from shared_metadata.store.writer import MetadataWriter
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
        self.calls = Counter[str]()
        self._told = set[str]()

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        if stateMachineArn in self.missing:
            raise _error("StateMachineDoesNotExist")
        self._answer("StartExecution")
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        known = self.executions.get(arn)
        if known and (known["status"], known["input"]) != ("RUNNING", input):
            raise _error("ExecutionAlreadyExists")
        self.executions.setdefault(arn, {"status": "RUNNING", "input": input, "startDate": self.clock.now})
        return {"executionArn": arn, "startDate": self.executions[arn]["startDate"]}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        self._answer("DescribeExecution")
        if executionArn not in self.executions:
            raise _error("ExecutionDoesNotExist")
        return self.executions[executionArn]

    def _answer(self, operation: str) -> None:
        """With the error that `refuses` names for the operation, if any."""
        self.calls[operation] += 1
        if operation in self.refuses:
            raise _error(self.refuses[operation])

    def end(self, status: str = "FAILED", **more: str) -> None:
        """Ends everything that runs."""
        for execution in self.executions.values():
            if execution["status"] == "RUNNING":
                execution |= {"status": status, **more}

    def told(self) -> list[dict[str, Any]]:
        """The details of the events of executions that have not succeeded, each once, as EventBridge brings them."""
        ended = [arn for arn, e in self.executions.items() if e["status"] in LOST and arn not in self._told]
        self._told.update(ended)
        return [{**self.executions[arn], "executionArn": arn, "startDate": 0} for arn in ended]

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


def known_states(writer: MetadataWriter) -> KnownStates:
    """All states as a process knows them that has just looked at everything."""
    found = KnownStates(writer.reader)
    found.read(writer.reader.programs().flow_ids)
    return found


def fixed(moment: datetime) -> type[datetime]:
    """`datetime` for the handlers, which ask it for the time."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return moment

    return Fixed


def tell(writer: MetadataWriter, states: FakeStepFunctions, now: datetime) -> int:
    """The conductor is called for each execution that has not succeeded; how many tables they had left as they were."""
    losses = Losses(writer, lambda *_: None)
    return sum(losses.ended(told, now) for told in states.told())


class Stream:
    """What the stream brings of a table's events: each once."""

    def __init__(self, writer: MetadataWriter) -> None:
        self._writer, self._brought = writer, set[str]()

    def take(self, *kinds: EventKind) -> dict[str, Any]:
        """The records of the new events, or of those of these kinds."""
        pages = self._writer._client.get_paginator("scan").paginate(TableName="metadata")
        images = [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith(EVENT_PREFIX)]
        wanted = [image for image in images if image["sk"]["S"] not in self._brought]
        self._brought.update(image["sk"]["S"] for image in wanted)
        return {"Records": [_record(image, n) for n, image in enumerate(wanted) if not kinds or image["kind"]["S"] in kinds]}


def _record(image: Any, number: int) -> dict[str, Any]:
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": image}}


def records_of(kind: EventKind, flow: str = "lake.crm", detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the stream brings when an event of this kind was written."""
    event = {"pk": "EVENT#2026-11-23", "sk": "x", "kind": kind.value, "at": "2026-11-23T12:00:00Z", "flow": flow}
    image = items.to_item({**event, "detail": dict(detail or {})})
    return {"Records": [_record(image, 7)]}
