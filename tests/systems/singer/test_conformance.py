"""The suite of every collect slice, over a folder that holds a tap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, label_rows
from tests.conformance.drift import DriftConformance
from tests.systems.singer.under_test import TappedThings, TapUnderTest


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TapUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = TappedThings()
    yield TapUnderTest(things, tmp_path)
    things.close()


@pytest.mark.repeats(4)
class TestConformance(CollectConformance):
    """All of it, but for what only a run of the tap tells."""

    def test_batch_without_changes_is_committed_by_plan_alone(self, collecting: Collecting) -> None:
        """Here by one run, which brings no row."""
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        version, _ = collecting.versions()
        assert collecting.run().calls["extract"] == 1
        assert collecting.versions()[0] == version

    def test_a_batch_without_changes_of_a_masked_table_is_committed_by_plan_alone(self, collecting: Collecting) -> None:
        """No batch is."""


@pytest.mark.deep
class TestDrift(DriftConformance):
    """All of it."""
