"""Small worlds in which two workers are about to begin: where the search through all states starts."""

from __future__ import annotations

from datetime import timedelta

from shared_metadata.intervals import to_text
from tests.protocol.lake import BEGIN, COLLECT, LOAD, program
from tests.protocol.search import LAPSE
from tests.protocol.world import Made, World

WORKERS = ("one", "two")
HOUR = timedelta(hours=1)


def collecting(made: Made | None = None) -> World:
    """Both are to collect the first batch."""
    world = World(program(view=False), made or Made(), hurries=True)
    for name in WORKERS:
        world.start(name, "collect.model", {"flow": COLLECT})
    return world


def loading(made: Made | None = None) -> World:
    """Both are to load the first batch, which is collected."""
    world = World(program(view=False), made or Made(), hurries=True)
    world.start("before", "collect.model", {"flow": COLLECT})
    finish(world)
    for name in WORKERS:
        world.start(name, "organize.model", {"flow": LOAD})
    return world


def late(made: Made | None = None) -> World:
    """One comes late to a batch that was committed, and that a backfill has begun again and left; two is to collect the next."""
    world = World(program(view=False), made or Made(), hurries=True)
    world.start("before", "collect.model", {"flow": COLLECT})
    finish(world)
    first = {"start": to_text(BEGIN), "end": to_text(BEGIN + HOUR)}
    world.start("again", "collect.model", {"flow": COLLECT, **first, "rerun": True})
    while world.executions["again"].branches[0].step == "plan":
        world.step("again/0")
    world.abort("again")
    world.now += 2 * HOUR
    world.start("one", "collect.model", {"flow": COLLECT, **first})
    world.start("two", "collect.model", {"flow": COLLECT})
    return world


def abandoned(made: Made | None = None) -> World:
    """Both are to collect the first batch, which somebody has claimed and left."""
    world = World(program(view=False), made or Made(), hurries=True)
    world.start("before", "collect.model", {"flow": COLLECT})
    while world.executions["before"].branches[0].step == "plan":
        world.step("before/0")
    world.abort("before")
    world.now += LAPSE
    for name in WORKERS:
        world.start(name, "collect.model", {"flow": COLLECT})
    return world


def finish(world: World) -> None:
    while found := next(world.processes(), None):
        world.step(found[0])


SCENES = {"collecting": collecting, "loading": loading, "late": late, "abandoned": abandoned}
