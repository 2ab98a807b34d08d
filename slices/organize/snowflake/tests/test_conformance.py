"""The organize conformance suite over Snowflake's double; tables are read back by a session of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import Cloud
from tests.conformance.organize import OrganizeConformance, Row
from tests.memory.snowflake import OPTIONS, snowflake


class TestConformance(OrganizeConformance):
    declaration, options = SLICE, OPTIONS

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        snowflake().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("snowflake", snowflake().secret)

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        _, schema, name = dataset.split(".")
        rows = snowflake().asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
        return [{folded(column): value for column, value in row.items()} for row in rows]
