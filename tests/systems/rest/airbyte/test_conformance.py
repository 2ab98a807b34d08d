"""The suite of every collect slice, over a folder with a manifest whose code airbyte-cdk runs."""

from __future__ import annotations

import pytest

from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, label_rows
from tests.conformance.drift import DriftConformance

pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.budget(60), pytest.mark.timeout(900)]


class TestConformance(CollectConformance):
    """All of it, but for what only a run tells."""

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


class TestDrift(DriftConformance):
    """All of it."""
