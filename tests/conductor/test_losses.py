"""What Step Functions tells of executions that ended: counted where their batch stands as they found it, and nowhere else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor import handlers
from conductor.losses import Losses
from conductor.starter import Starter
from shared_metadata.state.records import EventKind
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import FakeStepFunctions, fixed, new_writer, tell
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.metadata.behaviour import FIRST, apply, claim, commit, events, fail, program, staged, standing

CRM = "lake.crm"


def the_first(states: FakeStepFunctions) -> str:
    return next(iter(states.executions))


def test_one_that_never_claimed_its_batch_is_counted_and_said_once(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    states.end(error="SecretError", cause="none")
    (told,) = states.told()
    losses = Losses(writer, lambda *_: None)
    assert [losses.ended(told, clock.now) for _ in range(3)] == [1, 0, 0], "events come at least once"
    assert standing(writer).attempts == 1
    lost = [event for event in events(writer) if event.kind == EventKind.BATCH_LOST]
    assert [(event.flow, event.detail["dataset"], event.detail["attempts"]) for event in lost] == [(CRM, staged("t000"), 1)]


def test_one_that_held_the_lease_gives_it_up_so_that_the_next_can_claim(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    held = claim(writer, owner=the_first(states))
    states.end("TIMED_OUT")
    assert tell(writer, states, clock.now) == 1
    assert claim(writer, owner="the next").token > held.token


def test_one_that_has_recorded_what_failed_and_what_was_done_is_not_counted_again(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(2))
    starter.start_due(clock.now)
    held = claim(writer, "t000", "t001", owner=the_first(states))
    fail(writer, held, "t000")
    commit(writer, held, "t001")
    states.end(error="BatchFailed", cause="t000")
    assert tell(writer, states, clock.now) == 0
    assert (standing(writer, "t000").attempts, standing(writer, "t001").attempts) == (1, 0)


def test_of_one_that_recorded_some_only_the_others_are_counted(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(3))
    starter.start_due(clock.now)
    held = claim(writer, "t000", "t001", "t002", owner=the_first(states))
    commit(writer, held, "t000")
    fail(writer, held, "t001")
    states.end("ABORTED")
    assert tell(writer, states, clock.now) == 1
    assert [standing(writer, name).attempts for name in ("t000", "t001", "t002")] == [0, 1, 1]


def test_one_whose_tables_another_is_at_work_on_changes_nothing(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    by_hand = claim(writer, owner="arn:aws:states:eu-central-1:123456789012:execution:atoll-collect-test:by-hand")
    states.end(error="RetryLater", cause="it is being run")
    assert tell(writer, states, clock.now) == 0
    commit(writer, by_hand)


def test_of_one_started_by_hand_its_claim_says_what_it_was_at_work_on(writer: MetadataWriter, clock: SettableClock) -> None:
    apply(writer, program())
    arn = "arn:aws:states:eu-central-1:123456789012:execution:atoll-collect-test:by-hand"
    asked = {"flow": CRM, "start": "2026-11-23T11:00:00Z", "end": "2026-11-23T12:00:00Z"}
    told = {"executionArn": arn, "status": "ABORTED", "input": json.dumps(asked)}
    losses = Losses(writer, lambda *_: None)
    assert losses.ended(told, clock.now) == 0, "it had claimed nothing"
    claim(writer, owner=arn)
    assert losses.ended({**told, "input": "{}"}, clock.now) == 0, "what was due is not said: its lease lapses"
    assert losses.ended(told, clock.now) == 1
    claim(writer, owner="the next")


def test_what_aws_had_no_room_for_is_forgiven(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    states.end(error="WaitForAws", cause="for hours")
    assert tell(writer, states, clock.now) == 1
    assert (standing(writer).attempts, standing(writer).failures) == (1, 0)


@given(
    given=st.one_of(
        st.none(),
        st.text(),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(), st.sampled_from([CRM, "2026-11-23T11:00:00Z"])),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["flow", "start", "end", "datasets", "x"]), inner),
        ).map(json.dumps),
    )
)
def test_whatever_an_operator_had_started_it_with_is_no_error(given: str | None) -> None:
    writer = new_writer(SettableClock(FIRST.end + timedelta(minutes=1)))
    apply(writer, program())
    told = {"executionArn": "arn:aws:states:x:1:execution:atoll-collect-test:y", "status": "FAILED", "input": given}
    assert Losses(writer, lambda *_: None).ended(told, FIRST.end) == 0


def test_the_handler_takes_the_event_as_eventbridge_brings_it(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    states.end(error="States.Runtime", cause="x")
    (told,) = states.told()
    monkeypatch.setattr(handlers, "losses", lambda: Losses(writer, lambda *_: None))
    monkeypatch.setattr(handlers, "datetime", fixed(clock.now))
    event: dict[str, Any] = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": told}
    assert handlers.handle(event, FakeContext()) == {"lost": 1}


def test_one_that_was_never_told_of_is_found_when_its_lease_has_ended(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    claim(writer, owner=the_first(states))
    states.end("ABORTED")
    states.calls.clear()
    for _ in range(15):
        clock.advance(minutes=1)
        assert starter.start_due(clock.now).lost == 0
    assert not states.calls
    clock.advance(minutes=2)
    assert starter.start_due(clock.now).lost == 1
    clock.advance(minutes=1)
    assert starter.start_due(clock.now).started == 1
