"""Rows that left a source's WHERE: marked where the table has them, and seen by those queries only that name the mark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from shared_metadata.contract.organize import OpenDriver
from shared_metadata.program import Mode
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tests.test_conformance import TestConformance as Conformance
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake

DELETED = ("_deleted", "boolean", pa.bool_())
CHANGED = ("changed", "timestamptz", pa.timestamp("us", "UTC"))
COLUMNS = [*ID, CHANGED, DELETED]
TOTAL = f"SELECT sum(delay) AS delay, count(*) AS flights FROM {FLIGHTS}"


class Table(Lake):
    """A collected table whose rows leave its WHERE; moments are minutes of an hour in the first batch's day."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.collected(Mode.MERGE, key=("id",), cursor="changed")

    def bring(self, *rows: tuple[int, float, int | None], left: tuple[tuple[int, int | None], ...] = (), **how: Any) -> None:
        """(id, delay, minute) of the rows that the WHERE takes, (id, minute) of those that it does not."""
        taken = [
            {"id": id_, "carrier": "AA", "delay": delay, "changed": at(minute), "_deleted": False} for id_, delay, minute in rows
        ]
        gone = [{"id": id_, "changed": at(minute)} for id_, minute in left]
        self.load(taken, COLUMNS, left=gone, **how)


def at(minute: int | None) -> datetime | None:
    return None if minute is None else datetime(2026, 11, 23, 11, minute, tzinfo=UTC)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    driver: OpenDriver = open_driver
    for cloud in open_cloud(monkeypatch):
        yield Table(cloud, SLICE, driver)
        Conformance().forget(cloud)


def rows(table: Table, dataset: str = FLIGHTS) -> list[tuple[Any, ...]]:
    found = Conformance().read(table.cloud, dataset)
    return sorted((row["id"], row["delay"], row["_deleted"]) for row in found)


def viewed(table: Table) -> dict[str, Any]:
    table.run(VIEW)
    (row,) = Conformance().read(table.cloud, VIEW)
    return row


def test_a_row_that_left_is_marked_and_keeps_its_values(table: Table) -> None:
    table.bring((1, 10.0, 1), (2, 20.0, 1))
    table.bring((3, 30.0, 2), left=((1, 2),))
    assert rows(table) == [(1, 10.0, True), (2, 20.0, False), (3, 30.0, False)]


def test_a_batch_of_nothing_but_rows_that_left_is_a_batch(table: Table) -> None:
    table.bring((1, 10.0, 1), (2, 20.0, 1))
    table.bring(left=((2, 2),))
    assert rows(table) == [(1, 10.0, False), (2, 20.0, True)]


def test_rows_that_the_table_never_had_do_not_appear(table: Table) -> None:
    table.bring((1, 10.0, 1))
    table.bring(left=((7, 2), (8, None)))
    assert rows(table) == [(1, 10.0, False)]


def test_a_row_that_comes_back_is_there_again(table: Table) -> None:
    table.bring((1, 10.0, 1))
    table.bring(left=((1, 2),))
    table.bring((1, 11.0, 3))
    assert rows(table) == [(1, 11.0, False)]


def test_of_one_batch_the_later_decides(table: Table) -> None:
    table.bring((1, 10.0, 1), (2, 20.0, 1))
    table.bring((1, 11.0, 5), (2, 21.0, 4), (3, 31.0, 4), left=((1, 4), (2, 5), (3, 5)))
    assert rows(table) == [(1, 11.0, False), (2, 20.0, True)]


def test_rows_that_left_before_the_table_s_newer_ones_change_nothing(table: Table) -> None:
    table.bring((1, 10.0, 5))
    table.bring((2, 20.0, 6), left=((1, 4),))
    assert rows(table) == [(1, 10.0, False), (2, 20.0, False)]


def test_what_left_before_is_not_written_again(table: Table) -> None:
    table.bring((1, 10.0, 1), (2, 20.0, 1))
    table.bring(left=((1, 2),))
    before = [file.file_path for file in _files(table)]
    table.bring((3, 1.0, 3), left=((1, 2),))
    assert set(before) < {file.file_path for file in _files(table)}


def _files(table: Table) -> list[Any]:
    from systems.iceberg.tables import Tables

    tables = Tables("lake", table.cloud.services(SLICE.id), "here")
    found = tables.find(FLIGHTS)
    assert found is not None
    snapshot = found.current_snapshot()
    return tables.files(found, snapshot.snapshot_id if snapshot else None)


def test_a_table_that_had_no_mark_gets_it(table: Table) -> None:
    table.load([{"id": 1, "carrier": "AA", "delay": 1.0, "changed": at(1)}], [*ID, CHANGED])
    table.bring((2, 2.0, 2), left=((1, 2),))
    assert rows(table) == [(1, 1.0, True), (2, 2.0, False)]


def test_a_query_sees_what_is_marked_only_where_it_names_the_mark(table: Table) -> None:
    table.view(TOTAL)
    table.bring((1, 10.0, 1), (2, 20.0, 1))
    assert viewed(table) == {"delay": 30.0, "flights": 2}
    table.bring(left=((1, 2),))
    assert viewed(table) == {"delay": 20.0, "flights": 1}
    table.view(f"{TOTAL} WHERE _deleted", sees_deleted=(FLIGHTS,))
    table.bring((3, 1.0, 3))
    assert viewed(table) == {"delay": 10.0, "flights": 1}


@pytest.mark.parametrize("stored", [datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC), None])
def test_a_cursor_that_no_window_meets_is_never_the_newer_one(table: Table, stored: datetime | None) -> None:
    row = {"id": 1, "carrier": "AA", "delay": 1.0, "changed": stored, "_deleted": False}
    table.load([row, {**row, "id": 2}], COLUMNS)
    table.bring((1, 5.0, 7), left=((2, 7),))
    assert rows(table) == [(1, 5.0, False), (2, 1.0, True)]


@pytest.mark.parametrize("stored", [float("nan"), float("inf"), float("-inf")])
def test_of_floats_neither(table: Table, stored: float) -> None:
    table.collected(Mode.MERGE, key=("id",), cursor="delay")
    table.load([{"id": 1, "carrier": "a", "delay": stored}], [*ID, DELETED])
    table.load([{"id": 1, "carrier": "b", "delay": 2.0}], [*ID, DELETED])
    assert rows(table) == [(1, 2.0, None)]


def test_texts_do_not_tell_which_row_is_newer(table: Table) -> None:
    """A number without digits is a text here, and a source sorts texts by a collation of its own."""
    table.collected(Mode.MERGE, key=("id",), cursor="carrier")
    table.load([{"id": 1, "carrier": "9", "delay": 1.0}, {"id": 2, "carrier": "a", "delay": 1.0}], [*ID, DELETED])
    table.load([{"id": 1, "carrier": "10", "delay": 2.0}], [*ID, DELETED], left=[{"id": 2, "carrier": "B"}])
    assert rows(table) == [(1, 2.0, None), (2, 1.0, True)]
