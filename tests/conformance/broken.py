"""Breaks the n-th call that a collect slice makes of its source, and plays the state machine's part until the batch is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from botocore.exceptions import ClientError, EndpointConnectionError

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.errors import AtollError
from tests.conformance.fixtures import Cloud, FakeContext
from tests.memory.dynamodb import refused

TRIES, CALLS = 12, 40  # the latter of extract, each of which may do a piece only
Failing = Callable[[str], BaseException]  # operation ▸ what its caller sees


class Ended(BaseException):
    """The process is no more."""


def lost(operation: str) -> Exception:
    return EndpointConnectionError(endpoint_url="https://nobody-answers.invalid")


def down(operation: str) -> Exception:
    error = refused("InternalFailure", operation)
    error.response["ResponseMetadata"] = {"HTTPStatusCode": 500}  # type: ignore[typeddict-item]
    return error


# What breaks ▸ whether it breaks before the call is done, and what the caller sees.
KINDS: Mapping[str, tuple[bool, Failing]] = {
    "down": (True, down),
    "lost before": (True, lost),
    "lost after": (False, lost),
    "killed before": (True, lambda operation: Ended()),
    "killed after": (False, lambda operation: Ended()),
}


class Breaking:
    """Lets the `at`-th call break, and counts all.  kinds: as KINDS."""

    def __init__(self, kinds: Mapping[str, tuple[bool, Failing]]) -> None:
        self.calls, self.at, self.kind, self.broke, self._kinds = 0, -1, "", False, kinds

    def wrapped(self, operation: str, whole: Callable[..., Any], counts: Callable[[Mapping[str, Any]], bool]) -> Callable[..., Any]:
        """The call as it may break.  counts: whether one with these parameters is counted."""

        def called(**asked: Any) -> Any:
            if not counts(asked):
                return whole(**asked)
            self.calls += 1
            if self.calls - 1 != self.at:
                return whole(**asked)
            self.broke, (before, error) = True, self._kinds[self.kind]
            if not before:
                whole(**asked)
            raise error(operation)

        return called


class World(Protocol):
    """A flow over a source."""

    cloud: Cloud

    def steps(self) -> CollectSteps: ...


def batch(world: World, flow: str) -> None:
    """The next batch, with as many executions as it takes: what fails is called again, a batch that has failed is planned again."""
    event = world.cloud.event(flow)
    for number in range(TRIES):
        world.cloud.clock.advance(minutes=20 * bool(number))  # the lease of one that was killed has ended
        with suppress(AtollError, ClientError, EndpointConnectionError, Ended):
            planned = world.steps().plan(event, FakeContext())
            if planned["committed"]:
                return
            for state in planned["work"]:
                _execute(world, state)
                return
    raise AssertionError("the batch gets nowhere")


def _execute(world: World, state: dict[str, Any]) -> None:
    for part in state["parts"]:
        done = False
        for _ in range(CALLS):
            with suppress(ClientError, EndpointConnectionError, Ended):
                done = world.steps().extract({**state, "part": part}, FakeContext(5))["done"]
            if done:
                break
    world.steps().commit(state, FakeContext())
