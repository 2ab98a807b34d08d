"""No interleaving, crash, lost answer, lapsed lease or repeated event loses or repeats a batch: searched for through the real code.

ATOLL_MODEL=all (`make model`) looks through all states with a crash of both workers and a lapse, and tries some thousand ways by
chance; without it through those with less of it.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.protocol.machine import CommitProtocol
from tests.protocol.scenes import SCENES, WORKERS
from tests.protocol.search import explore

ALL = os.environ.get("ATOLL_MODEL") == "all"
SOME = [("collecting", WORKERS, 0), ("loading", WORKERS, 0), ("loading", (), 1), ("late", (), 1), ("abandoned", (), 1)]
EVERY = [(scene, WORKERS, 1) for scene in SCENES]

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
    assert found.states > 500 and found.ends > 10
