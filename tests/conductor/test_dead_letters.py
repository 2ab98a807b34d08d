"""What the conductor does about batches that fail too often: tells people once, and starts at once what is redriven."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from conductor import handlers
from conductor.notifier import Notifier
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import MAX_ATTEMPTS, Claim, EventKind, TableState
from shared_metadata.store.dead_letters import dead_batches
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import KEYS, REGION, FakeStepFunctions, fixed, known_states, new_starter, tell
from tests.conductor.test_drift import tick
from tests.conductor.test_history import History
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.inbox import Inbox
from tests.metadata.behaviour import FIRST, apply, claim, commit, dead, fail, program, scheduled, staged, standing, view


@pytest.fixture
def notifier(writer: MetadataWriter, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Notifier:
    made = Notifier(writer, boto3.client("sns", REGION, **KEYS), inbox.topic)
    monkeypatch.setattr(handlers, "notifier", lambda: made)
    return made


def test_the_message_names_dataset_batch_cause_readers_and_remedy(writer: MetadataWriter, notifier: Notifier, inbox: Inbox) -> None:
    dead(writer, tables=2)
    assert notifier.notify_dead([("lake.crm", staged("t000"))]) == [staged("t000")]
    (message,) = inbox.take()
    assert message["Subject"] == "Atoll: lake.crm.t000:staged stopped after 5 failures"
    for said in (
        "The batch [2026-11-23T11:00:00Z, 2026-11-23T12:00:00Z) of lake.crm has failed 5 times",
        "The cause: it broke",
        "These wait for it; everything else runs on:\n  lake.crm.t000\n",
        "atoll retry lake.crm.t000:staged",
    ):
        assert said in message["Message"]
    assert "t001" not in message["Message"]


def test_the_message_of_a_batch_that_covers_several_intervals_names_all_of_it(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox
) -> None:
    apply(writer, program())
    for _ in range(MAX_ATTEMPTS):
        fail(writer, claim(writer, interval=Interval(FIRST.start, FIRST.start + timedelta(hours=130))))
    assert notifier.notify_dead([("lake.crm", staged("t000"))])
    (message,) = inbox.take()
    whole = "The batch [2026-11-23T11:00:00Z, 2026-11-28T21:00:00Z) of lake.crm, which covers 130 batches, has failed 5 times"
    assert message["Message"].startswith(whole)


def test_however_often_the_stream_brings_the_event_people_are_told_once_and_of_a_batch_together(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox
) -> None:
    dead(writer, "t000", "t001", tables=2)
    records = stream_records(writer)
    for batch in (records, records[:1], records):
        assert handlers.handle({"Records": batch}, FakeContext()) == {"batchItemFailures": []}
    (message,) = inbox.take()
    assert message["Subject"] == "Atoll: lake.crm.t000:staged and 1 more stopped after 5 failures"


def test_a_message_that_could_not_be_sent_is_sent_when_the_stream_brings_the_event_again(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(writer)
    broken = Notifier(writer, boto3.client("sns", REGION, **KEYS), inbox.topic + "-gone")
    with monkeypatch.context() as patched:
        patched.setattr(handlers, "notifier", lambda: broken)
        assert handlers.handle({"Records": stream_records(writer)}, FakeContext())["batchItemFailures"]
    handlers.handle({"Records": stream_records(writer)}, FakeContext())
    assert len(inbox.take()) == 1


def test_a_message_is_sent_later_where_the_table_could_not_be_asked_of_another_dataset(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(writer, "t000", "t001", tables=2)
    claims = writer.dead_letters.claim_notification

    def throttled(flow: str, dataset: str) -> TableState | None:
        if dataset == staged("t001"):
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")
        return claims(flow, dataset)

    with monkeypatch.context() as patched:
        patched.setattr(writer.dead_letters, "claim_notification", throttled)
        assert handlers.handle({"Records": stream_records(writer)}, FakeContext())["batchItemFailures"]
    handlers.handle({"Records": stream_records(writer)}, FakeContext())
    (message,) = inbox.take()
    assert message["Subject"] == "Atoll: lake.crm.t000:staged and 1 more stopped after 5 failures"


def test_what_a_conductor_that_died_left_untold_the_clock_tells_once(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox, clock: SettableClock
) -> None:
    dead(writer, "t000", "t001", tables=2)
    assert writer.dead_letters.claim_notification("lake.crm", staged("t000"))  # and died
    handlers.handle({"Records": stream_records(writer)}, FakeContext())
    assert [m["Subject"] for m in inbox.take()] == ["Atoll: lake.crm.t001:staged stopped after 5 failures"]
    assert not notifier.notify_left(known_states(writer)), "it may still be at it"
    clock.advance(minutes=3)
    assert [notifier.notify_left(known_states(writer)) for _ in range(2)] == [True, False]
    assert [m["Subject"] for m in inbox.take()] == ["Atoll: lake.crm.t000:staged stopped after 5 failures"]
    letter = standing(writer).dead_letter
    assert letter and letter.told_at == clock.now


def test_a_message_of_which_no_record_could_be_made_comes_again(
    writer: MetadataWriter, notifier: Notifier, inbox: Inbox, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(writer)

    def throttled(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")

    with monkeypatch.context() as patched:
        patched.setattr(writer.dead_letters, "notified", throttled)
        assert handlers.handle({"Records": stream_records(writer)}, FakeContext())["batchItemFailures"]
    clock.advance(minutes=3)
    assert notifier.notify_left(known_states(writer)) and len(inbox.take()) == 2


def test_nobody_is_told_of_what_was_mended_before(writer: MetadataWriter, notifier: Notifier, inbox: Inbox) -> None:
    dead(writer)
    records = stream_records(writer)
    commit(writer, claim(writer))
    handlers.handle({"Records": records}, FakeContext())
    assert inbox.take() == []


def test_a_redriven_batch_is_started_by_the_event_with_a_name_of_its_own(
    writer: MetadataWriter, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = FakeStepFunctions(clock)
    starter = new_starter(writer, states)
    monkeypatch.setattr(handlers, "starter", lambda: starter)
    apply(writer, program())
    for _ in range(MAX_ATTEMPTS):
        starter.start_due(clock.now)
        states.end(error="States.Timeout", cause="too slow")
        tell(writer, states, clock.now)
        clock.advance(hours=1)
    assert standing(writer).dead_letter and starter.start_due(clock.now).due == 0
    writer.dead_letters.redrive("lake.crm", [staged("t000")])
    monkeypatch.setattr(handlers, "datetime", fixed(clock.now))
    handlers.handle({"Records": stream_records(writer, EventKind.BATCH_REDRIVEN)}, FakeContext())
    assert len(states.executions) == MAX_ATTEMPTS + 1
    assert starter.start_due(clock.now).lost == 0 and standing(writer).failures == 0


def test_what_no_program_makes_any_more_is_no_dead_letter(writer: MetadataWriter) -> None:
    dead(writer, "t000", "t001", tables=2)
    scheduled(writer, program(1), FIRST.start)
    programs = writer.reader.programs()
    found = dead_batches(programs, writer.reader.flow_states(list(programs.flow_ids)), writer.reader)
    assert [batch.dataset for batch in found] == [staged("t000")]


class PoisonedHistory(History):
    """A history in which one dataset fails until it is mended."""

    poisoned = "lake.crm.t000:staged"
    mended = False

    def _end_table(self, claim: Claim, dataset: str, now: Any) -> None:
        if dataset == self.poisoned and not self.mended:
            self.writer.fail(claim, dataset, "poison")
        else:
            super()._end_table(claim, dataset, now)


def test_only_the_readers_of_a_poisoned_batch_wait_and_all_is_caught_up_when_it_is_redriven(
    writer: MetadataWriter, clock: SettableClock
) -> None:
    chance, states = Random(1), FakeStepFunctions(clock)
    views = (view("lake.a.v", "lake.crm.t000", "lake.crm.t001"), view("lake.a.w", "lake.crm.t001"))
    history = PoisonedHistory(apply(writer, program(2, views=views)), writer, states, chance)
    starter = new_starter(writer, states)
    for _ in range(24):
        tick(history, starter, clock, minutes=15)
    assert standing(writer).dead_letter and standing(writer).watermark == FIRST.start
    assert set(history.ends) == {"lake.crm.t001:staged", "lake.crm.t001", "lake.a.w"}
    assert len(history.ends["lake.a.w"]) > 3
    history.mended = True
    assert writer.dead_letters.redrive("lake.crm", [history.poisoned])
    for _ in range(60):
        tick(history, starter, clock, minutes=3)
        if len(history.ends) == 6 and all(ends[-1] > clock.now - timedelta(hours=3) for ends in history.ends.values()):
            return
    pytest.fail(f"at {clock.now} not caught up: {history.ends}")


def stream_records(writer: MetadataWriter, kind: EventKind = EventKind.BATCH_DEAD) -> list[dict[str, Any]]:
    """The events of a kind as DynamoDB's stream brings them."""
    items = writer._client.scan(TableName="metadata")["Items"]
    found = [item for item in items if item.get("kind") == {"S": kind.value}]
    return [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(n), "NewImage": item}} for n, item in enumerate(found)]
