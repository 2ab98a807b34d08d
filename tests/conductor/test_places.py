"""A warehouse's places: no more of its tables are at work at once than its plan says, and all come to their turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor.places import Places
from console.causes import Cause, why_of
from console.dataset_status import dataset_statuses
from shared_metadata.program import Flow, Program, Warehouse
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import TableCommit
from shared_metadata.state.schedule import DueBatch
from shared_metadata.state.timeline import Programs
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
@example(seed=0, at_once=2, processes=False)  # a place becomes free while no worker has claimed what was begun
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


class Asked(dict[str, Flow]):
    """Flows of a program, and which of them were looked up."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        super().__init__(flows)
        self.names = list[str]()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.append(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Flow:
        self.names.append(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("goes through all flows")

    values = items = keys = __iter__  # type: ignore[assignment]


@pytest.mark.parametrize(("due", "looked_up"), [((), set()), (NAMES[:1], {NAMES[0], NAMES[2]})])
def test_a_round_looks_up_only_the_flows_that_are_due_or_at_work(due: Sequence[str], looked_up: set[str]) -> None:
    made = bounded(2)
    programs, flows = Programs.always(made), Asked(made.flows)
    object.__setattr__(made, "flows", flows)
    batches = [DueBatch(name, "organize.test", FIRST, (name,), 0, {}, FIRST) for name in due]
    places = Places(programs, batches, frozenset(due), {NAMES[2]: {(FIRST.start, NAMES[2])}})
    assert set(flows.names) == looked_up and [batch.flow for batch in places.bounded] == [*due]


def test_who_asks_is_told_that_a_batch_waits_for_a_place(
    writer: MetadataWriter, states: FakeStepFunctions, clock: SettableClock
) -> None:
    """While one is free it is due; one that has a worker runs; one whose inputs are not complete waits for these."""
    late = view("lake.a.late", "lake.crm.t000")
    made = replace(bounded(2), flows={**bounded(2).flows, late.id: late})
    apply(writer, made)
    starter = new_starter(writer, states)

    def causes() -> dict[str, Cause]:
        known = writer.reader.programs(), writer.reader.flow_states(made.flows), writer.reader.batches_at, clock.now
        return {name: why_of(name, *known).cause for name in (*NAMES, *ELSEWHERE, late.id)}

    assert set(causes().values()) == {Cause.DUE}
    starter.start_due(clock.now)
    work = [names for _, body, names in at_work(states, dict(made.flows)) if body["flow"] in NAMES]
    begun = [name for names in work for name in names]
    assert len(begun) == 2
    for name in begun:
        writer.claim(name, FIRST, (name,), program_version="v", owner=name, lease_seconds=900)
    waiting = set(NAMES) - set(begun)
    there = causes()
    assert {name for name, cause in there.items() if cause == Cause.PLACE} == waiting
    assert all(there[name] == Cause.RUNNING for name in begun) and all(there[name] == Cause.DUE for name in (*ELSEWHERE, late.id))
    found = why_of(min(waiting), writer.reader.programs(), writer.reader.flow_states(made.flows), writer.reader.batches_at, clock.now)
    of_all = " and ".join(sorted(begun))
    assert f"due, and waits for a place: in lake no more tables are at work at once than {of_all} (at_once)." in found.sentence
    assert "`at_once` in CREATE WAREHOUSE lake" in found.remedy
    shown = {one.dataset: (one.waits_for_place_in, one.taken_by) for one in dataset_statuses(writer.reader, made, clock.now)}
    assert {name for name, (place, _) in shown.items() if place} == waiting
    assert all(shown[name] == ("lake", tuple(sorted(begun))) for name in waiting)
    failing = max(waiting)  # and is tried again when it has a place, not within a minute
    writer.fail(writer.claim(failing, FIRST, (failing,), program_version="v", owner="x", lease_seconds=9), failing, "broke")
    clock.advance(minutes=10)
    found = why_of(failing, writer.reader.programs(), writer.reader.flow_states(made.flows), writer.reader.batches_at, clock.now)
    assert found.cause == Cause.RETRY and "is tried again when it has a place in lake: broke" in found.sentence
