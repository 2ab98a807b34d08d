"""The tests' own service keeps what every service must that statements are given to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.waiting import EngineConformance
from tests.waiting.remote import Remote


class RemoteUnderTest:
    slow, broken, reason = '{"purpose": "slow"}', '{"purpose": "broken", "fail": "no such column"}', "no such column"

    def __init__(self, path: Path) -> None:
        self.engine = Remote(path)

    def submitted(self) -> int:
        return len(self.engine.statements())

    def cancelled_by_an_administrator(self, id: str) -> None:
        assert self.engine.cancel_all("quota of the month")


class TestRemote(EngineConformance):
    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> RemoteUnderTest:
        return RemoteUnderTest(tmp_path / "remote.sqlite")
