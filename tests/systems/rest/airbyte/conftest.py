"""A manifest with code of its own in a project's folder, and airbyte-cdk beside it, imported once for all tests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_metadata.contract.apart import process as apart
from systems.rest.airbyte import extracting, process
from tests.conformance.fixtures import cloud
from tests.systems.rest.airbyte import warm
from tests.systems.rest.airbyte.kit import installed
from tests.systems.rest.airbyte.under_test import CodedUnderTest
from tests.systems.rest.things import Things

__all__ = ["cloud"]
START_SECONDS = 60.0


@pytest.fixture(scope="session")
def begins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """How a run of airbyte-cdk is begun, so that it need not import it."""
    _, packages = installed()
    path = tmp_path_factory.mktemp("warm") / "socket"
    line = [sys.executable, warm.__file__, str(path)]
    with subprocess.Popen(line, env={"PYTHONPATH": str(packages), "TZ": "UTC", "PYTHONUTF8": "1"}, stdin=subprocess.PIPE) as warmed:
        until = time.monotonic() + START_SECONDS
        while not path.exists() and warmed.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert path.exists(), "airbyte-cdk cannot be imported"
        yield (sys.executable, "-I", "-S", warm.__file__, str(path), process.PACKAGE)
        assert warmed.stdin is not None
        warmed.stdin.close()


@pytest.fixture
def kit(begins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a bundle would have it; what its requirements are."""
    file, packages = installed()
    monkeypatch.setattr(apart, "APART", packages)
    monkeypatch.setattr(process, "BEGINS", begins)
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 600.0)  # the suite's calls are near their end when they begin
    return file.read_text()


@pytest.fixture
def source(kit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodedUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = Things()
    yield CodedUnderTest(things, tmp_path, kit)
    things.close()
