"""A verification inside the account goes on from call to call and records what it found; `atoll state verify --last` shows it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import boto3
import botocore.session
import pytest
from click.testing import Result

from shared_metadata import naming
from shared_metadata.errors import AtollError, InputError, Unfinished
from shared_metadata.store import keys
from shared_metadata.verification import in_function
from shared_metadata.verification.asked import Asked
from shared_metadata.verification.in_function import LAST_SECONDS, Place, VerifyStep
from shared_metadata.verification.notes import Notes
from tests.conformance.fixtures import FakeContext
from tests.console.test_state import ORDERS, STAGED, ran, set_watermark

__all__ = ["ran"]
Atoll = Callable[..., Result]
BUCKET, SHORT = "atoll-data", LAST_SECONDS - 1  # a call that has time for one group


def landed(slice_id: str, event: Any) -> Any:
    raise AtollError(f"there is no function of {slice_id}", remedy="deploy it")


@pytest.fixture
def step(ran: Any) -> VerifyStep:
    s3 = botocore.session.Session().create_client("s3", region_name="eu-central-1")  # of a session that no other test has touched
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return VerifyStep(boto3.client("dynamodb"), s3, naming.METADATA_TABLE, BUCKET, lambda: Asked(landed, ["organize.iceberg"]))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, ...]]:
    """The groups of flows that were looked at and noted, and how often."""
    found, keep = Counter[tuple[str, ...]](), Notes.keep

    def counted(self: Notes, look: int, flows: Any, looked: Any) -> None:
        found[flows] += 1
        keep(self, look, flows, looked)

    monkeypatch.setattr(Notes, "keep", counted)
    return found


def event(owner: str = "execution", **given: Any) -> dict[str, Any]:
    return {"input": given, "owner": owner}


def calls(step: VerifyStep, owner: str) -> Iterator[None]:
    """An execution's calls, each with time for one group only; ends after the last one."""
    for _ in range(300):
        try:
            step(event(owner), FakeContext(SHORT))
            return
        except Unfinished:
            assert Place.of(step.s3, BUCKET, owner).notes in left(step)
        yield
    raise AssertionError("it does not come to an end")


def left(step: VerifyStep) -> list[str]:
    """The notes in the bucket."""
    return [one["Key"] for one in step.s3.list_objects_v2(Bucket=BUCKET, Prefix=naming.VERIFICATIONS).get("Contents", ())]


def test_what_was_verified_is_shown_with_its_moment(atoll: Atoll, step: VerifyStep) -> None:
    nothing = atoll("state", "verify", "--last")
    assert nothing.exit_code == 1 and "state machine atoll-verify" in nothing.stderr
    assert step(event(), FakeContext())["differences"] == 0
    result = atoll("state", "verify", "--last")
    assert result.exit_code == 0 and "no differences in 5 datasets, 3 batches, 3 versions, at 20" in result.stdout
    assert "not compared with organize.iceberg, lake: there is no function of organize.iceberg" in result.stderr


def test_differences_are_those_that_the_command_finds_itself(atoll: Atoll, step: VerifyStep) -> None:
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    assert step(event(), FakeContext())["differences"] == 1
    last, own = (json.loads(atoll("state", "verify", *more, "--json").stdout) for more in (("--last",), ()))
    assert last["differences"] == own["differences"] and last["looked_at"] == own["looked_at"]
    assert atoll("state", "verify", "--last").exit_code == 2


def test_more_differences_than_an_item_holds_are_counted(atoll: Atoll, step: VerifyStep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_function, "MOST_TOLD", 0)
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    step(event(), FakeContext())
    result = atoll("state", "verify", "--last")
    assert "1 difference in 5 datasets" in result.stdout and "1 of them are not shown" in result.stdout and result.exit_code == 2


def test_a_call_whose_time_is_up_keeps_what_it_has_looked_at_and_the_next_goes_on(
    step: VerifyStep, kept: Counter[tuple[str, ...]]
) -> None:
    assert len(list(calls(step, "execution"))) >= len(kept) > 1
    assert set(kept.values()) == {1}, "no group is looked at twice"
    assert left(step) == []


def test_what_breaks_off_a_call_costs_nothing_that_was_looked_at(
    step: VerifyStep, kept: Counter[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Asked, "__call__", lambda *_: (_ for _ in ()).throw(ConnectionError))
        with pytest.raises(ConnectionError):
            step(event(), FakeContext())
    assert step(event(), FakeContext())["datasets"] == 5 and set(kept.values()) == {1}


def test_notes_that_cannot_be_deleted_at_the_end_name_no_file_that_is_gone(
    step: VerifyStep, kept: Counter[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = calls(step, "execution")
    while not kept:
        next(begun)
    with monkeypatch.context() as patch:

        def refused(_: Place) -> None:
            raise ConnectionError

        patch.setattr(Place, "forget_notes", refused)
        with pytest.raises(ConnectionError):
            step(event(), FakeContext())
    assert step(event(), FakeContext())["datasets"] == 5 and left(step) == []


def test_two_executions_at_once_take_nothing_from_each_other(step: VerifyStep, kept: Counter[tuple[str, ...]]) -> None:
    """Each is called in turn; one of them is ahead, and at its end takes its own notes away, not the other's."""
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    ahead, behind = calls(step, "ahead"), calls(step, "behind")
    while not kept:
        next(ahead)
    alone = [key for key in left(step) if "/events/" in key]
    assert alone, "what it has read of events is there"
    for _ in zip_longest(ahead, behind):
        pass
    assert left(step) == []
    (differing,) = [flows for flows in kept if ORDERS in flows]
    assert kept.pop(differing) == 4 and set(kept.values()) == {2}, "a group is looked at once by each, what differs twice"


def test_what_an_execution_leaves_that_was_stopped_is_no_other_ones(step: VerifyStep, kept: Counter[tuple[str, ...]]) -> None:
    stopped = calls(step, "stopped")
    while not kept:
        next(stopped)
    before = left(step)
    assert step(event("next"), FakeContext())["datasets"] == 5
    assert max(kept.values()) == 2 and left(step) == before


@pytest.mark.parametrize("given", [{"anew": True}, {"flow": "lake.ops.orders"}])
def test_another_input_is_refused_with_what_is_accepted(step: VerifyStep, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=re.escape("accepted is {}")):
        step(event(**given), FakeContext())


def test_the_record_is_what_the_access_of_the_function_lets_it_put() -> None:
    assert keys.last_verification()["pk"] == keys.VERIFICATION
