"""A verification inside the account goes on from call to call and records what it found; `atoll state verify --last` shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
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
from shared_metadata.verification.in_function import EVENTS, LAST_SECONDS, NOTES, PREFIX, VerifyStep
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


def until_done(step: VerifyStep, event: dict[str, Any]) -> int:
    """How many calls it takes, each with time for one group only."""
    for calls in range(1, 300):
        try:
            step(event, FakeContext(SHORT))
            return calls
        except Unfinished:
            assert step.s3.head_object(Bucket=BUCKET, Key=NOTES)
    raise AssertionError("it does not come to an end")


def left(step: VerifyStep) -> list[str]:
    """The notes in the bucket."""
    return [one["Key"] for one in step.s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", ())]


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
    assert until_done(step, event()) > len(kept) > 1
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
    while not kept:
        with pytest.raises(Unfinished):
            step(event(), FakeContext(SHORT))
    with monkeypatch.context() as patch:

        def refused(_: VerifyStep) -> None:
            raise ConnectionError

        patch.setattr(VerifyStep, "_forget", refused)
        with pytest.raises(ConnectionError):
            step(event(), FakeContext())
    assert step(event("another"), FakeContext())["datasets"] == 5 and left(step) == []


def test_anew_forgets_what_another_execution_has_looked_at_but_not_what_it_has_itself(
    step: VerifyStep, kept: Counter[tuple[str, ...]]
) -> None:
    while not kept:
        with pytest.raises(Unfinished):
            step(event("first"), FakeContext(SHORT))
    (looked_at,) = kept
    assert any(key.startswith(EVENTS) for key in left(step)) and NOTES in left(step)
    assert until_done(step, event("second", anew=True)) > len(kept) > 1
    assert kept.pop(looked_at) == 2 and set(kept.values()) == {1} and left(step) == []


def test_another_execution_goes_on_where_one_stopped(step: VerifyStep, kept: Counter[tuple[str, ...]]) -> None:
    while not kept:
        with pytest.raises(Unfinished):
            step(event("first"), FakeContext(SHORT))
    step(event("second"), FakeContext())
    assert set(kept.values()) == {1} and len(kept) > 1


@pytest.mark.parametrize("given", [{"anew": "yes"}, {"again": True}, {"flow": "lake.ops.orders"}])
def test_another_input_is_refused_with_what_is_accepted(step: VerifyStep, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="anew"):
        step(event(**given), FakeContext())


def test_the_record_is_what_the_access_of_the_function_lets_it_put() -> None:
    assert keys.last_verification()["pk"] == keys.VERIFICATION
