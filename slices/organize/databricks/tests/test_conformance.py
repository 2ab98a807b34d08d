"""The organize conformance suite over Databricks's double; tables are read back by a session of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shared_metadata.program import Mode
from slices.organize.databricks.handlers import open_driver
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import Cloud
from tests.conformance.organize import FLIGHTS, Lake, OrganizeConformance, Row, flights
from tests.memory.databricks import OPTIONS, databricks, known_by_name

pytestmark = pytest.mark.repeats(6)


class TestConformance(OrganizeConformance):
    declaration, options = SLICE, OPTIONS
    length_of_list = "size"

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        databricks().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("databricks", databricks().secret)

    def test_rows_that_left_are_marked_where_none_is_newer(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",), cursor="delay")
        lake.load(flights((1, "AA", 1.0), (2, "AA", 5.0), (3, "AA", 1.0)))
        lake.load(flights((3, "AA", 2.0)), left=[{"id": 1, "delay": 2.0}, {"id": 2, "delay": 4.0}])
        found = sorted((row["id"], row["delay"], bool(row["_deleted"])) for row in self.read(lake.cloud, FLIGHTS))
        assert found == [(1, 2.0, True), (2, 5.0, False), (3, 2.0, False)]

    def test_keys_are_several_where_the_catalog_compares_without_case(self, lake: Lake) -> None:
        databricks().without_case()
        self.test_keys_that_a_database_may_take_for_one_are_several(lake)

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        _, schema, name = dataset.split(".")
        rows = databricks().asked(f"SELECT * FROM {table(DatabricksSql(), schema, name)}")
        return [known_by_name(row) for row in rows]
