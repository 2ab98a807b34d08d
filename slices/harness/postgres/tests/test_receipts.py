"""The receipts that a batch reads: of a flow that has published for years, those that concern it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim
from slices.harness.postgres.session import PostgresSession
from slices.harness.postgres.tests.database import Database
from systems.postgres.address import Address
from systems.sql_target.receipts import Receipts

HOUR, FIRST = timedelta(hours=1), datetime(2026, 11, 23, tzinfo=UTC)
CHANGES = {"result": "r", "result_files": [], "upserts": 1, "deletes": 0, "forget": False}


@pytest.mark.parametrize(
    ("asked", "found"),
    [(0, [0, 2, 3, 6]), (1, [2, 3, 6]), (3, [3, 6]), (4, [6]), (6, [6]), (7, [6]), (900, [6])],
)
def test_they_are_those_from_a_batch_on_or_else_the_last(target: Database, asked: int, found: list[int]) -> None:
    session = PostgresSession(Address(**target.secret), "here", "target", Deadline(time.monotonic() + 900))
    receipts = Receipts(session, "atoll")
    receipts.ensure()
    assert receipts.since("a", FIRST) == []
    for flow, hours in (("a", (3, 0, 6, 2)), ("b", (1, 901))):
        for hour in hours:
            start = FIRST + hour * HOUR
            receipts.put(Claim(flow, Interval(start, start + HOUR), 1, (flow,), "v"), CHANGES)
    assert [(one.start - FIRST) / HOUR for one in receipts.since("a", FIRST + asked * HOUR)] == found
    session.close()


def test_a_receipt_names_the_key_of_its_rows_and_an_earlier_version_s_none(target: Database) -> None:
    session = PostgresSession(Address(**target.secret), "here", "target", Deadline(time.monotonic() + 900))
    receipts, changes = Receipts(session, "atoll"), {**CHANGES, "result_files": ["a", "b"], "key": ["x", "y"]}
    receipts.ensure()
    receipts.put(Claim("a", Interval(FIRST, FIRST + HOUR), 1, ("a",), "v"), changes)
    assert [(one.files, one.key) for one in receipts.since("a", FIRST)] == [(("a", "b"), ("x", "y"))]
    session.run("""UPDATE atoll.receipts SET files = '["a", "b"]'""")
    assert [(one.files, one.key) for one in receipts.since("a", FIRST)] == [(("a", "b"), None)]
    session.close()
