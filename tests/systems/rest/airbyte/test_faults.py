"""Whatever an API answers to airbyte-cdk, or does not, and wherever a process ends: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from systems.rest.airbyte.process import Kit
from tests.conformance.relay import KINDS, Relay
from tests.conformance.source_faults import KILLED, FaultConformance
from tests.systems.rest import things
from tests.systems.rest.airbyte.under_test import CodedUnderTest
from tests.systems.rest.test_faults import ANSWERS, Answering, FaultyThings

pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.timeout(1800), pytest.mark.budget(600)]
PAGE = 5
RUN_KILLED = "run killed"


class BreakingKit(Answering):
    """The function's process ends at whatever it answers to airbyte-cdk's, and that one by itself at a request."""

    def __init__(self, relay: Relay, patch: pytest.MonkeyPatch) -> None:
        super().__init__(relay, patch)
        self._runs, begin = list[Kit](), Kit.__enter__
        patch.setattr(Kit, "answer", self.ending(Kit.answer))
        patch.setattr(Kit, "__enter__", lambda kit: self._runs.append(kit) or begin(kit))

    def answer(self) -> tuple[int, Any] | None:
        if self.kind == RUN_KILLED and self.relay.asked - 1 == self.at and not self.broke:
            self.broke = True
            self._runs[-1]._signal(signal.SIGKILL)
        return super().answer()


class TestFaults(FaultConformance):
    """With records that code finds, in several portions, and with those of the format's own means, page by page."""

    @pytest.fixture(params=(*KINDS, *KILLED, *ANSWERS, RUN_KILLED))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture(params=["code", "pages"])
    def shape(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def api(self) -> Iterator[FaultyThings]:
        made = FaultyThings()
        yield made
        made.close()

    @pytest.fixture
    def breaking(self, api: FaultyThings, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakingKit]:
        monkeypatch.setattr(things, "PAGE", PAGE)
        relay = Relay(api.server.server_address[1])
        api.faults = BreakingKit(relay, monkeypatch)
        yield api.faults
        relay.close()

    @pytest.fixture
    def source(
        self, kit: str, api: FaultyThings, breaking: BreakingKit, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> CodedUnderTest:
        monkeypatch.chdir(tmp_path)
        found = CodedUnderTest(api, tmp_path, kit)
        found.secret |= {"url": f"http://127.0.0.1:{breaking.relay.port}"}
        if shape == "pages":
            found.shaped = lambda stream: {**stream}
            found.rewrite()
        return found
