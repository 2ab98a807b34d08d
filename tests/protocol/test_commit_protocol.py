"""No interleaving, crash, lost answer, lapsed lease or repeated event loses or repeats a batch: searched for through the real code.

ATOLL_MODEL=all (`make model`) looks through all states with a crash of both workers and a lapse, and tries some thousand ways by
chance; without it through those with less of it, and `make test` through the smallest worlds of those.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from shared_metadata.program.intervals import to_text
from tests.protocol.lake import BEGIN, COLLECT, TABLE, program
from tests.protocol.machine import CommitProtocol
from tests.protocol.promises import Facts, settle
from tests.protocol.scenes import SCENES, WORKERS
from tests.protocol.search import explore
from tests.protocol.world import World

ALL = os.environ.get("ATOLL_MODEL") == "all"
LARGER = [
    ("collecting", WORKERS, 0),
    ("loading", WORKERS, 0),
    ("waiting", (), 1),
    ("abandoned", (), 1),
    ("covering", (), 1),
    ("covering_load", (), 1),
    ("ageing", (), 0),
    ("ageing_twice", (), 0),
]
QUICK = [("loading", (), 1), ("late", (), 1), ("covering", (), 0), ("ageing_table", (), 0)]
SOME = [*QUICK, *(pytest.param(*one, marks=pytest.mark.deep) for one in LARGER)]
CRASHING = {"ageing": ("two", "ager"), "ageing_table": ("one", "ager"), "ageing_twice": ("ager",)}
EVERY = [(scene, CRASHING.get(scene, WORKERS), 1) for scene in SCENES]

TestCommitProtocol = CommitProtocol.TestCase
TestCommitProtocol.settings = settings(
    max_examples=3000 if ALL else 40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.mark.parametrize(("scene", "crashes", "lapses"), EVERY if ALL else SOME)
def test_whatever_two_workers_do_in_whatever_order_every_batch_is_done_once(
    scene: str, crashes: tuple[str, ...], lapses: int
) -> None:
    found = explore(SCENES[scene](), crashes, lapses=lapses)
    print(f"{scene}, {len(crashes)} crashes, {lapses} lapses: {found}")
    assert found.states > 300 and found.ends > 1  # it went far


def test_an_empty_batch_that_is_run_again_leaves_all_as_complete_as_it_was() -> None:
    """It had completed its load as well, without a version; run again, it stages that it is empty."""
    world = World(program())
    world.now = BEGIN + timedelta(hours=3)
    settle(world)
    first, end = (to_text(BEGIN + timedelta(hours=hour)) for hour in (2, 3))
    world.start("again", "collect.model", {"flow": COLLECT, "from": first, "to": end})
    settle(world)
    assert Facts(world).watermarks[TABLE] == BEGIN + timedelta(hours=3)
    assert world.executions["again"].status == "SUCCEEDED"
