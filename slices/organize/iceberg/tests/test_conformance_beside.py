"""The organize conformance suite over Iceberg, where each merge deletes rows beside their files."""

from __future__ import annotations

import pytest

from slices.organize.iceberg.tests.test_conformance import TestConformance as Conformance
from systems.iceberg import beside

pytestmark = pytest.mark.repeats(8)


class TestBeside(Conformance):
    @pytest.fixture(autouse=True)
    def every_file_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(beside, "LEAST_BYTES", 0)
        monkeypatch.setattr(beside, "WORN", 1.0)
