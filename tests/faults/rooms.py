"""Deployed functions whose next call Lambda refuses, because there is no concurrency for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import boto3

from tests.faults.faults import INVOKE, Kind

LOOK_SECONDS = 0.2


class Waits(Protocol):
    """What a function still meets (`deployed.Waiting`)."""

    @property
    def has_no_room(self) -> bool:
        """Whether its next call is to be refused."""

    def strikes(self, operation: str) -> Kind:
        """Notes that it was."""


class Rooms:
    """Takes the concurrency of functions whose next call is to be refused, and gives it back when one was.

    waiting: by the functions' names. A thread of its own looks at them until `close`.
    """

    def __init__(self, session: boto3.Session, waiting: Mapping[str, Waits]) -> None:
        self._lambda, self._cloudwatch, self._waiting = session.client("lambda"), session.client("cloudwatch"), waiting
        self._refused = dict[str, float]()  # function ▸ how many of its calls had been refused when its concurrency was taken
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rooms", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """All have their concurrency again."""
        self._end.set()
        self._thread.join()
        for name in self._refused:
            self._lambda.delete_function_concurrency(FunctionName=name)

    def _run(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            for name, waits in self._waiting.items():
                if waits.has_no_room:
                    self._look(name, waits)

    def _look(self, name: str, waits: Waits) -> None:
        if name not in self._refused:
            self._refused[name] = self._refusals(name)
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        elif self._refusals(name) > self._refused[name]:
            self._lambda.delete_function_concurrency(FunctionName=name)
            del self._refused[name]
            waits.strikes(INVOKE)

    def _refusals(self, name: str) -> float:
        """How many of its calls Lambda has refused within a day."""
        now = datetime.now(UTC)
        found = self._cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Throttles",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - timedelta(days=1),
            EndTime=now + timedelta(minutes=1),
            Period=86400,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])
