"""A manifest with code of its own in a project's folder, and airbyte-cdk where a bundle would have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_metadata.contract.apart import process
from systems.rest.airbyte import extracting
from tests.conformance.fixtures import cloud
from tests.systems.rest.airbyte.kit import installed
from tests.systems.rest.airbyte.under_test import CodedUnderTest
from tests.systems.rest.things import Things

__all__ = ["cloud"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodedUnderTest]:
    file, packages = installed()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "APART", packages)
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 600.0)  # the suite's calls are near their end when they begin
    things = Things()
    yield CodedUnderTest(things, tmp_path, file.read_text())
    things.close()
