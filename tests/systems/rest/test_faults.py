"""Whatever an API answers, or does not, and wherever a function's process ends: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from systems.rest import answers
from systems.rest.sending import Sending
from tests.conformance.fixtures import cloud
from tests.conformance.relay import KINDS, Relay
from tests.conformance.source_faults import KILLED, FaultConformance, Server
from tests.systems.rest import things
from tests.systems.rest.things import Things, ThingsUnderTest

__all__ = ["cloud"]
PAGE = 5
ANSWERS: Mapping[str, tuple[int, Any]] = {
    "busy": (429, {"error": "too many requests"}),
    "down": (503, {"error": "down"}),
    "refused": (401, {"error": "no"}),
    "in maintenance": (200, b"<html>later</html>"),
}


class FaultyThings(Things):
    """Answers one request as nobody wants it."""

    faults: Answering | None = None

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        found = self.faults.answer() if self.faults else None
        return found or super().answer(path, query, authorization)


class Answering(Server):
    """The process ends at a request, too."""

    def __init__(self, relay: Relay, patch: pytest.MonkeyPatch) -> None:
        super().__init__(relay)
        patch.setattr(Sending, "send", self.ending(Sending.send))

    def answer(self) -> tuple[int, Any] | None:
        """What is answered in place of what should be; None for the latter."""
        if self.kind not in ANSWERS or self.relay.asked - 1 != self.at or self.broke:
            return None
        self.broke = True
        return ANSWERS[self.kind]


class TestFaults(FaultConformance):
    @pytest.fixture(params=(*KINDS, *KILLED, *ANSWERS))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def api(self) -> Iterator[FaultyThings]:
        made = FaultyThings()
        yield made
        made.close()

    @pytest.fixture
    def breaking(self, api: FaultyThings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
        monkeypatch.setattr(things, "PAGE", PAGE)
        monkeypatch.setattr(answers, "FIRST_PAUSE_SECONDS", 0.0)
        relay = Relay(api.server.server_address[1])
        api.faults = Answering(relay, monkeypatch)
        yield api.faults
        relay.close()

    @pytest.fixture
    def source(self, api: FaultyThings, breaking: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThingsUnderTest:
        monkeypatch.chdir(tmp_path)
        found = ThingsUnderTest(api, tmp_path)
        found.secret |= {"url": f"http://127.0.0.1:{breaking.relay.port}"}
        return found
