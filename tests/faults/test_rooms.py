"""What a deployed function meets next: a conflict only where DynamoDB is written, no concurrency until Lambda has refused a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.embedded.state import wait_until
from tests.faults.deployed import TROUBLES, Waiting
from tests.faults.faults import INVOKE, Invocation, Kind
from tests.faults.rooms import Rooms

STEP = Invocation(0, "", "", "organize.iceberg load", "organize.iceberg load", 0)


class Account:
    """Lambda and CloudWatch of one function, whose calls are refused while it has no concurrency."""

    def __init__(self) -> None:
        self.reserved: int | None = None
        self.refused, self.called = 3, 0

    def client(self, _: str) -> Account:
        return self

    def put_function_concurrency(self, *, FunctionName: str, ReservedConcurrentExecutions: int) -> None:
        self.reserved = ReservedConcurrentExecutions

    def delete_function_concurrency(self, *, FunctionName: str) -> None:
        self.reserved = None

    def get_metric_statistics(self, **_: Any) -> dict[str, Any]:
        return {"Datapoints": [{"Sum": float(self.refused)}]}

    def call(self) -> None:
        self.refused, self.called = self.refused + (self.reserved == 0), self.called + (self.reserved is None)


def eventually(holds: Callable[[], bool]) -> None:
    wait_until(holds, 30, "it did not happen")


@pytest.mark.parametrize(
    ("operation", "struck"), [("s3.PutObject", False), ("dynamodb.GetItem", False), ("dynamodb.UpdateItem", True)]
)
def test_a_conflict_is_dynamodb_s(operation: str, struck: bool) -> None:
    waiting = Waiting([Kind.CONFLICT])
    assert (waiting.strike(STEP, operation) == Kind.CONFLICT) == struck == (not waiting.kinds)


def test_no_concurrency_is_over_when_a_call_was_refused_and_not_before() -> None:
    account, waiting = Account(), Waiting([Kind.NO_ROOM, Kind.RESET])
    rooms = Rooms(account, {"load": waiting})  # type: ignore[arg-type]
    try:
        assert waiting.strike(STEP, "s3.PutObject") is None
        eventually(lambda: account.reserved == 0)
        account.call()
        eventually(lambda: account.reserved is None)
        assert waiting.struck == [(Kind.NO_ROOM, INVOKE)] and waiting.strike(STEP, "s3.PutObject") == Kind.RESET
    finally:
        rooms.close()


def test_at_the_end_every_function_has_its_concurrency_again() -> None:
    account, waiting = Account(), Waiting([Kind.NO_ROOM])
    rooms = Rooms(account, {"load": waiting})  # type: ignore[arg-type]
    eventually(lambda: account.reserved == 0)
    rooms.close()
    account.call()
    assert account.called == 1 and {Kind.CONFLICT, Kind.NO_ROOM} <= {*TROUBLES}
