"""The conductor and the real metadata layer through histories of failing, dying, overtaken and slow executions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from conductor.environment import Environment
from conductor.starter import Starter
from shared_metadata.errors import AlreadyCommitted, RetryLater, StaleToken
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import Claim, EventKind, TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import ACCOUNT, REGION, FakeStepFunctions
from tests.conformance.fixtures import SettableClock
from tests.metadata.behaviour import FIRST, apply, program, view

TICKS = 45


@dataclass
class History:
    """What executions did, and a plain record of what was committed, against which the rules are checked."""

    program: Program
    writer: MetadataWriter
    states: FakeStepFunctions
    chance: Random
    ends: dict[str, list[datetime]] = field(default_factory=dict)
    work: list[tuple[str, Claim]] = field(default_factory=list)

    def claim_all(self) -> None:
        """Each execution that just began claims its batch; some die before."""
        for arn, body in self._fresh():
            flow = self.program.flows[body["flow"]]
            interval = Interval(from_text(body["start"]), from_text(body["end"]))
            datasets = body.get("datasets") or [table.dataset for table in flow.tables]
            if self.chance.random() < 0.1:
                self.states.executions[arn]["status"] = "FAILED"
                continue
            try:
                claim = self.writer.claim(flow.id, interval, datasets, program_version="v", owner=arn, lease_seconds=960)
            except (AlreadyCommitted, RetryLater):
                self.states.executions[arn]["status"] = "SUCCEEDED"
                continue
            self.work.append((arn, claim))

    def _fresh(self) -> list[tuple[str, dict[str, Any]]]:
        known = {arn for arn, _ in self.work}
        running = [(arn, e) for arn, e in self.states.executions.items() if e["status"] == "RUNNING" and arn not in known]
        return [(arn, json.loads(execution["input"])) for arn, execution in running]

    def end_some(self, now: datetime) -> None:
        """Tables of claimed batches are committed, failed or forgotten, in any order; then their execution ends."""
        for arn, claim in list(self.work):
            if self.chance.random() < 0.4:
                continue
            self.work.remove((arn, claim))
            for dataset in self.chance.sample(claim.datasets, len(claim.datasets)):
                self._end_table(claim, dataset, now)
            self.states.executions[arn]["status"] = "SUCCEEDED"

    def _end_table(self, claim: Claim, dataset: str, now: datetime) -> None:
        fate = self.chance.random()
        if fate < 0.1:
            return  # the worker died
        if fate < 0.2:
            self.writer.fail(claim, dataset, "it broke")
            return
        for _ in range(1 + (fate > 0.9)):  # some commits are repeated
            self.writer.commit(claim, [TableCommit(dataset, 1, pointer={"manifest": "m"})])
        self._check(claim, dataset, now)

    def _check(self, claim: Claim, dataset: str, now: datetime) -> None:
        flow = self.program.flows[claim.flow]
        inputs = next(table.inputs for table in flow.tables if table.dataset == dataset)
        ends = self.ends.setdefault(dataset, [claim.interval.start])
        assert claim.interval.end <= now
        assert claim.interval.start == ends[-1], "skipped a batch or ran one twice"
        for name in inputs:
            assert self.ends[name][-1] >= claim.interval.end, "ran before its input was complete"
        ends.append(claim.interval.end)


@pytest.mark.parametrize("seed", range(2))
def test_every_batch_runs_once_and_in_order_whatever_executions_do(dynamodb: Any, seed: int) -> None:
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(dynamodb, "metadata", clock), FakeStepFunctions(clock)
    views = (view("lake.a.v", "lake.crm.t000", "lake.crm.t001", seconds=7200), view("lake.a.w", "lake.a.v", "lake.crm.t001"))
    applied = apply(writer, program(2, views=views))
    starter = Starter(writer, states, Environment("metadata", ACCOUNT, REGION), lambda *_: None)  # type: ignore[arg-type]
    history = History(applied, writer, states, chance)
    for tick in range(TICKS):
        clock.advance(minutes=chance.choice((1, 5, 20)))
        if not 20 <= tick < 26:  # an outage of the conductor
            starter.start_due(clock.now)
        history.claim_all()
        history.end_some(clock.now)
    assert all(len(ends) > 1 for ends in history.ends.values()) and len(history.ends) == 6
    completed = Counter(
        (event.flow, dataset, event.detail["start"])
        for event in writer.reader.events(FIRST.start, clock.now)
        if event.kind == EventKind.BATCH_COMPLETED
        for dataset in event.detail["datasets"]
    )
    assert set(completed.values()) == {1}
    assert sum(completed.values()) == sum(len(ends) - 1 for ends in history.ends.values())


def test_a_worker_that_comes_back_after_it_was_replaced_is_refused(dynamodb: Any) -> None:
    clock = SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(dynamodb, "metadata", clock), FakeStepFunctions(clock)
    apply(writer, program())
    starter = Starter(writer, states, Environment("metadata", ACCOUNT, REGION), lambda *_: None)  # type: ignore[arg-type]
    starter.start_due(clock.now)
    dataset = "lake.crm.t000:staged"
    first = writer.claim("lake.crm", FIRST, [dataset], program_version="v", owner=next(iter(states.executions)), lease_seconds=960)
    states.end("TIMED_OUT")
    starter.start_due(clock.now)
    clock.advance(minutes=1)
    starter.start_due(clock.now)
    second = writer.claim("lake.crm", FIRST, [dataset], program_version="v", owner=list(states.executions)[-1], lease_seconds=960)
    with pytest.raises(StaleToken):
        writer.commit(first, [TableCommit(dataset)])
    writer.commit(second, [TableCommit(dataset)])
