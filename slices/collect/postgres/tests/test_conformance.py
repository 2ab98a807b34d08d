"""The suite of every collect slice, over a real PostgreSQL."""

import pytest

from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from tests.conformance.capture import CaptureConformance
from tests.conformance.collect import CollectConformance
from tests.conformance.drift import OTHER, READER, TABLE, USER, DriftConformance, Drifting


class TestConformance(CollectConformance):
    @pytest.fixture
    def source(self, database: Database) -> PostgresUnderTest:
        return PostgresUnderTest(database)


class TestDrift(DriftConformance):
    @pytest.fixture
    def source(self, database: Database) -> PostgresUnderTest:
        return PostgresUnderTest(database)

    def test_a_cursor_that_is_gone_stops_the_collect_and_all_that_reads_it_until_it_returns(
        self, drifting: Drifting, source: PostgresUnderTest
    ) -> None:
        source.rename_column(drifting.table, "updated_at", "changed_at")
        drifting.run(2)
        (drift,) = (d for d in drifting.cloud.writer.drifts.open_drifts() if d.flows)
        assert (drift.change.column, drift.change.probable_rename) == ("updated_at", "changed_at")
        assert set(drift.change.quiesces) == {TABLE, f"{TABLE}:staged", USER, READER, OTHER}
        source.rename_column(drifting.table, "changed_at", "updated_at")
        drifting.put({"label": "c", "number": 3.0, "count": 3})
        drifting.run(3)
        assert drifting.said() == {"a": 1.0, "b": 2.0, "c": 3.0}
        assert (drifting.behind(), drifting.cloud.writer.drifts.open_drifts()) == ({}, [])


class TestCapture(CaptureConformance):
    """Over a real PostgreSQL whose log tells what changes in rows."""
