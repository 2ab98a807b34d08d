"""A warehouse's places: no more of its tables are at work at once than its plan says, and all come to their turn."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.program import Flow, Program, Warehouse
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import FakeStepFunctions, new_starter, new_table
from tests.conformance.fixtures import SettableClock
from tests.metadata.behaviour import FIRST, PLACE, apply, claim, program, view

NAMES = [f"lake.a.v{number}" for number in range(4)]
ELSEWHERE = ["other.a.v0", "other.a.v1"]
TABLES = 5


def bounded(at_once: int) -> Program:
    """Five tables that are loaded by one flow, four views beside them, and two in a warehouse without a bound."""
    made = program(TABLES, views=(*map(view, NAMES), *(replace(view(name), warehouse="other") for name in ELSEWHERE)))
    warehouses = {"lake": Warehouse("lake", "test", {}, PLACE, at_once), "other": Warehouse("other", "test", {}, PLACE)}
    return replace(made, warehouses=warehouses)


def collected(writer: MetadataWriter) -> None:
    """The batch of all tables that is loaded."""
    held = claim(writer, *(f"t{number:03d}" for number in range(TABLES)))
    writer.commit(held, [TableCommit(f"lake.crm.t{number:03d}:staged", 1, pointer={"manifest": "m"}) for number in range(TABLES)])


def at_work(states: FakeStepFunctions, flows: dict[str, Flow]) -> list[tuple[str, dict[str, Any], list[str]]]:
    """The executions that run, but those of collecting: each with its input and its tables."""
    running = [(arn, json.loads(one["input"])) for arn, one in states.executions.items() if one["status"] == "RUNNING"]
    return [
        (arn, body, body.get("datasets") or [table.dataset for table in flows[body["flow"]].tables])
        for arn, body in running
        if flows[body["flow"]].stage == "organize"
    ]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), at_once=st.integers(1, 4), processes=st.booleans())
def test_no_more_tables_of_a_warehouse_are_at_work_than_its_plan_says(seed: int, at_once: int, processes: bool) -> None:
    """Whatever ends first, whether or not a worker has claimed its tables, and in a process that begins anew after claims."""
    chance, clock = Random(seed), SettableClock(FIRST.end + timedelta(minutes=1))
    writer, states = MetadataWriter(new_table(), "metadata", clock), FakeStepFunctions(clock)  # type: ignore[arg-type]
    made = bounded(at_once)
    apply(writer, made)
    flows, most, tables = dict(made.flows), 0, {t.dataset for f in made.flows.values() if f.stage == "organize" for t in f.tables}
    collected(writer)
    starter, claims = new_starter(writer, states), dict[str, Any]()
    for _ in range(60):
        clock.advance(seconds=10)
        starter.start_due(clock.now)
        running = at_work(states, flows)
        inside = [name for _, body, names in running for name in names if flows[body["flow"]].warehouse == "lake"]
        assert len(inside) <= at_once and len(set(inside)) == len(inside)
        most = max(most, len(inside))
        for arn, body, names in running:
            if arn not in claims and (processes or chance.random() < 0.7):
                interval = Interval(from_text(body["start"]), from_text(body["end"]))
                claims[arn] = writer.claim(body["flow"], interval, names, program_version="v", owner=arn, lease_seconds=900)
            if arn in claims and chance.random() < 0.5:
                writer.commit(claims[arn], [TableCommit(name, 1, pointer={"manifest": "m"}) for name in names])
                states.executions[arn]["status"] = "SUCCEEDED"
                tables -= set(names)
        if processes and chance.random() < 0.3:
            starter = new_starter(writer, states)
        if not tables:
            break
    assert not tables and most == at_once


def test_another_warehouse_has_places_of_its_own(writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock) -> None:
    made = bounded(1)
    apply(writer, made)
    new_starter(writer, states).start_due(clock.now)
    flows = dict(made.flows)
    inside = [flows[body["flow"]].warehouse for _, body, _ in at_work(states, flows)]
    assert sorted(inside) == ["lake", "other", "other"]


@pytest.mark.parametrize("at_once", [2, 3])
def test_a_batch_of_several_tables_begins_with_as_many_as_there_are_places(
    writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock, at_once: int
) -> None:
    made = replace(bounded(at_once), flows={name: flow for name, flow in bounded(at_once).flows.items() if "crm" in name})
    apply(writer, made)
    collected(writer)
    starter = new_starter(writer, states)
    starter.start_due(clock.now)
    ((_, body, names),) = at_work(states, dict(made.flows))
    assert len(names) == at_once and body["datasets"] == names
