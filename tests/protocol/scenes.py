"""Small worlds in which two workers are about to begin: where the search through all states starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared_metadata.program.intervals import to_text
from tests.protocol.lake import BEGIN, COLLECT, LOAD, WaitingDriver, program
from tests.protocol.search import LAPSE
from tests.protocol.world import Made, World

WORKERS = ("one", "two")
HOUR = timedelta(hours=1)


def collecting(made: Made | None = None) -> World:
    """Both are to collect the first batch."""
    return _with_both(_world(made), "collect.model", COLLECT)


def loading(made: Made | None = None) -> World:
    """Both are to load the first batch, which is collected."""
    return _with_both(_collected(made), "organize.model", LOAD)


def waiting(made: Made | None = None) -> World:
    """Both are to load the first batch, in steps that wait."""
    return loading(replace(made or Made(), driver=WaitingDriver, waits=("load", "commit")))


def late(made: Made | None = None) -> World:
    """One comes late to a batch that was committed, and that a backfill has begun again and left; two is to collect the next."""
    world = _collected(made)
    first = {"start": to_text(BEGIN), "end": to_text(BEGIN + HOUR)}
    _claimed_and_left(world, "again", {"flow": COLLECT, **first, "rerun": True})
    world.now += 2 * HOUR
    world.start("one", "collect.model", {"flow": COLLECT, **first})
    world.start("two", "collect.model", {"flow": COLLECT})
    return world


def abandoned(made: Made | None = None) -> World:
    """Both are to collect the first batch, which somebody has claimed and left."""
    world = _world(made)
    _claimed_and_left(world, "before", {"flow": COLLECT})
    world.now += LAPSE
    return _with_both(world, "collect.model", COLLECT)


def covering(made: Made | None = None) -> World:
    """Both are to collect what was missed, which is more for two: somebody has begun it an hour before, and left."""
    world = _world(made, covers=True)
    world.now += 2 * HOUR
    _claimed_and_left(world, "before", {"flow": COLLECT})
    world.now += HOUR
    return _with_both(world, "collect.model", COLLECT)


def covering_load(made: Made | None = None) -> World:
    """Both are to load what was missed: two batches are collected, each of several hours."""
    world = _world(made, covers=True)
    for hours in (2, 3):
        world.now = BEGIN + hours * HOUR
        world.start(f"before {hours}", "collect.model", {"flow": COLLECT})
        while found := next(world.processes(), None):
            world.step(found[0])
    return _with_both(world, "organize.model", LOAD)


def ageing(made: Made | None = None) -> World:
    """The first batch is about to age; one is late for it, and two is to make it again."""
    world = _lived(made, hours=2)
    first = {"start": to_text(BEGIN), "end": to_text(BEGIN + HOUR)}
    world.start("one", "collect.model", {"flow": COLLECT, **first})
    world.start("two", "collect.model", {"flow": COLLECT, **first, "rerun": True})
    world.start_ageing(COLLECT)
    return world


def ageing_table(made: Made | None = None) -> World:
    """What is loaded is about to age, batches and versions, while the second batch is loaded again."""
    world = _lived(made, hours=4)
    second = {"start": to_text(BEGIN + HOUR), "end": to_text(BEGIN + 2 * HOUR)}
    world.start("one", "organize.model", {"flow": LOAD, **second, "rerun": True})
    world.start_ageing(LOAD)
    return world


def ageing_twice(made: Made | None = None) -> World:
    """Two let the same age."""
    world = _lived(made, hours=4)
    for _ in WORKERS:
        world.start_ageing(LOAD)
    return world


def _lived(made: Made | None, *, hours: int) -> World:
    """Some batches are made, each as soon as it was due, and no lease runs."""
    world = _world(made)
    for hour in range(1, hours + 1):
        world.now = BEGIN + hour * HOUR
        for slice_id, flow in (("collect.model", COLLECT), ("organize.model", LOAD)):
            world.start(f"before {hour} {flow}", slice_id, {"flow": flow})
            while found := next(world.processes(), None):
                world.step(found[0])
    world.now += 2 * LAPSE
    return world


def _world(made: Made | None, *, covers: bool = False) -> World:
    return World(program(view=False, covers=covers), made or Made(), hurries=True)


def _collected(made: Made | None) -> World:
    """The first batch is collected."""
    world = _world(made)
    world.start("before", "collect.model", {"flow": COLLECT})
    while found := next(world.processes(), None):
        world.step(found[0])
    return world


def _claimed_and_left(world: World, name: str, event: Mapping[str, Any]) -> None:
    """An execution is stopped as soon as it has planned."""
    world.start(name, "collect.model", event)
    while world.executions[name].branches[0].step == "plan":
        world.step(f"{name}/0")
    world.abort(name)


def _with_both(world: World, slice_id: str, flow: str) -> World:
    for name in WORKERS:
        world.start(name, slice_id, {"flow": flow})
    return world


SCENES = {
    "collecting": collecting,
    "loading": loading,
    "waiting": waiting,
    "late": late,
    "abandoned": abandoned,
    "covering": covering,
    "covering_load": covering_load,
    "ageing": ageing,
    "ageing_table": ageing_table,
    "ageing_twice": ageing_twice,
}
