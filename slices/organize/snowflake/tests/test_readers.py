"""Readers in Snowflake's double while batches are committed: DuckDB's snapshots stand for what each statement there sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.program import Mode
from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.dialect import table
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake, Row
from tests.conformance.readers import first_whole_or_not_there, never_missing_or_half
from tests.memory.snowflake import OPTIONS, snowflake

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


def _read() -> list[Row]:
    _, schema, name = FLIGHTS.split(".")
    rows = snowflake().asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
    return [{folded(column): value for column, value in row.items()} for row in rows]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        snowflake().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("snowflake", snowflake().secret)
        made = Lake(cloud, SLICE, open_driver)
        made.options = OPTIONS
        yield made


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.MERGE])
def test_a_reader_never_sees_the_table_missing_or_half(lake: Lake, mode: Mode) -> None:
    never_missing_or_half(lake, mode, _read)


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_of_a_first_batch_a_reader_sees_no_table_one_without_rows_and_the_whole(lake: Lake, mode: Mode) -> None:
    first_whole_or_not_there(lake, mode, _read, may_be_empty=True)
