"""Users' columns may have any name, also those that this slice's own SQL uses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from psycopg import sql

from shared_metadata.program import BadRows, Column, Mask, Mode
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_cursors import left
from slices.collect.postgres.tests.test_source import collect, staged
from systems.sql_source.reading import Reading
from tests.conformance.collect import Collecting
from tests.conformance.masking import KEY

WORD = re.compile(r"[a-z_][a-z_0-9]*", re.IGNORECASE)
SYSTEM = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "_batch", "_deleted"}
MERGED: dict[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}


def fill(database: Database, names: list[str]) -> None:
    """A table t of texts with these names; each value says where it belongs."""
    columns = [sql.SQL("{} text").format(sql.Identifier(name)) for name in names]
    database.run(
        sql.SQL("CREATE TABLE t (id int, at timestamptz, day date, since timestamptz, {})").format(sql.SQL(", ").join(columns))
    )  # type: ignore[arg-type]
    for number in (1, 2):
        values = [sql.Literal(f"{name} {number}") for name in names]
        row = sql.SQL("INSERT INTO t VALUES ({}, '2020-01-01Z', '2020-01-01', '2020-01-01Z', {})").format(
            sql.Literal(number), sql.SQL(", ").join(values)
        )
        database.run(row)  # type: ignore[arg-type]


@pytest.fixture
def words(collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every word of the statements by which this slice reads rows, sets them aside and tells of those that left."""
    said: list[str] = []
    ran = Reading._run

    def spy(self: Reading, cursor: Any, statement: str, asked: str) -> Any:
        said.extend((statement, asked))
        return ran(self, cursor, statement, asked)

    monkeypatch.setattr(Reading, "_run", spy)
    fill(database, ["b"])
    exercise(collecting, database, ["b"], cursor="since")
    database.run("DROP TABLE t")
    found = {word.lower() for text in said for word in WORD.findall(text)} - SYSTEM - {"id", "at", "day", "since"}
    return sorted({name for name in found if len(name) <= 63})


def exercise(collecting: Collecting, database: Database, names: list[str], cursor: str = "at") -> list[Any]:
    """A first batch and one with a row that left and one that cannot be read; what was collected, set aside and told of rows."""
    collecting.cloud.put_secret("mask", {"key": KEY})
    columns = (*(Column(name, f'"{name}"') for name in ("id", "at", "day", "since")), *(Column(name, f'"{name}"') for name in names))
    masked = {names[0]: Mask.HASH}
    collecting.source.incremental = {**MERGED, "cursor": cursor}  # type: ignore[misc]
    how: dict[str, Any] = {"columns": columns, "filter": "id <> 2", "bad_rows": BadRows(5), "masks": masked, "mask_key": "mask"}
    collecting.collect("public.t", **how)
    collecting.run()
    first = staged(collecting)
    database.run("UPDATE t SET at = NULL, since = NULL, id = id * 10; INSERT INTO t (id, day) VALUES (3, '10000-01-01')")
    database.run("UPDATE t SET id = 2 WHERE id = 20")
    collecting.run()
    return [first, staged(collecting), collecting.rejected(), left(collecting)]


def test_columns_of_every_name_that_the_slices_sql_uses_are_collected(
    collecting: Collecting, database: Database, words: list[str]
) -> None:
    names = ["c1", "c0", "c2", "d", *words]
    names = list(dict.fromkeys(names))
    assert {"q", "reason", "data", "d"} <= set(names) and any(name.startswith("atoll_") for name in names)
    fill(database, names)
    collecting.cloud.clock.advance(hours=5)
    first, later, rejected, gone = exercise(collecting, database, names)
    hidden = names[0]
    assert {n: v for n, v in first[0].items() if n in names and n != hidden} == {n: f"{n} 1" for n in names if n != hidden}
    assert [row["id"] for row in later] == [10] and later[0][names[1]] == f"{names[1]} 1"
    assert rejected[0]["data"]["id"] == 3 and rejected[0]["data"].keys() == {"id", "at", "day", "since", *names} - {hidden}
    assert [row["id"] for row in gone] == [2]


def test_whole_tables_of_such_names_are_collected(collecting: Collecting, database: Database, words: list[str]) -> None:
    fill(database, words)
    collect(collecting, "public.t")
    collecting.cloud.clock.advance(hours=5)
    collecting.run()
    assert {n: v for n, v in staged(collecting)[0].items() if n in words} == {n: f"{n} 1" for n in words}
