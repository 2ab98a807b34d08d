"""Readers in Databricks' double while batches are committed: DuckDB's snapshots stand for what each statement there sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.program import Mode
from slices.organize.databricks.handlers import open_driver
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake, Row
from tests.conformance.readers import first_whole_or_not_there, never_missing_or_half
from tests.memory.databricks import OPTIONS, databricks

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


def _read() -> list[Row]:
    _, schema, name = FLIGHTS.split(".")
    return databricks().asked(f"SELECT * FROM {table(DatabricksSql(), schema, name)}")


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        databricks().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("databricks", databricks().secret)
        made = Lake(cloud, SLICE, open_driver)
        made.options = OPTIONS
        yield made


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.MERGE])
def test_a_reader_never_sees_the_table_missing_or_half(lake: Lake, mode: Mode) -> None:
    never_missing_or_half(lake, mode, _read)


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_of_a_first_batch_a_reader_sees_no_table_one_without_rows_and_the_whole(lake: Lake, mode: Mode) -> None:
    first_whole_or_not_there(lake, mode, _read, may_be_empty=True)
