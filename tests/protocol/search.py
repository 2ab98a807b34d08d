"""Every order of two workers' calls, with a crash of each and a lease that lapses: a search through all states of a small world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.protocol.promises import Broken, check, settle
from tests.protocol.replay import Call
from tests.protocol.world import Fault, World

LAPSE = timedelta(minutes=17)  # longer than a lease
CRASHES = (Fault.DIES_BEFORE, Fault.DIES_AFTER, Fault.LOST)


@dataclass(frozen=True)
class Left:
    """What may still go wrong: a fault of each worker, and the lapse of leases."""

    faults: tuple[str, ...]
    lapses: int


Choice = tuple[str, Fault]  # '' for the time
Path = tuple[Any, str] | None  # how it came there before, and by what last


@dataclass
class Search:
    """How far it went: different states, moves from one to another, and states in which both workers have ended."""

    states: int = 0
    moves: int = 0
    ends: int = 0


def explore(world: World, workers: tuple[str, ...], *, lapses: int = 1) -> Search:
    """Every state that can be reached by the workers' executions, each checked; where all have ended, what is due must get done.

    Raises Broken, with the choices that led there.
    """
    found, begin, settled = Search(), Left(workers, lapses), set[int]()
    seen = {(world.identity(), begin)}
    waiting: list[tuple[Any, Left, Path]] = [(world.taken(), begin, None)]
    while waiting:
        taken, left, path = waiting.pop()
        world.put_back(taken)
        choices = list(_choices(world, left))
        found.states += 1
        if not any(where for where, _ in choices) and world.identity() not in settled:
            settled.add(world.identity())
            found.ends += 1
            _told(path, settle, world)
        for choice in choices:
            world.put_back(taken)
            said = _text(world, choice)
            after = _chosen(world, left, choice)
            found.moves += 1
            key = (world.identity(), after)
            if key not in seen:
                seen.add(key)
                _told((path, said), check, world)
                waiting.append((world.taken(), after, (path, said)))
    return found


def _choices(world: World, left: Left) -> Iterator[Choice]:
    for where, _ in world.processes():
        yield where, Fault.NONE
        if where.partition("/")[0] in left.faults:
            yield from ((where, fault) for fault in CRASHES)
    if left.lapses:
        yield "", Fault.NONE


def _chosen(world: World, left: Left, choice: Choice) -> Left:
    where, fault = choice
    if not where:
        world.now += LAPSE
        return replace(left, lapses=left.lapses - 1)
    world.step(where, fault)
    if fault == Fault.NONE:
        return left
    return replace(left, faults=tuple(name for name in left.faults if name != where.partition("/")[0]))


def _text(world: World, choice: Choice) -> str:
    where, fault = choice
    if not where:
        return "the leases lapse"
    process = dict(world.processes())[where]
    call = world.next_call(process)
    assert isinstance(call, Call)
    return f"{where.partition('/')[0]}: {process.step} calls {call.service}.{call.name}" + (f"; {fault.value}" if fault.value else "")


def _told(path: Path, promise: Callable[[World], None], world: World) -> None:
    """Checks, and says how it came to what is broken."""
    try:
        promise(world)
    except Broken as broken:
        steps = []
        while path:
            path, said = path
            steps.append(said)
        raise Broken("\n".join([str(broken), *reversed(steps)])) from None
