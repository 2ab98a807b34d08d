"""Every kind of fault at every call of every step: a batch that is tried again gives the rows of one in which nothing broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slices.collect.kinesis.tests.test_kinesis import FLOW, Clicks, cloud  # noqa: F401
from slices.collect.kinesis.tests.under_test import KINESIS
from tests.conformance.broken import KINDS as OF_ANY
from tests.conformance.broken import Breaking as OfAny
from tests.conformance.broken import batch
from tests.conformance.fixtures import Cloud
from tests.memory.dynamodb import refused

EVENTS, SHARDS, BATCHES, PAGE = 48, 2, 2, 10
OPERATIONS = ("describe_stream_summary", "list_shards", "get_shard_iterator", "get_records")
KINDS = {
    **OF_ANY,
    "throttled": (True, lambda operation: refused("ProvisionedThroughputExceededException", operation)),
    "expired": (True, lambda operation: refused("ExpiredIteratorException", operation)),
}


class Breaking(OfAny):
    """Of a stream. An iterator expires only where records are asked for with it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__(KINDS)
        for operation in OPERATIONS:
            patch.setattr(KINESIS, operation, self._wrapped(operation, getattr(KINESIS, operation)))

    def _wrapped(self, operation: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        breaking = self.wrapped(operation, whole, lambda _: True)

        def called(**asked: Any) -> Any:
            if self.kind == "expired" and operation != "get_records":
                self.calls += 1
                return whole(**asked)
            return breaking(**asked)

        return called


def lived(cloud: Cloud, breaking: Breaking) -> list[list[int]]:  # noqa: F811
    """The events of each batch of a stream that is split on the way."""
    clicks = Clicks(cloud, SHARDS)
    clicks.collect()
    found, number = list[list[int]](), 0
    for hour in range(BATCHES):
        at = clicks.at
        for _ in range(EVENTS // BATCHES):
            clicks.send({"id": number}, at, key=str(number))
            number += 1
        if hour == 1:
            KINESIS.split(clicks.arn, KINESIS.open_shards(clicks.arn)[0])
        batch(clicks, FLOW)
        found.append(sorted(row["id"] for row in clicks.rows()))
    return found


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    monkeypatch.setattr(KINESIS, "page", PAGE)
    return Breaking(monkeypatch)


@pytest.mark.deep
@pytest.mark.nightly(8)
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


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_middle_changes_nothing(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    whole = lived(Cloud(), breaking)
    breaking.at, breaking.calls, breaking.kind = breaking.calls // 2, 0, kind
    assert lived(Cloud(), breaking) == whole
