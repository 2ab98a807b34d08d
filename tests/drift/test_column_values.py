"""What files and samples tell of a column's values, and when a new column holds what a vanished one held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.column_values import ColumnValues, alike, file_values, of_files, sampled


def written(select: str, folder: Path) -> dict[str, Any]:
    """A file's entry in a manifest, as the slices make it."""
    statement = f"COPY ({select}) TO '{folder / 'x.parquet'}' (FORMAT parquet, RETURN_STATS)"
    (row,) = duckdb.connect().execute(statement).fetchall()
    return {"rows": row[1], "values": file_values(row[4])}


def test_a_file_tells_of_each_of_its_columns(tmp_path: Path) -> None:
    file = written(
        'SELECT i::int AS n, CASE WHEN i < 3 THEN \'v\' || i END AS "a ""name""", [i] AS l, DATE \'2026-01-01\' + i::int AS day, '
        "NULL::double AS nothing FROM range(12) t(i)",
        tmp_path,
    )
    assert of_files("int", "n", [file]) == ColumnValues(12, 0, "0", "11")
    assert of_files("int", "n", [file, {"rows": 2, "values": {"n": [1, "-5", "9"]}}]) == ColumnValues(14, 1, "-5", "11")
    assert of_files("string", 'a "name"', [file]) == ColumnValues(12, 9, "v0", "v2")
    assert of_files("date", "day", [file]) == ColumnValues(12, 0, "2026-01-01", "2026-01-12")
    assert of_files("double", "nothing", [file]) == ColumnValues(12, 12)
    assert of_files("list<int>", "l", [file]) is None


def test_files_that_do_not_say_it_tell_nothing() -> None:
    assert of_files("int", "n", [{"rows": 1, "values": {"n": [0, "1", "1"]}}, {"rows": 3}]) is None
    assert of_files("int", "n", []) is None


VARIED = sampled("int", range(30))


@pytest.mark.parametrize(
    ("kind", "gone", "come", "expected"),
    [
        ("int", VARIED, sampled("int", ["7", None, "12"]), True),
        ("int", VARIED, sampled("int", [None] * 5), False),  # only added
        ("int", VARIED, sampled("int", [7] * 20), False),  # its default
        ("int", VARIED, sampled("int", [7] * 3), True),
        ("int", VARIED, sampled("int", [100, 200]), None),  # the vanished one's are of its last batch only
        ("int", VARIED, sampled("int", []), None),
        ("int", sampled("int", [None]), sampled("int", [1]), None),
        ("boolean", sampled("boolean", [True, False]), sampled("boolean", [False]), None),
        ("timestamptz", sampled("timestamptz", ["2026-11-02 10:00:00+00"]), sampled("timestamptz", ["2026-11-02T10:00:00Z"]), True),
        ("decimal(9,2)", sampled("decimal(9,2)", ["9.5", "10.25"]), sampled("decimal(9,2)", ["9.75"]), True),
    ],
)
def test_values_tell_a_rename_or_that_it_is_none(kind: str, gone: ColumnValues, come: ColumnValues, expected: bool | None) -> None:
    assert alike(kind, gone, come) is expected


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1))
def test_a_renamed_column_is_never_taken_for_another(values: list[int | None]) -> None:
    column = sampled("long", values)
    assert alike("long", column, column) is not False
