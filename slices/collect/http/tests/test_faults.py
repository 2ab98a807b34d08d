"""Every kind of fault at every call of S3, of the endpoint and of each step: what was promised is there once.

The sender's part is played here too: what is not answered 202 is sent again, as the same message.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from slices.collect.http import extracting
from slices.collect.http.receive_handler import ReceiveHandler
from slices.collect.http.tests.test_http import FLOW, Orders, cloud  # noqa: F401
from slices.collect.http.tests.under_test import request, signed
from tests.conformance.broken import KINDS as OF_ANY
from tests.conformance.broken import TRIES, Breaking, Ended, batch
from tests.conformance.fixtures import Cloud, _s3
from tests.memory.dynamodb import refused

REQUESTS, EVENTS, BATCHES = 12, 3, 3
OPERATIONS = ("put_object", "list_objects_v2", "get_object")
KINDS = {**OF_ANY, "throttled": (True, lambda operation: refused("SlowDown", operation))}


def send(orders: Orders, number: int) -> None:
    """Until it is promised; a function that ended in the middle is another one the next time."""
    body = json.dumps([{"id": number * EVENTS + one} for one in range(EVENTS)]).encode()
    orders.endpoint.now = orders.at
    for _ in range(TRIES):
        headers = signed(body, orders.at, message=f"msg_{number}")
        with suppress(Ended):
            answer = ReceiveHandler(orders.endpoint.receiver)(request("/site/orders", body, headers), None)
            if answer["statusCode"] == 202:
                return
    raise AssertionError("the request is never taken")


def lived(cloud: Cloud) -> list[list[Any]]:  # noqa: F811
    """The messages of each batch, whatever was sent again."""
    orders = Orders(cloud)
    orders.collect()
    found = list[list[Any]]()
    for hour in range(BATCHES):
        for number in range(hour * REQUESTS // BATCHES, (hour + 1) * REQUESTS // BATCHES):
            send(orders, number)
        batch(orders, FLOW)
        rows = orders.rows()
        assert len({row["_sequence"] for row in rows}) == len(rows)
        found.append(sorted({(row["_message_id"], row["id"]) for row in rows}))
    return found


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Of what is in a sender's or a batch's way: the inbox, and not what all slices stage."""
    monkeypatch.setattr(extracting, "AT_ONCE", 2)
    found, memory = Breaking(KINDS), _s3()
    for operation in OPERATIONS:
        whole = getattr(memory, operation)
        monkeypatch.setattr(memory, operation, found.wrapped(operation, whole, lambda asked: asked["Bucket"].startswith("inbox-")))
    return found


@pytest.mark.deep
@pytest.mark.nightly(8)
@pytest.mark.timeout(900)
@pytest.mark.budget(300)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_breaks_what_was_promised_is_there_once(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    whole = lived(Cloud())
    assert sum(map(len, whole)) == REQUESTS * EVENTS
    calls, rows, faults = breaking.calls, 0, 0
    for at in range(calls):
        breaking.calls, breaking.at, breaking.kind, breaking.broke = 0, at, kind, False
        assert lived(Cloud()) == whole, (kind, at)
        rows, faults = rows + REQUESTS * EVENTS, faults + breaking.broke
    print(f"{kind}: {faults} faults at {calls} calls, {rows} rows compared")
    assert faults == calls


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_middle_changes_nothing(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    whole = lived(Cloud())
    breaking.at, breaking.calls, breaking.kind = breaking.calls // 2, 0, kind
    assert lived(Cloud()) == whole and breaking.broke
