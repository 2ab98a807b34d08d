"""Every kind of fault at every call of every step: a batch that is tried again gives the rows of one in which nothing broke.

The state machine's part is played here: what fails is called again, a batch that has failed is planned again by the next execution.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared_metadata.errors import AtollError
from slices.collect.kinesis.tests.test_kinesis import DATASET, FLOW, Clicks, cloud  # noqa: F401
from slices.collect.kinesis.tests.under_test import KINESIS
from tests.conformance.fixtures import Cloud, FakeContext
from tests.memory.dynamodb import refused

EVENTS, SHARDS, BATCHES = 180, 2, 3
OPERATIONS = ("describe_stream_summary", "list_shards", "get_shard_iterator", "get_records")
TRIES = 12


class Ended(BaseException):
    """The process is no more."""


def _lost(operation: str) -> Exception:
    return EndpointConnectionError(endpoint_url="https://kinesis.eu-central-1.amazonaws.com")


def _down(operation: str) -> Exception:
    error = refused("InternalFailure", operation)
    error.response["ResponseMetadata"] = {"HTTPStatusCode": 500}  # type: ignore[typeddict-item]
    return error


# What breaks ▸ whether it breaks before the call is done, and what the caller sees.
KINDS: dict[str, tuple[bool, Callable[[str], BaseException]]] = {
    "throttled": (True, lambda operation: refused("ProvisionedThroughputExceededException", operation)),
    "expired": (True, lambda operation: refused("ExpiredIteratorException", operation)),
    "down": (True, _down),
    "lost before": (True, _lost),
    "lost after": (False, _lost),
    "killed before": (True, lambda operation: Ended()),
    "killed after": (False, lambda operation: Ended()),
}


class Breaking:
    """Lets the `at`-th call of an operation break, and counts all."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls, self.at, self.kind, self.broke = 0, -1, "", False
        for operation in OPERATIONS:
            patch.setattr(KINESIS, operation, self._wrapped(operation, getattr(KINESIS, operation)))

    def _wrapped(self, operation: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        def called(**asked: Any) -> Any:
            self.calls += 1
            if self.calls - 1 != self.at or (self.kind == "expired" and operation != "get_records"):
                return whole(**asked)
            self.broke, (before, error) = True, KINDS[self.kind]
            if not before:
                whole(**asked)
            raise error(operation)

        return called


def batch(clicks: Clicks) -> None:
    """The next batch, with as many executions as it takes."""
    event = clicks.cloud.event(FLOW)
    for number in range(TRIES):
        clicks.cloud.clock.advance(minutes=20 * bool(number))  # the lease of one that was killed has ended
        with suppress(AtollError, ClientError, EndpointConnectionError, Ended):
            planned = clicks.steps().plan(event, FakeContext())
            if planned["committed"]:
                return
            for state in planned["work"]:
                _execute(clicks, state)
                return
    raise AssertionError("the batch gets nowhere")


def _execute(clicks: Clicks, state: dict[str, Any]) -> None:
    for part in state["parts"]:
        done = False
        for _ in range(TRIES):
            with suppress(ClientError, EndpointConnectionError, Ended):
                done = clicks.steps().extract({**state, "part": part}, FakeContext(5))["done"]
            if done:
                break
    clicks.steps().commit(state, FakeContext())


def lived(cloud: Cloud, breaking: Breaking) -> list[list[int]]:  # noqa: F811
    """The events of each batch of a stream that is split on the way."""
    clicks = Clicks(cloud, SHARDS)
    clicks.collect()
    found, number = list[list[int]](), 0
    for hour in range(BATCHES):
        for _ in range(EVENTS // BATCHES):
            clicks.send({"id": number}, key=str(number))
            number += 1
        if hour == 1:
            KINESIS.split(clicks.arn, KINESIS.open_shards(clicks.arn)[0])
        batch(clicks)
        found.append(sorted(row["id"] for row in clicks.rows()))
    return found


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    monkeypatch.setattr(KINESIS, "page", 40)
    return Breaking(monkeypatch)


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.budget(600)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_breaks_the_rows_are_those_of_a_run_in_which_nothing_did(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    whole = lived(Cloud(), breaking)
    assert sum(map(len, whole)) == EVENTS
    calls, rows, faults = breaking.calls, 0, 0
    for at in range(calls):
        breaking.calls, breaking.at, breaking.kind, breaking.broke = 0, at, kind, False
        assert lived(Cloud(), breaking) == whole, (kind, at)
        rows, faults = rows + EVENTS, faults + breaking.broke
    print(f"{kind}: {faults} faults at {calls} calls, {rows} rows compared")
    assert faults == calls or kind == "expired"


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_middle_changes_nothing(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    whole = lived(Cloud(), breaking)
    breaking.at, breaking.calls, breaking.kind = breaking.calls // 2, 0, kind
    assert lived(Cloud(), breaking) == whole
