"""The suite of every collect slice, over files in a bucket: Parquet, and files of texts whose types the program says."""

from __future__ import annotations

from functools import partial

import pytest

from shared_metadata.drift.changes import Change
from slices.collect.s3.tests.under_test import AvroUnderTest, CsvUnderTest, JsonUnderTest, S3UnderTest
from tests.conformance import hostile
from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, label_rows
from tests.conformance.discovery import Looking
from tests.conformance.drift import OTHER, USERS, DriftConformance, Drifting
from tests.conformance.fixtures import Cloud


class TestConformance(CollectConformance):
    @pytest.fixture
    def source(self) -> S3UnderTest:
        return S3UnderTest()


@pytest.mark.repeats(6)
class TestAvroConformance(CollectConformance):
    @pytest.fixture
    def source(self) -> AvroUnderTest:
        return AvroUnderTest()


class OfTexts(CollectConformance):
    """With the types that a program's casts say, of the columns that are there."""

    @pytest.fixture
    def collecting(self, cloud: Cloud, source: S3UnderTest) -> Collecting:
        found = Collecting(cloud, source)
        casts = dict.fromkeys(("label", *hostile.ours()), "string") | COLUMNS
        found.collect = partial(found.collect, casts=casts)  # type: ignore[method-assign]
        return found

    def test_describe_gives_the_schema_that_is_collected(self, collecting: Collecting, looking: Looking) -> None:
        """As far as names go: the types are the program's."""
        (table,) = looking.tables
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        assert latest and [c.name for c in looking.schema(table).columns] == [
            c.name for c in latest.schema.columns if c.name != "_batch"
        ]
        collecting.source.drop_column(table, "number")
        collecting.source.put(table, [{"label": "b"}], collecting.at)
        assert "number" not in [column.name for column in looking.schema(table).columns]


@pytest.mark.repeats(6)
class TestCsvConformance(OfTexts):
    @pytest.fixture
    def source(self) -> CsvUnderTest:
        return CsvUnderTest()


@pytest.mark.repeats(6)
class TestJsonConformance(OfTexts):
    @pytest.fixture
    def source(self) -> JsonUnderTest:
        return JsonUnderTest()


class TestDrift(DriftConformance):
    @pytest.fixture
    def source(self) -> S3UnderTest:
        return S3UnderTest()

    def test_a_dropped_column_quiesces_exactly_its_users_until_it_returns(self, drifting: Drifting) -> None:
        """As in the suite, but files that were there before the column was dropped still have it."""
        drifting.source.drop_column(drifting.table, "number")
        drifting.put({"label": "c", "count": 3})
        drifting.run(2)
        assert drifting.behind() == dict.fromkeys(USERS, 2)
        drifting.source.add_column(drifting.table, "number", "double")
        drifting.put({"label": "a", "number": 1.5, "count": 1}, {"label": "c", "number": 3.5, "count": 3})
        drifting.run(2)
        assert drifting.behind() == {}
        assert drifting.said() == {"a": 1.5, "b": 2.0, "c": 3.5}

    def test_a_struct_without_a_field_quiesces_exactly_its_users_until_it_returns(self, drifting: Drifting) -> None:
        """Rows are collected meanwhile, and what a file has no field for is null."""
        drifting.source.add_column(drifting.table, "place", "place")
        drifting.put({"label": "c", "number": 3.0, "count": 3, "place": {"city": "Basel", "zip": 4051}})
        drifting.run()
        drifting.activate(*drifting.program(used="place"))
        drifting.run()
        assert drifting.said(column="said_place")["c"] == {"city": "Basel", "zip": 4051}
        drifting.source.retype_column(drifting.table, "place", "place without its zip")
        drifting.put({"label": "d", "number": 4.0, "count": 4, "place": {"city": "Bern"}})
        drifting.run(2)
        assert drifting.drifts()[-1] == (Change.TYPE_NARROWED, "place", USERS, True)
        assert drifting.behind() == dict.fromkeys(USERS, 2)
        assert drifting.said(OTHER)["d"] == 4 and "d" not in drifting.said(column="said_place")
        assert drifting.column("place")["c"] == {"city": "Basel", "zip": 4051}
        assert drifting.column("place")["d"] == {"city": "Bern", "zip": None}
        drifting.source.retype_column(drifting.table, "place", "place")
        drifting.put({"label": "e", "number": 5.0, "count": 5, "place": {"city": "Chur", "zip": 7000}})
        drifting.run(2)
        assert drifting.behind() == {} and drifting.drifts()[-1] == (Change.TYPE_NARROWED, "place", USERS, False)
        assert {label: row and row["zip"] for label, row in drifting.said(column="said_place").items()}["e"] == 7000
