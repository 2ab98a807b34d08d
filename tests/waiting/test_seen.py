"""What a batch waits for elsewhere is seen by whoever asks: with the writes that a wait takes anyway, and only while it waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.causes import Why, why_of
from console.dataset_status import DatasetStatus, statuses_of
from console.detail import read_detail
from console.status import at_work, show
from shared_metadata.program.intervals import to_text
from tests.conformance.fixtures import cloud
from tests.waiting.slices import COLLECT, LOAD, PUBLISH, RESULT, STAGED, TABLE
from tests.waiting.test_steps import World, world

__all__ = ["cloud", "world"]
STEPS = {COLLECT: ("extract", STAGED), LOAD: ("load", TABLE), RESULT: ("refresh", "out.t:result"), PUBLISH: ("diff", "out.t")}


def seen(world: World, dataset: str) -> DatasetStatus:
    (row,) = statuses_of(world.cloud.reader, world.program, [dataset], world.cloud.clock())
    return row


def why(world: World, dataset: str) -> Why:
    states = world.cloud.reader.states_of(world.program.datasets())
    return why_of(dataset, world.program, states, world.cloud.reader.batches_at, world.cloud.clock())


def since(state: Mapping[str, Any]) -> datetime:
    """When a step began to wait."""
    return datetime.fromtimestamp(state["waiting"]["since"], UTC).replace(microsecond=0)


@pytest.mark.parametrize("flow", STEPS)
def test_what_a_step_of_any_stage_waits_for_is_seen(world: World, flow: str) -> None:
    for before in [*STEPS][: [*STEPS].index(flow)]:
        world.run(before)
    step, dataset = STEPS[flow]
    state = world.planned(flow)
    assert (seen(world, dataset).running != "", seen(world, dataset).elsewhere) == (True, "")
    state = world.call(flow, step, {**state, "part": 0} if flow == COLLECT else state)
    now = since(state)
    row, next_look = seen(world, dataset), to_text(now + timedelta(seconds=state["waiting"]["seconds"]))
    assert row.elsewhere.startswith("remote statement s-") and row.elsewhere_step == step and at_work(row) == "waiting"
    assert (row.elsewhere_since, row.elsewhere_next_look) == (to_text(now), next_look)
    said = why(world, dataset)
    assert f"which waits in {step} for {row.elsewhere} since {to_text(now)}; it looks again at {next_look}." in said.sentence
    assert "by its id" in said.remedy
    (line, *_) = read_detail(world.cloud.reader, world.program, row, now).batches
    assert (line.status, line.elsewhere) == ("WAITING", row.elsewhere)


def test_the_readers_of_what_waits_elsewhere_say_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.loading()
    assert why(world, "out.t").sentence.startswith(
        "out.t waits for out.t:result, which waits for lake.ops.t, which is running its batch"
    )
    show([seen(world, TABLE)])
    shown = capsys.readouterr().out
    assert f"{TABLE} waits in load for remote statement s-3 since " in shown and "; 1 waiting" in shown


def test_it_is_seen_only_while_nothing_runs(world: World) -> None:
    """A step that is called again looks; what was waited for is noted again where it is not there yet."""
    state = world.loading(need=2)
    looked = since(state)
    world.cloud.clock.advance(seconds=state["waiting"]["seconds"])
    work = world.steps(LOAD).work(state, None, "load")
    assert seen(world, TABLE).running and not seen(world, TABLE).elsewhere and work.turn.resume is not None
    state = world.call(LOAD, "load", state)
    row = seen(world, TABLE)
    assert row.elsewhere and row.elsewhere_since == to_text(looked) and row.elsewhere_next_look > to_text(world.cloud.clock())
    while "waiting" in state:
        state = world.call(LOAD, "load", state)
    assert not seen(world, TABLE).elsewhere


def test_it_takes_no_further_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_metadata.store import claim_writer

    sent: list[Any] = []
    send = claim_writer.written
    monkeypatch.setattr(claim_writer, "written", lambda client, action, **how: sent.append(action) or send(client, action, **how))
    state = world.loading(need=2)
    sent.clear()
    world.call(LOAD, "load", state)
    assert len(sent) == 2  # the lease at the call's beginning, and for the pause


def test_another_worker_begins_without_it(world: World) -> None:
    world.loading()
    world.cloud.clock.advance(hours=1)
    assert not seen(world, TABLE).running
    world.planned(LOAD)
    assert seen(world, TABLE).running and not seen(world, TABLE).elsewhere
