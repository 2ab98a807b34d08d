"""The organize conformance suite over Snowflake's double; tables are read back by a session of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shared_metadata.program import Mode
from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import Cloud
from tests.conformance.organize import FLIGHTS, Lake, OrganizeConformance, Row, flights
from tests.memory.snowflake import OPTIONS, snowflake

pytestmark = pytest.mark.repeats(4)


class TestConformance(OrganizeConformance):
    declaration, options = SLICE, OPTIONS

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        snowflake().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("snowflake", snowflake().secret)

    def test_rows_that_left_are_marked_where_none_is_newer(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",), cursor="delay")
        lake.load(flights((1, "AA", 1.0), (2, "AA", 5.0), (3, "AA", 1.0)))
        lake.load(flights((3, "AA", 2.0)), left=[{"id": 1, "delay": 2.0}, {"id": 2, "delay": 4.0}])
        found = sorted((row["id"], row["delay"], bool(row["_deleted"])) for row in self.read(lake.cloud, FLIGHTS))
        assert found == [(1, 2.0, True), (2, 5.0, False), (3, 2.0, False)]

    def test_keys_are_several_where_the_database_compares_without_case(self, lake: Lake) -> None:
        snowflake().without_case()
        self.test_keys_that_a_database_may_take_for_one_are_several(lake)

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        _, schema, name = dataset.split(".")
        rows = snowflake().asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
        return [{folded(column): value for column, value in row.items()} for row in rows]
