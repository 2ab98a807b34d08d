"""Readers in Snowflake's double while batches are committed: DuckDB's snapshots stand for what each statement there sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake, Row
from tests.conformance.readers import ReadersConformance, Reading
from tests.memory.snowflake import OPTIONS, snowflake

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


def _read() -> list[Row]:
    _, schema, name = FLIGHTS.split(".")
    rows = snowflake().asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
    return [{folded(column): value for column, value in row.items()} for row in rows]


class TestReaders(ReadersConformance):
    may_be_empty = True

    @pytest.fixture
    def reading(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
        for cloud in open_cloud(monkeypatch):
            snowflake().empty(cloud.s3, cloud.bucket)
            cloud.put_secret("snowflake", snowflake().secret)
            lake = Lake(cloud, SLICE, open_driver)
            lake.options = OPTIONS
            yield lake, _read
