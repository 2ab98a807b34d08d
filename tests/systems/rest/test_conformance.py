"""The suite of every collect slice, over a folder that holds a manifest and no code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.collect import CollectConformance
from tests.conformance.drift import DriftConformance
from tests.systems.rest.things import Things, ThingsUnderTest


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThingsUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = Things()
    yield ThingsUnderTest(things, tmp_path)
    things.close()


class TestConformance(CollectConformance):
    """All of it."""


class TestDrift(DriftConformance):
    """All of it."""
