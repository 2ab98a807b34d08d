"""A run in which batches cover intervals is compared with one in which each interval has its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared_metadata.program import Kind
from shared_metadata.program.intervals import Interval
from tests.faults.contents import Contents, differences
from tests.faults.covered import RECORDED, Cover, Rows, as_of

DAY, SINCE = timedelta(days=1), datetime(2026, 11, 1, tzinfo=UTC)
COVER = Cover("f", "a", Interval(SINCE, SINCE + 2 * DAY), DAY, SINCE, kind=Kind.COLLECT, adds=True, may=True)


def interval(first: int, days: int = 1) -> str:
    return str(Interval(SINCE + first * DAY, SINCE + (first + days) * DAY))


def version(contents: Contents, start: int, days: int, *rows: str) -> None:
    """Rows of one column behind `_batch`."""
    name = as_of("a", SINCE + (start + days) * DAY, SINCE)
    contents.tables[name] = Rows((str(SINCE + start * DAY), row) for row in rows)
    contents.tables[name + RECORDED] = Rows([(interval(start, days), str(len(rows)), "1", "{}")])


def lines(contents: Contents, *batches: tuple[int, int, int]) -> Contents:
    """Of each batch the first day, the days and the rows."""
    contents.tables["batches"] = Rows(("f", interval(first, days), "a", "COMMITTED", str(rows)) for first, days, rows in batches)
    contents.tables["published"] = Rows(("f", interval(first, days), str(rows), "0") for first, days, rows in batches)
    contents.tables["receipts"] = Rows([("f", interval(*batches[-1][:2]))])
    contents.tables["events"] = Rows(("f", interval(first, days), "a") for first, days, _ in batches)
    return contents


@pytest.fixture
def expected() -> Contents:
    made = lines(Contents(), (0, 1, 2), (1, 1, 1), (2, 1, 1))
    version(made, 0, 1, "x", "y")
    version(made, 1, 1, "z")
    version(made, 2, 1, "z")
    return made


def covering(*rows: str, cover: Cover = COVER) -> Contents:
    made = lines(Contents(covers=[cover]), (0, 2, len(rows)), (2, 1, 1))
    version(made, 0, 2, *rows)
    version(made, 2, 1, "z")
    return made


def test_what_is_new_in_each_interval_is_there_together(expected: Contents) -> None:
    assert differences(covering("x", "y", "z"), expected) == []
    assert differences(expected, expected) == []


def test_the_last_of_wholes_is_there(expected: Contents) -> None:
    assert differences(covering("z", cover=replace(COVER, adds=False)), expected) == []


def test_where_nothing_changed_the_former_version_is_the_one_of_the_end(expected: Contents) -> None:
    cover = replace(COVER, adds=False)
    for name in (as_of("a", SINCE + 2 * DAY, SINCE), as_of("a", SINCE + 2 * DAY, SINCE) + RECORDED):
        del expected.tables[name]
    lines(expected, (0, 1, 2), (1, 1, 0), (2, 1, 1))
    reader = "b as of 03" + RECORDED
    expected.tables[reader] = Rows([(interval(2), "1", "1", '{"a": "2026-11-02T00:00:00Z"}')])
    found = covering("x", "y", cover=cover)
    found.tables[reader] = Rows([(interval(2), "1", "1", '{"a": "2026-11-03T00:00:00Z"}')])
    assert differences(found, expected) == []


def test_a_row_that_a_covering_batch_has_lost_is_told(expected: Contents) -> None:
    found = differences(covering("x", "z"), expected)
    assert [line.partition(":")[0] for line in found] == ["a as of 02", "a as of 02", "batches", "published"]


def test_an_interval_that_is_made_beside_what_covers_it_is_told(expected: Contents) -> None:
    both = covering("x", "y", "z")
    version(both, 1, 1, "z")
    both.tables["events"]["f", interval(1), "a"] = 1
    assert any(line.startswith("events: 0 rows missing") for line in differences(both, expected))


def test_a_flow_that_keeps_its_intervals_covers_none(expected: Contents) -> None:
    found = differences(covering("x", "y", "z", cover=replace(COVER, may=False)), expected)
    assert found == [f"f {interval(0, 2)} is one batch of a flow that keeps its intervals"]
