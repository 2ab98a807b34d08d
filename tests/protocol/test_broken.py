"""The model can fail: each of these mistakes in the protocol is found, and what is no mistake is not."""

from __future__ import annotations

import pytest

from tests.protocol.broken import BROKEN, IgnoresLeases
from tests.protocol.lake import program
from tests.protocol.promises import Broken, settle
from tests.protocol.scenes import SCENES
from tests.protocol.search import explore
from tests.protocol.world import Made, World

# where it is seen, with whose crash
MISTAKES: dict[str, tuple[str, tuple[str, ...]]] = {
    "a commit does not ask for its token": ("collecting", ()),
    "a commit does not ask where the watermark stands": ("late", ()),
    "a claim does not ask for the token before it": ("abandoned", ()),
    "a claim gives the former token again": ("collecting", ()),
    "the event is put after the transaction": ("collecting", ("one",)),
    "the watermark moves before the transaction": ("collecting", ("one",)),
    "a load does not look its batch up": ("loading", ("one",)),
    "tokens begin anew": ("ageing", ()),
    "a claim asks too early what has aged": ("ageing", ()),
    "the summary is written after batches are deleted": ("ageing", ()),
    "versions go, and nobody is told": ("ageing_table", ()),
    "versions go before it is told": ("ageing_table", ()),
    "what was read is deleted, whatever became of it": ("ageing", ()),
}
UNNOTICED = "a lost execution is not noticed"  # it takes one that the conductor itself has started


def test_each_mistake_is_tried() -> None:
    assert {*MISTAKES, UNNOTICED} == set(BROKEN)


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_found_by_looking_through_all_states(mistake: str) -> None:
    scene, faults = MISTAKES[mistake]
    with pytest.raises(Broken):
        explore(SCENES[scene](BROKEN[mistake]), faults)


def test_an_execution_that_is_lost_unnoticed_is_found() -> None:
    world = World(program(), BROKEN[UNNOTICED])
    world.start_round()
    while world.rounds:
        world.step("round/0")
    (started,) = world.executions
    world.abort(started)
    with pytest.raises(Broken, match="is complete through"):
        settle(world)


@pytest.mark.parametrize("scene", ["collecting", "loading"])
def test_nothing_rests_on_leases_but_how_much_is_done_in_vain(scene: str) -> None:
    assert explore(SCENES[scene](Made(writer=IgnoresLeases)), (), lapses=0).ends > 10
