"""No batch mixes what different versions of a changed flow have made, and none is lost or made twice, whatever happens."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared_metadata.program.intervals import next_interval
from shared_metadata.state.schedule import due_batches
from tests.conductor.simulation import ORIGIN, Author, World

TICKS = 60


def history(seed: int, flows: int, failing: float, outage: range, restating: bool) -> tuple[World, Author]:
    """Minutes pass, sometimes in jumps; now and then a program is applied, or taken back."""
    chance = Random(seed)
    world = World(chance, failing, ORIGIN + timedelta(minutes=chance.randrange(300), seconds=chance.randrange(60)))
    author = Author(chance, flows)
    world.apply(author.program())
    for tick in range(TICKS):
        world.now += timedelta(minutes=1 if chance.random() < 0.6 else chance.randrange(2, 45))
        world.end()
        if chance.random() < 0.15:
            minutes = chance.randrange(240) if restating and chance.random() < 0.5 else None
            world.apply(author.change(), restate_minutes=minutes)
        if chance.random() < 0.05:
            world.cancel()
        if tick not in outage:
            world.start(by_hand=chance.random() < 0.1)
    return world, author


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.2, 0.6]),
    st.integers(0, TICKS),
    st.integers(0, 30),
    st.booleans(),
)
@example(183, 4, 0.6, 15, 18, True)  # a flow stopped, was removed and came back, while its reader stood before that
@example(3416, 5, 0.6, 35, 4, True)  # a restated flow begins with a batch that is shorter than its new interval
@example(1149814279, 6, 0.0, 58, 15, True)
@example(1057641172, 2, 0.6, 42, 15, False)  # a flow stopped, was removed and came back, and its first program was forgotten
@example(1992263546, 2, 0.6, 51, 21, True)
@example(10, 4, 0.2, 4, 10, True)  # a batch begins where the first program known took effect, and an input of it may lag
@example(856108793, 6, 0.0, 4, 27, False)  # a flow comes back where its input's first batch is made again, cut
@example(103, 4, 0.2, 22, 22, False)  # a flow comes back by a takeover of a time before it came back once already
@example(268973313, 5, 0.6, 11, 5, False)  # what begins at a takeover reads of an input whose first batch covers several intervals
@example(2040245358, 5, 0.6, 2, 18, True)  # a restatement shortens a batch that had read of an input that may lag
def test_no_batch_reads_what_another_version_made_and_none_is_lost_or_made_twice(
    seed: int, flows: int, failing: float, outage_start: int, outage_length: int, restating: bool
) -> None:
    world, _ = history(seed, flows, failing, range(outage_start, outage_start + outage_length), restating)
    for dataset, commits in world.commits.items():
        by_entry = Counter((start, number) for start, _, number in commits)
        for (start, _), times in by_entry.items():  # a restatement that cuts what was made as one has it made again up to there
            assert times <= 1 + sum(start < cut for cut in world.restated), f"{dataset}: a batch was made twice by one version"
        if not restating:
            assert set(Counter(start for start, _, _ in commits).values()) == {1} or _taken_over(commits, world.restated)


def _taken_over(commits: list[tuple[datetime, datetime, int]], cuts: list[datetime]) -> bool:
    """Whether what was made again was made by a later version: flows that stood still are taken over from an earlier boundary; or
    by the same up to there, which made it together with what came after.
    """
    last: dict[object, int] = {}
    for start, _, number in commits:
        if last.get(start, 0) >= number + any(start < cut for cut in cuts):
            return False
        last[start] = number
    return True


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
@example(3288, 5, True)  # a restatement cuts a batch of several intervals, at whose new end a reader that is behind needs a version
@example(864147695, 5, True)
@example(266561357, 5, True)  # an input that may lag, by less than its interval, stands behind another that has caught up
@example(3893749924, 3, True)  # a restatement cuts a batch that began where the program in force then took effect
@example(281469883, 6, True)  # an input that may lag has its only version before a switch, or beyond where the reader's batch stops
@example(1701520195, 6, False)  # of what an input has skipped, a time was forgotten that a reader asks for
@example(342139682, 4, True)  # a flow came back, restated from before what it reads changed, at a boundary of two programs
@example(505419334, 2, True)  # a flow came back, restated from before it was removed: what it made then is made again one by one
@example(1251, 3, True)  # what was made as one is made again up to where it is cut, by the program that had made it
@example(2331266217, 4, True)  # a reader that came back asks for the full hours of an input that has caught up by tens of minutes
def test_everything_is_complete_when_the_world_stands_still(seed: int, flows: int, restating: bool) -> None:
    """After any history without lasting failures, each dataset of the last program is complete through its last whole interval."""
    world, _ = history(seed, flows, 0.0, range(20, 40), restating)
    world.now += timedelta(hours=3)
    while world.running or due_batches(world.along, world.states, world.now, ignore_failures=True):
        world.start()
        world.now += timedelta(seconds=1)
        for execution in world.running:
            execution.until = world.now
        world.end()
    program = world.programs[world.timeline.entries[-1].version]
    for flow in program.flows.values():
        state = world.states[flow.id].tables[flow.id]
        producers = program.producers
        inputs = [world.states[producers[name].id].tables[name].watermark for name in flow.tables[0].inputs]
        following = next_interval(state.watermark, flow.interval_seconds)
        assert following.end > min([world.now, *inputs]), f"{flow.id} stands at {state.watermark}"
        _whole(world, flow.id)


def _whole(world: World, dataset: str) -> None:
    """Its batches follow each other without a hole; only where a program begins to have the dataset, one may."""
    through = None
    for start, end, _ in world.commits.get(dataset, []):
        assert through is None or start <= through or start in world.starts[dataset], f"{dataset}: nothing from {through} to {start}"
        through = end
