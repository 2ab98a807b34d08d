"""What files and samples tell of a column's values, and when a new column holds what a vanished one held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.drift.column_values import ColumnValues, alike, file_values, of_files, sampled
from tests.drift.programs import schema

SCHEMA = schema(n="int", day="date", nothing="double", **{'a "name"': "string", "l": "list<int>"})


def written(select: str, folder: Path) -> dict[str, Any]:
    """A file's entry in a manifest, as the slices make it."""
    statement = f"COPY ({select}) TO '{folder / 'x.parquet'}' (FORMAT parquet, RETURN_STATS)"
    (row,) = duckdb.connect().execute(statement).fetchall()
    return {"rows": row[1], "values": file_values(row[4], SCHEMA)}


def test_a_file_tells_of_each_of_its_columns_and_no_value(tmp_path: Path) -> None:
    file = written(
        'SELECT 5000 + i::int AS n, CASE WHEN i < 3 THEN \'secret\' END AS "a ""name""", [i] AS l, '
        "DATE '2026-12-31' + i::int AS day, "
        "NULL::double AS nothing FROM range(12) t(i)",
        tmp_path,
    )
    assert of_files("n", [file]) == ColumnValues(12, 0, False, 4, 4)
    assert of_files("n", [file, {"rows": 2, "values": {"n": [1, True, -1, 5]}}]) == ColumnValues(14, 1, False, -1, 5)
    assert of_files('a "name"', [file]) == ColumnValues(12, 9, True)
    assert of_files("day", [file]) == ColumnValues(12, 0, False, 2026, 2027)
    assert of_files("nothing", [file]) == ColumnValues(12, 12)
    assert of_files("l", [file]) is None
    assert "secret" not in str(file) and "5000" not in str(file)


@pytest.mark.parametrize(
    ("select", "constant"),
    [
        ('SELECT repeat(\'x\', 300) AS "a ""name""" FROM range(30)', None),
        ('SELECT repeat(\'x\', 300) || i AS "a ""name""" FROM range(30) t(i)', None),
        ('SELECT \'a\' || repeat(\'é\', 300) AS "a ""name""" FROM range(30)', None),  # a bound is left out, or cut shorter
        ('SELECT repeat(\'é\', 300) AS "a ""name""" FROM range(30)', None),
        ('SELECT \'short\' AS "a ""name""" FROM range(30)', True),
        ("SELECT CASE WHEN i < 9 THEN 'nan'::DOUBLE ELSE 1 END AS nothing FROM range(30) t(i)", False),  # no bound knows NaN
    ],
)
def test_a_bound_that_was_cut_is_not_taken_for_a_value(select: str, constant: bool | None, tmp_path: Path) -> None:
    column = "nothing" if "nothing" in select else 'a "name"'
    found = of_files(column, [written(select, tmp_path)])
    assert found is not None and found.constant is constant
    assert alike("string", found, sampled("string", ["x"] * 30)) is {None: None, True: True, False: False}[constant]


def test_files_of_one_value_each_may_have_several() -> None:
    assert of_files("n", [{"rows": 9, "values": {"n": [0, True, 1, 1]}}] * 2) == ColumnValues(18, 0, None, 1, 1)


def test_files_that_do_not_say_it_tell_nothing() -> None:
    assert of_files("n", [{"rows": 1, "values": {"n": [0, False, 1, 1]}}, {"rows": 3}]) is None
    assert of_files("n", []) is None


VARIED, WORDS = sampled("int", range(30)), sampled("string", ["a", "b", None, "c"])


@pytest.mark.parametrize(
    ("kind", "gone", "come", "expected"),
    [
        ("int", VARIED, sampled("int", ["7", "12"]), True),
        ("int", VARIED, sampled("int", [None] * 5), False),  # only added
        ("int", VARIED, sampled("int", [7] * 20), False),  # its default
        ("int", VARIED, sampled("int", [7] * 3), True),
        ("int", VARIED, sampled("int", [7, None]), None),  # other shares of nulls
        ("int", VARIED, sampled("int", [1000, 2000]), None),  # the vanished one's are of its last batch only
        ("int", VARIED, sampled("int", []), None),
        ("int", sampled("int", [None]), sampled("int", [1]), None),
        ("string", WORDS, sampled("string", ["x", "y", None]), True),
        ("string", WORDS, sampled("string", [""] * 20), False),
        ("boolean", sampled("boolean", [True, False]), sampled("boolean", [False]), None),
        ("timestamptz", sampled("timestamptz", ["2026-11-02 10:00:00+00"]), sampled("timestamptz", ["2026-11-02T10:00:00Z"]), True),
        ("decimal(9,2)", sampled("decimal(9,2)", ["9.5", "-10.25"]), sampled("decimal(9,2)", ["0.75"]), True),
        ("double", sampled("double", ["inf"]), sampled("double", ["nan"]), None),
    ],
)
def test_values_tell_a_rename_or_that_it_is_none(kind: str, gone: ColumnValues, come: ColumnValues, expected: bool | None) -> None:
    assert alike(kind, gone, come) is expected


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1))
def test_a_renamed_column_is_never_taken_for_another(values: list[int | None]) -> None:
    column = sampled("long", values)
    assert alike("long", column, column) is not False
