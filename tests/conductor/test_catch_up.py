"""After an outage each commit's event starts what follows it: the clock is needed for the first batch only."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from benchmarks.catch_up import catch_up
from conductor import handlers
from conductor.starter import Starter
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import EventKind, TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import FakeStepFunctions, Stream
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.metadata.behaviour import FIRST, apply, program, view

HOURS = 6


def run_everything_that_runs(writer: MetadataWriter, states: FakeStepFunctions) -> int:
    """Every execution commits its batch; how many there were."""
    running = [(arn, json.loads(e["input"])) for arn, e in states.executions.items() if e["status"] == "RUNNING"]
    for arn, body in running:
        interval = Interval(from_text(body["start"]), from_text(body["end"]))
        datasets = [table.dataset for table in writer.reader.active_program().flows[body["flow"]].tables]
        held = writer.claim(body["flow"], interval, datasets, program_version="v", owner=arn, lease_seconds=60)
        writer.commit(held, [TableCommit(dataset, 1, pointer={"manifest": "m"}) for dataset in datasets])
        states.executions[arn]["status"] = "SUCCEEDED"
    return len(running)


def test_commit_events_alone_catch_up_on_every_missed_batch(
    writer: MetadataWriter,
    states: FakeStepFunctions,
    starter: Starter,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(writer, program(views=(view("lake.a.v", "lake.crm.t000"),)))
    clock.advance(hours=HOURS - 1)

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return clock.now

    monkeypatch.setattr(handlers, "datetime", Now)
    monkeypatch.setattr(handlers, "starter", lambda: starter)
    handlers.handle({"trigger": "clock"}, FakeContext())
    stream, rounds = Stream(writer), 0
    while run_everything_that_runs(writer, states):
        rounds += 1
        assert handlers.handle(stream.take(EventKind.BATCH_COMPLETED), FakeContext()) == {"batchItemFailures": []}
    found = writer.reader.flow_states(["lake.crm", "lake.crm:load", "lake.a.v"])
    end = FIRST.start + timedelta(hours=HOURS)
    assert {table.watermark for state in found.values() for table in state.tables.values()} == {end}
    assert rounds == HOURS + 2, "the three flows run beside one another, one batch behind the other"


def test_a_missed_day_of_quarter_hours_is_caught_up_at_the_pace_of_its_slowest_flow() -> None:
    slowest, latency = 8.0, 2.0
    found = catch_up(96, {"collect": 4.0, "load": slowest, "view": 6.0}, latency)
    assert 96 * slowest < found.events_seconds < 96 * (slowest + latency) + 60
    assert found.clock_seconds > 90 * 60, "with the clock alone it would take a minute for each batch"
