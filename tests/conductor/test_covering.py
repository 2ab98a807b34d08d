"""Missed batches that are made as one change no data: each version is what its interval alone would have made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.program import Flow, Kind, Mode, Program
from shared_metadata.program.intervals import Interval, next_interval
from shared_metadata.state.entries import Entry
from shared_metadata.state.records import FlowState, TableState
from shared_metadata.state.schedule import due_batches
from shared_metadata.state.skipped import Skipped
from shared_metadata.state.timeline import Programs, restored
from tests.conductor.covering_world import MINUTES, ROWS, Source, World, collected, log, program_of, view, world_of

BEGIN = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
MISSED = 130


def caught_up(*flows: Flow, minutes: int) -> World:
    """A world in which nothing was done for so long, once all is done."""
    world = world_of(program_of(*flows), BEGIN, BEGIN + timedelta(minutes=minutes, seconds=5), Random(1))
    world.settle()
    return world


def test_a_chain_catches_up_in_as_many_batches_as_it_is_deep() -> None:
    """Of a flow of several tables in one for all of them."""
    flows = [*collected("c", 15, 2, Mode.MERGE), *collected("d", 15, 1, Mode.REPLACE)]
    flows.append(view("v0", 15, ("lake.c.t0", "lake.c.t1", "lake.d.t0")))
    flows += [view(f"v{number}", 15, (f"lake.v.v{number - 1}",)) for number in range(1, 30)]
    world = caught_up(*flows, minutes=15 * MISSED)
    assert set(world.batches.values()) == {1}
    assert {batch.interval for batch in world.recorded.values()} == {Interval(BEGIN, BEGIN + timedelta(minutes=15 * MISSED))}


def test_views_may_stand_on_any_number_of_views() -> None:
    flows = [*collected("c", 15, 1, Mode.MERGE), view("v0", 15, ("lake.c.t0",))]
    flows += [view(f"v{number}", 15, (f"lake.v.v{number - 1}",)) for number in range(1, 3000)]
    last = view("last", 1440, ("lake.v.v2999",), mode=Mode.APPEND, covers=False)
    states = {flow.id: FlowState(flow.id, {t.dataset: TableState(BEGIN) for t in flow.tables}) for flow in (*flows, last)}
    (batch,) = due_batches(program_of(*flows, last), states, BEGIN + timedelta(days=3))
    assert batch.interval == Interval(BEGIN, BEGIN + timedelta(hours=4)), "the first midnight"


def test_a_reader_that_keeps_its_intervals_has_each_of_them_and_no_more() -> None:
    """However far away it reads: what it reads stops for it, and what does not lead to it does not."""
    daily = view("daily", 1440, ("lake.v.b",), mode=Mode.APPEND, covers=False)
    views = [view("a", 15, ("lake.c.t0",)), view("b", 60, ("lake.v.a",)), daily, view("aside", 15, ("lake.c.t1",))]
    world = caught_up(*collected("c", 15, 1, Mode.MERGE), *collected("e", 15, 2, Mode.REPLACE), *views[:3], minutes=5 * 1440)
    midnights = [BEGIN + timedelta(hours=4, days=day) for day in range(5)]
    ends = [batch.interval.end for (flow, _), batch in sorted(world.recorded.items()) if flow == "lake.v.a"]
    assert ends == [*midnights, BEGIN + timedelta(days=5)]
    assert world.batches["lake.e.t0"] == 1 and world.batches["lake.v.daily"] == 5


def test_nothing_stops_for_a_reader_of_rows_by_their_own_time_and_it_takes_them_as_one() -> None:
    """Beside it a daily reader of its own: it stops for that, and so does nothing that it reads."""
    daily = view("daily", 1440, ("lake.v.log",), mode=Mode.APPEND, covers=False)
    flows = [*collected("c", 1, 1, Mode.MERGE), log("log", 1, "lake.c.t0"), view("v", 1, ("lake.c.t0",))]
    assert set(caught_up(*flows, minutes=MISSED).batches.values()) == {1}
    world = caught_up(*flows, log("hourly", 60, "lake.c.t0"), daily, minutes=2 * 1440)
    ends = [batch.interval.end for (flow, _), batch in sorted(world.recorded.items()) if flow == "lake.v.log"]
    assert ends == [*(BEGIN + timedelta(hours=4, days=day) for day in range(2)), BEGIN + timedelta(days=2)]
    assert world.batches["lake.c.t0"] == world.batches["lake.v.v"] == world.batches["lake.v.hourly"] == 1


def test_a_reader_of_rows_by_their_own_time_misses_none_of_a_table_that_went_on_without_it() -> None:
    """A row that has changed again is in the later version at another time only: each interval is read from its own version."""
    flows = [*collected("c", 1, 1, Mode.MERGE), log("log", 1, "lake.c.t0")]
    world = world_of(program_of(*flows), BEGIN, BEGIN, Random(1), share=0.7)
    state = world.states.pop("lake.v.log")
    for _ in range(MISSED):
        world.now += timedelta(minutes=1)
        world.settle()
    world.states["lake.v.log"] = state
    world.settle()
    (source,) = world.sources.values()
    through = world.watermark("lake.v.log")
    changes = [moment for moment in source.changes if moment < through]
    assert world.versions["lake.v.log"][-1].content == tuple(changes)
    assert len(changes) <= world.batches["lake.v.log"] < (through - BEGIN) / timedelta(minutes=1), (
        "what has not changed is one version"
    )


@pytest.mark.parametrize(("table", "reader", "again"), [(1, 5, 7), (15, 60, 109)])
def test_a_reader_of_rows_by_their_own_time_has_those_that_were_loaded_in_the_middle_of_its_interval(
    table: int, reader: int, again: int
) -> None:
    """A row that changes in it, is loaded, and changes again while the table stands still."""
    first, second = (BEGIN + timedelta(minutes=minute, seconds=30) for minute in (0, again))
    assert first.minute % ROWS == second.minute % ROWS, "they are of one row"
    world = World(
        program_of(*collected("c", table, 1, Mode.MERGE), log("log", reader, "lake.c.t0")),
        {"lake.c.t0:staged": Source((first, second))},
        BEGIN,
        BEGIN,
        Random(1),
    )
    for number in (1, 2, 3, 8, 9, 10, 11, 12):
        world.now = BEGIN + timedelta(minutes=number * table, seconds=5)
        world.settle()
    assert world.versions["lake.v.log"][-1].content == (first, second)


@pytest.mark.parametrize("days", [2, 3, 5])
def test_a_batch_covers_a_week_at_most(days: int) -> None:
    """Also below a reader whose intervals do not divide a week."""
    world = caught_up(*collected("c", 60, 1, Mode.MERGE), view("v", days * 1440, ("lake.c.t0",)), minutes=30 * 1440)
    lengths = [batch.interval.end - batch.interval.start for batch in world.recorded.values()]
    assert timedelta(days=4) < max(lengths) <= timedelta(days=7) and world.batches["lake.c.t0"] < 12


def test_a_batch_ends_where_another_program_takes_effect_and_what_is_made_again_is_made_one_by_one() -> None:
    old, new = program_of(view("v", 15, ())), program_of(replace(view("v", 15, ()), query="another"))
    boundary, now = BEGIN + timedelta(hours=5), BEGIN + timedelta(hours=9)
    for restates in (False, True):
        programs = Programs([(Entry("a", BEGIN, BEGIN), old), (Entry("b", boundary, now, number=2, restates=restates), new)])

        def next_of(state: TableState, programs: Programs = programs) -> Interval:
            (batch,) = due_batches(programs, {"lake.v.v": FlowState("lake.v.v", {"lake.v.v": state})}, now)
            return batch.interval

        assert next_of(TableState(BEGIN, entry=1)) == Interval(BEGIN, boundary)
        made = next_of(TableState(BEGIN + timedelta(hours=7), entry=1))
        start, end = (boundary, boundary + timedelta(minutes=15)) if restates else (BEGIN + timedelta(hours=7), now)
        assert made == Interval(start, end)


@pytest.mark.parametrize("cuts", [(5,), (5, 6), (3, 4, 5)], ids=str)
def test_what_was_made_as_one_and_is_cut_by_a_restatement_is_made_again_as_one_up_to_there(cuts: tuple[int, ...]) -> None:
    """By the program that had made it: a reader that is behind needs the version as of the cut. What is after it is made by the new
    one, interval by interval. Several restatements follow one another before any of that is made.
    """
    hour, program = timedelta(hours=1), program_of(view("v", 15, ()))
    entries = [(Entry("1", BEGIN, BEGIN), program)]
    for number, cut in enumerate(cuts, 2):
        changed = program_of(replace(view("v", 15, ()), query=f"definition {number}"))
        entries.append((Entry(str(number), BEGIN + cut * hour, BEGIN, number=number, restates=True), changed))
    first, programs, now = BEGIN + cuts[0] * hour, Programs(entries), BEGIN + 9 * hour
    before, cut_one = Interval(BEGIN + hour, BEGIN + 2 * hour), Interval(BEGIN + 2 * hour, BEGIN + 7 * hour)
    state, found = TableState(BEGIN + 8 * hour, entry=1, begins=BEGIN, skipped=(before, cut_one)), list[tuple[Interval, int]]()
    while due := due_batches(programs, {"lake.v.v": FlowState("lake.v.v", {"lake.v.v": state})}, now):
        (batch,) = due
        progress = programs.progress("lake.v.v", "lake.v.v", state)
        state = restored(progress, state) if batch.advanced else state
        skipped = Skipped.after(state.skipped, batch.interval, 1 + batch.covers_several).now
        state = replace(state, watermark=batch.interval.end, entry=batch.entry, skipped=skipped)
        found.append((batch.interval, batch.entry))
    quarter = timedelta(minutes=15)
    starts = [first + quarter * number for number in range((BEGIN + 8 * hour - first) // quarter)]
    again = [(Interval(start, start + quarter), sum(BEGIN + cut * hour <= start for cut in (0, *cuts))) for start in starts]
    last = Interval(BEGIN + 8 * hour, now)
    assert found == [(Interval(cut_one.start, first), 1), *again, (last, len(entries))]
    assert state.skipped == (before, Interval(cut_one.start, first), last)


def random_program(chance: Random) -> Program:
    """Collected tables and views on views; each flow covers or keeps its intervals, and reads what fits its own."""
    flows: list[Flow] = []
    for number in range(chance.randrange(1, 4)):
        mode = chance.choice((Mode.REPLACE, Mode.MERGE, Mode.APPEND))
        tables, minutes = chance.randrange(1, 3), chance.choice(MINUTES)
        flows += collected(f"c{number}", minutes, tables, mode, covers=mode != Mode.APPEND and chance.random() < 0.8)
    merged = [flow for flow in flows if flow.kind == Kind.LOAD and flow.mode == Mode.MERGE]
    for number, flow in enumerate(chance.sample(merged, chance.randrange(len(merged) + 1))):
        often = [m for m in MINUTES if not 60 * m % flow.interval_seconds or not flow.interval_seconds % (60 * m)]
        flows.append(log(f"log{number}", chance.choice(often), flow.tables[0].dataset))
    for number in range(chance.randrange(1, 7)):
        minutes = chance.choice(MINUTES)
        fits = [flow for flow in flows if not minutes % (flow.interval_seconds // 60) or not flow.interval_seconds % (60 * minutes)]
        readable = [t.dataset for flow in fits for t in flow.tables if not t.dataset.endswith(":staged")]
        inputs = tuple(sorted(chance.sample(readable, min(len(readable), chance.randrange(1, 4)))))
        mode = chance.choice((Mode.REPLACE, Mode.REPLACE, Mode.APPEND))
        if inputs:
            flows.append(view(f"v{number}", minutes, inputs, mode=mode, covers=mode == Mode.REPLACE and chance.random() < 0.8))
    return program_of(*flows)


@pytest.mark.budget(60)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
