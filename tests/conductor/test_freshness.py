"""FRESH WITHIN: what counts as late, and that a broken promise is counted at each check and recorded once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor import handlers
from conductor.freshness import Freshness
from conductor.known_states import KnownStates
from conductor.notifier import Notifier
from shared_metadata.program import Program
from shared_metadata.state.freshness import late_datasets
from shared_metadata.state.records import EventKind, FlowState, TableState
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import REGION, CountsCalls, fixed, known_states
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.metadata.behaviour import FIRST, apply, claim, commit, program, staged

HOURS_2 = 7200


def promising(seconds: int = HOURS_2) -> Program:
    """The program of one collected table, which promises to be fresh."""
    made = program()
    flows = {**made.flows, "lake.crm": replace(made.flows["lake.crm"], fresh_within_seconds=seconds)}
    return replace(made, flows=flows)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_dataset_is_late_exactly_when_it_is_older_than_promised(promised: int, age: int) -> None:
    now = FIRST.end + timedelta(days=30)
    states = {"lake.crm": FlowState("lake.crm", {staged("t000"): TableState(now - timedelta(seconds=age))})}
    late = late_datasets(promising(promised), states, now)
    assert [(one.dataset, one.since) for one in late] == (
        [(staged("t000"), now - timedelta(seconds=age - promised))] if 0 < promised < age else []
    )


def test_what_never_had_a_state_is_not_called_late() -> None:
    assert late_datasets(promising(), {}, FIRST.end) == []


def recorded(writer: MetadataWriter, until: datetime) -> list[tuple[datetime, Any]]:
    return [(e.at, e.detail["dataset"]) for e in writer.reader.events(FIRST.start, until) if e.kind == EventKind.DATASET_LATE]


def test_a_broken_promise_is_counted_while_it_lasts_and_recorded_once(
    writer: MetadataWriter, dynamodb: CountsCalls, clock: SettableClock
) -> None:
    apply(writer, promising())
    freshness = Freshness(writer)
    assert freshness.check(known_states(writer), clock.now) == 0
    broken = FIRST.start + timedelta(seconds=HOURS_2)
    clock.now = broken + timedelta(minutes=5)
    assert [freshness.check(known_states(writer), clock.now) for _ in range(3)] == [1, 1, 1]
    assert dynamodb.calls["update_item"] == 1, "what this process has recorded costs no further write"
    assert Freshness(writer).check(known_states(writer), clock.now) == 1, "another process counts it too"
    assert recorded(writer, clock.now) == [(broken, staged("t000"))]
    before = known_states(writer)
    commit(writer, claim(writer), rows=1)
    assert freshness.check(before, clock.now) == 0, "what was known before is read again"
    clock.advance(hours=2)
    assert freshness.check(before, clock.now) == 1
    assert recorded(writer, clock.now) == [(broken, staged("t000")), (broken + timedelta(hours=1), staged("t000"))]


def test_without_a_program_nothing_is_late(writer: MetadataWriter, clock: SettableClock) -> None:
    assert Freshness(writer).check(KnownStates(writer.reader), clock.now) == 0


@pytest.mark.parametrize(("minute", "late"), [(5, 1), (6, None), (10, 1)])
def test_the_clock_publishes_what_is_late_every_five_minutes(
    writer: MetadataWriter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], minute: int, late: int | None
) -> None:
    apply(writer, promising())
    now = FIRST.start + timedelta(hours=3, minutes=minute)

    class Rests:
        def __init__(self) -> None:
            self.known = known_states(writer)

        def start_due(self, *_: Any) -> handlers.Round:
            return handlers.Round()

    monkeypatch.setattr(handlers, "datetime", fixed(now))
    monkeypatch.setattr(handlers, "starter", Rests)
    monkeypatch.setattr(handlers, "freshness", lambda: Freshness(writer))
    monkeypatch.setattr(handlers, "notifier", lambda: Notifier(writer, boto3.client("sns", REGION), ""))
    assert handlers.handle({"trigger": "clock"}, FakeContext())["late"] == late
    published = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "LateDatasets" in line]
    assert [(line["LateDatasets"], line["service"]) for line in published] == ([([1.0], "conductor")] if late else [])
