"""The suite of every collect slice, over the double: read by REST pages, and by Bulk jobs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from doubles.salesforce import SalesforceServer
from slices.collect.salesforce.tests.under_test import SalesforceUnderTest
from tests.conformance.collect import COLUMNS, FLOW, CollectConformance, Collecting, label_rows
from tests.conformance.drift import DriftConformance
from tests.conformance.fixtures import FakeContext


class NoNullCheckboxes:
    """A Salesforce checkbox is never null, so two cases differ from the suite's in that one column."""

    def test_nulls_survive(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, [{"label": "a"}], collecting.at)
        collecting.collect(table)
        collecting.run()
        assert [collecting.rows()[0][name] for name in COLUMNS] == ["a", None, False, None, None]

    def test_extreme_values_survive(self, collecting: Collecting) -> None:
        rows = [
            {"label": "high", "number": 1.5e14, "flag": True, "day": date(4000, 12, 31), "moment": datetime(2999, 1, 1, tzinfo=UTC)},
            {"label": "low", "number": -1.5e14, "flag": False, "day": date(1700, 1, 1), "moment": datetime(1700, 1, 1, tzinfo=UTC)},
            {"label": "small", "number": 1e-2, "flag": False, "day": date(1970, 1, 1), "moment": datetime(1970, 1, 1, tzinfo=UTC)},
        ]
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, rows, collecting.at)
        collecting.collect(table)
        collecting.run()
        assert [{name: row[name] for name in COLUMNS} for row in collecting.rows()] == rows


class TestRestConformance(NoNullCheckboxes, CollectConformance):
    @pytest.fixture
    def source(self, server: SalesforceServer) -> SalesforceUnderTest:
        return SalesforceUnderTest(server, {})


@pytest.mark.repeats(3)
class TestBulkConformance(NoNullCheckboxes, CollectConformance):
    @pytest.fixture
    def source(self, server: SalesforceServer) -> SalesforceUnderTest:
        server.org.jobs.page_rows = 1000
        return SalesforceUnderTest(server, {"bulk_threshold_rows": 0})

    def test_extract_that_is_done_is_not_repeated(self, collecting: Collecting) -> None:
        """As in the suite, but a job is created by one call and read by the next."""
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        steps = collecting.steps()
        (state,) = steps.plan(collecting.cloud.event(FLOW), FakeContext())["work"]
        while not steps.extract({**state, "part": 0}, FakeContext())["done"]:
            pass
        collecting.cloud.put_secret("thing", collecting.source.unreachable_secret)
        assert collecting.steps().extract({**state, "part": 0}, FakeContext())["done"]


class TestDrift(DriftConformance):
    @pytest.fixture
    def source(self, server: SalesforceServer) -> SalesforceUnderTest:
        return SalesforceUnderTest(server, {})
