"""Missed batches that are made as one change no data: each version is what its interval alone would have made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.intervals import next_interval
from shared_metadata.program import Flow, Mode, Program
from tests.conductor.covering_world import MINUTES, collected, program_of, view, world_of

BEGIN = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
QUARTERS = 130


def random_program(chance: Random) -> Program:
    """Collected tables and views on views; each flow covers or keeps its intervals, and reads what fits its own."""
    flows: list[Flow] = []
    for number in range(chance.randrange(1, 4)):
        mode = chance.choice((Mode.REPLACE, Mode.MERGE, Mode.APPEND))
        tables, minutes = chance.randrange(1, 3), chance.choice(MINUTES)
        flows += collected(f"c{number}", minutes, tables, mode, covers=mode != Mode.APPEND and chance.random() < 0.8)
    for number in range(chance.randrange(1, 7)):
        minutes = chance.choice(MINUTES)
        fits = [flow for flow in flows if not minutes % (flow.interval_seconds // 60) or not flow.interval_seconds % (60 * minutes)]
        readable = [t.dataset for flow in fits for t in flow.tables if not t.dataset.endswith(":staged")]
        inputs = tuple(sorted(chance.sample(readable, min(len(readable), chance.randrange(1, 4)))))
        mode = chance.choice((Mode.REPLACE, Mode.REPLACE, Mode.APPEND))
        if inputs:
            flows.append(view(f"v{number}", minutes, inputs, mode=mode, covers=mode == Mode.REPLACE and chance.random() < 0.8))
    return program_of(*flows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.2, 0.5]), st.integers(0, 10), st.integers(0, 300))
def test_each_version_is_what_the_intervals_would_have_made_one_by_one(seed: int, failing: float, ticks: int, outage: int) -> None:
    """Work goes on for a while, in steps of any length; then the conductor rests, and has to catch up; everything ends complete."""
    chance = Random(seed)
    program = random_program(chance)
    now = BEGIN + timedelta(minutes=60 + chance.randrange(60), seconds=chance.randrange(60))
    world = world_of(program, BEGIN, now, chance, failing, share=chance.choice((0.02, 0.3)))
    for tick in range(2 * ticks):
        world.tick(conductor=chance.random() < 0.9)
        world.now += timedelta(seconds=chance.choice((20, 70, 400, 1500)))
        if tick == ticks:
            world.now += timedelta(minutes=outage)
    world.settle()
    for flow in program.flows.values():
        for table in flow.tables:
            inputs = [world.watermark(name) for name in table.inputs]
            following = next_interval(world.watermark(table.dataset), flow.interval_seconds)
            assert following.end > min([world.now, *inputs]), f"{table.dataset} stands at {following.start}"
    assert world.checked
