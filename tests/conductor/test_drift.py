"""What the conductor does about drift: judges it again under another program, tells people once, and loses no batch."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import boto3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor import handlers
from conductor.notifier import Notifier
from conductor.starter import Starter
from shared_metadata.program import Kind, Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.records import Claim, EventKind
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import KEYS, REGION, FakeStepFunctions, known_states, new_starter, new_writer, records_of, tell
from tests.conductor.test_history import History
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.inbox import Inbox
from tests.metadata.behaviour import FIRST
from tests.metadata.drift_behaviour import activate, gone, quiesced, settle, things


class TestNotification:
    """One message a drift, to the alerts topic."""

    @pytest.fixture
    def notifier(self, writer: MetadataWriter, inbox: Inbox) -> Notifier:
        return Notifier(writer, boto3.client("sns", REGION, **KEYS), inbox.topic)

    def test_the_message_names_column_views_places_and_remedy(self, writer: MetadataWriter, notifier: Notifier, inbox: Inbox) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        assert notifier.notify(1)
        (message,) = inbox.take()
        assert message["Subject"] == "Atoll: drift 1: out.things.name: column dropped"
        for said in (
            "the column name of out.things, string, is gone",
            "program.sql:2:1: lake.a.v000 reads lake.raw.things.name",
            "  lake.a.reader\n  lake.a.v000",
            "`atoll discover out`, then `atoll plan` and `atoll apply`",
            "atoll drift show 1",
        ):
            assert said in message["Message"]
        assert "lake.a.other" not in message["Message"]

    def test_however_often_the_stream_brings_the_event_people_are_told_once(
        self, writer: MetadataWriter, notifier: Notifier, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", "size", known=known))
        monkeypatch.setattr(handlers, "notifier", lambda: notifier)
        for number in (1, 2, 1, 1):
            assert handlers.handle(record(EventKind.FLOW_QUIESCED, number), FakeContext()) == {"batchItemFailures": []}
        assert [m["Subject"].split(": ")[1] for m in inbox.take()] == ["drift 1", "drift 2"]

    def test_a_message_that_could_not_be_sent_is_sent_when_the_stream_brings_the_event_again(
        self, writer: MetadataWriter, notifier: Notifier, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        broken = Notifier(writer, boto3.client("sns", REGION, **KEYS), inbox.topic + "-gone")
        monkeypatch.setattr(handlers, "notifier", lambda: broken)
        answer = handlers.handle(record(EventKind.FLOW_QUIESCED, 1), FakeContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        monkeypatch.setattr(handlers, "notifier", lambda: notifier)
        handlers.handle(record(EventKind.FLOW_QUIESCED, 1), FakeContext())
        assert len(inbox.take()) == 1

    def test_what_a_conductor_that_died_left_untold_the_clock_tells_once(
        self, writer: MetadataWriter, notifier: Notifier, inbox: Inbox, clock: SettableClock
    ) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", "spare", known=known))  # of the second one nobody has to be told: it breaks nothing
        assert writer.drifts.claim_notification(1)  # and died
        assert not notifier.notify_left(known_states(writer)), "it may still be at it"
        clock.advance(minutes=3)
        assert [notifier.notify_left(known_states(writer)) for _ in range(2)] == [True, False]
        assert [m["Subject"].split(": ")[1] for m in inbox.take()] == ["drift 1"]


def record(kind: EventKind, number: int) -> dict[str, Any]:
    return records_of(kind, detail={"drift": number})


def test_the_next_round_under_a_program_without_the_column_frees_its_readers(writer: MetadataWriter, clock: SettableClock) -> None:
    known, states = activate(writer, things()), FakeStepFunctions(clock)
    settle(writer, known, gone("name", known=known), known[0].version)
    starter = new_starter(writer, states)
    starter.start_due(clock.now)
    assert set(quiesced(writer, known)) == {"lake.a.v000", "lake.a.reader"}
    other = activate(writer, things(uses="id"))
    clock.advance(minutes=1)
    starter.start_due(clock.now)
    assert quiesced(writer, other) == {}


def test_a_round_while_something_is_quiesced_costs_no_more_than_another(writer: MetadataWriter, clock: SettableClock) -> None:
    known, states = activate(writer, things()), FakeStepFunctions(clock)
    settle(writer, known, gone("name", known=known), known[0].version)
    rounds = [new_starter(writer, states).start_due(clock.now).due for _ in range(2)]
    assert rounds == [1, 1]
    assert [d.program for d in writer.drifts.open_drifts()] == [known[0].version]


class DriftingHistory(History):
    """A history whose source loses and regains the column `name`; each collect looks at it when it begins, as its plan step does.

    blind: the starts of the batches that were collected without the column since it went.
    """

    def __init__(self, known: tuple[Program, Lineage], writer: MetadataWriter, states: FakeStepFunctions, chance: Random) -> None:
        super().__init__(known[0], writer, states, chance)
        self.known, self.has_name, self.blind = known, True, set[datetime]()

    def claim_all(self) -> None:
        before = len(self.work)
        super().claim_all()
        for _, claim in self.work[before:]:
            if self.program.flows[claim.flow].kind == Kind.COLLECT:
                settle(self.writer, self.known, [] if self.has_name else gone("name", known=self.known), self.program.version)
                if self.has_name:
                    self.blind.clear()
                else:
                    self.blind.add(claim.interval.start)

    def redrive(self) -> None:
        """As an operator does, who is told what failed too often."""
        for flow, state in self.writer.reader.flow_states(list(self.program.flows)).items():
            self.writer.dead_letters.redrive(flow, [name for name, table in state.tables.items() if table.dead_letter])

    def _check(self, claim: Claim, dataset: str, now: datetime) -> None:
        super()._check(claim, dataset, now)
        if dataset in ("lake.a.v000", "lake.a.reader"):
            assert claim.interval.start not in self.blind, "used a column that its input did not have"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), turns=st.lists(st.integers(3, 9), min_size=1, max_size=4))
@example(seed=109, turns=[3, 9, 9, 9])  # a batch of the readers fails too often
def test_no_batch_is_lost_or_made_twice_while_columns_go_and_return(seed: int, turns: list[int]) -> None:
    chance = Random(seed)
    clock = SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = new_writer(clock), FakeStepFunctions(clock)
    history = DriftingHistory(activate(writer, things()), writer, states, chance)
    starter = new_starter(writer, states)
    for turn in [*turns, *([4] if len(turns) % 2 else [])]:
        history.has_name = not history.has_name
        for _ in range(turn):
            tick(history, starter, clock)
    history.has_name = True
    ends = history.ends
    for _ in range(300):  # the batches that waited are caught up
        tick(history, starter, clock, minutes=10)
        history.redrive()
        if all(ends.get(name, [FIRST.start])[-1] >= clock.now - timedelta(hours=2) for name in ("lake.a.reader", "lake.a.other")):
            break
    else:
        pytest.fail(f"at {clock.now} not caught up: {ends}")
    assert writer.drifts.open_drifts() == [] and quiesced(writer, history.known) == {}


def tick(history: History, starter: Starter, clock: SettableClock, minutes: int = 20) -> None:
    clock.advance(minutes=minutes)
    starter.start_due(clock.now)
    history.claim_all()
    history.end_some(clock.now)
    tell(history.writer, history.states, clock.now)
