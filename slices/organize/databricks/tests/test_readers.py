"""Readers in Databricks' double while batches are committed: DuckDB's snapshots stand for what each statement there sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.organize.databricks.handlers import open_driver
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake, Row
from tests.conformance.readers import ReadersConformance, Reading
from tests.memory.databricks import OPTIONS, databricks

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


def _read() -> list[Row]:
    _, schema, name = FLIGHTS.split(".")
    return databricks().asked(f"SELECT * FROM {table(DatabricksSql(), schema, name)}")


class TestReaders(ReadersConformance):
    may_be_empty = True

    @pytest.fixture
    def reading(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
        for cloud in open_cloud(monkeypatch):
            databricks().empty(cloud.s3, cloud.bucket)
            cloud.put_secret("databricks", databricks().secret)
            lake = Lake(cloud, SLICE, open_driver)
            lake.options = OPTIONS
            yield lake, _read
