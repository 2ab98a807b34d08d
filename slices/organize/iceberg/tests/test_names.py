"""A user's column may have any name that our SQL uses: what is done with a table does not depend on what its columns are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot.tokens import TokenType

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.program import Expectation, Mode
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_maintenance import maintain
from slices.organize.iceberg.tests.test_tables import lake
from systems.iceberg.compaction import LEAST_FILES
from systems.iceberg.engine import Engine
from tests.conformance.organize import FLIGHTS, HERE, Lake, Typed, quoted

__all__ = ["lake"]
OURS = {"_batch", "_deleted", VIEW_BATCH}  # which `check` and the slice keep for Atoll
Rows = list[tuple[Any, ...]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that DuckDB is given."""
    found: list[str] = []
    fetch = Engine.fetch
    monkeypatch.setattr(Engine, "fetch", lambda self, sql, *given: (found.append(sql), fetch(self, sql, *given))[1])
    return found


def words(statements: Iterable[str]) -> set[str]:
    """All words in them, of any kind, but for texts."""
    tokens = (
        token for sql in statements for token in sqlglot.tokenize(sql, dialect="duckdb") if token.token_type != TokenType.STRING
    )
    return {token.text.lower() for token in tokens if token.text.replace("_", "").isalnum() and not token.text[0].isdigit()}


def keywords() -> set[str]:
    with duckdb.connect() as connection:
        return {str(name) for (name,) in connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()}


def done_with(lake: Lake, names: Sequence[str], schema: str) -> dict[str, Rows]:
    """What stands in the tables after all that can be done with them, values in the order of `names`; the first five play parts."""
    key, other, cursor, part, judged, *_ = names
    columns: list[Typed] = [("_deleted", "boolean", pa.bool_()), *((name, "string", pa.string()) for name in names)]
    rule = Expectation("good", f"{quoted(judged)} <> 'bad'", "QUARANTINE", HERE)
    merged, added, view, result = (f"lake.{schema}.{name}" for name in ("merged", "added", "view", "result"))

    def rows(*some: tuple[str, str, str, str, str]) -> list[dict[str, Any]]:
        every = {"_deleted": False} | {name: f"{number}" for number, name in enumerate(names)}
        return [every | dict(zip(names, row, strict=False)) for row in some]

    first = rows(
        ("1", "a", "1", "x", "good"), ("1", "a", "2", "x", "good"), ("2", "a", "1", "y", "bad"), ("3", "a", "1", "y", "good")
    )
    second = rows(("1", "a", "0", "x", "old"), ("3", "a", "5", "x", "good"), ("4", "a", "1", "y", "good"))
    lake.collected(Mode.MERGE, merged, key=(key, other), cursor=cursor, partition_by=(part,), expectations=(rule,))
    lake.collected(Mode.APPEND, added, expectations=(rule,))
    for dataset in (merged, added):
        loaded = lake.stage(first, columns, dataset=dataset, files=len(first))
        lake.run(f"{dataset}:load", loaded)
        left = [{key: "1", other: "a", cursor: "9"}] if dataset == merged else None
        files = LEAST_FILES if dataset == added else 1
        lake.run(f"{dataset}:load", lake.stage(second * files, columns, dataset=dataset, left=left, files=files))
    lake.run(f"{added}:load", lake.stage(first[:2], columns, dataset=added, again=loaded), rerun=True)
    maintain(lake, {"dataset": added})
    listed = ", ".join(map(quoted, names))
    lake.view(
        f"SELECT {listed} FROM {merged}", Mode.MERGE, view, (merged,), key=(key, other), partition_by=(part,), expectations=(rule,)
    )
    lake.view(f"SELECT {listed} FROM {view}", Mode.REPLACE, f"{result}:result", (view,), expectations=(rule,))
    for flow in (view, view, f"{result}:result"):
        lake.run(flow)
    found = {dataset.rpartition(".")[2]: Suite().read(lake.cloud, dataset) for dataset in (merged, added, view)}
    found["result"] = lake.cloud.rows(f"{result}:result").to_pylist()
    return {dataset: sorted(tuple(row[name] for name in names) for row in table) for dataset, table in found.items()}


@pytest.mark.deep
def test_what_is_done_with_a_table_does_not_depend_on_its_columns_names(lake: Lake, sent: list[str]) -> None:
    plain = done_with(lake, [f"x{number}" for number in range(5)], "plain")
    ours = words(sent) - {f"x{number}" for number in range(5)} - OURS
    assert {"k0", "c0", "ordered", "atoll_file", "file_row_number", "file_index", "filename", "r", "n", "t", "select"} <= ours
    taken = ["ordered", "n", "k0", "atoll_partition", "checked"]  # each in the part where it would do most harm
    names = [*taken, *sorted((ours | keywords()) - set(taken))]
    found = done_with(lake, names, "named")
    assert {dataset: [row[:5] for row in rows] for dataset, rows in found.items()} == plain
    assert {row[5:] for rows in found.values() for row in rows} == {tuple(str(n) for n in range(5, len(names)))}


def test_a_merge_goes_by_columns_that_are_called_as_those_by_which_it_goes(lake: Lake) -> None:
    """What the other test does with every word, with those that would do most harm."""
    names = (
        "n",
        "ordered",
        "atoll_partition",
        "file_row_number",
        "file_index",
        "filename",
        "atoll_file",
        "c0",
        "k0",
        "r",
        "t",
        "newest",
    )
    columns: list[Typed] = [(n, "long", pa.int64()) if n == "ordered" else (n, "string", pa.string()) for n in names]
    lake.collected(Mode.MERGE, key=names[:1], cursor=names[1], partition_by=names[2:3])
    for some in ((("1", 1, "x", "9"), ("1", 2, "x", "1"), ("2", 5, "y", "1")), (("2", 4, "y", "old"), ("3", 1, "y", "1"))):
        lake.load([dict.fromkeys(names, "z") | dict(zip(names, row, strict=False)) for row in some], columns, files=len(some))
    found = sorted(tuple(row[name] for name in names[:5]) for row in Suite().read(lake.cloud, FLIGHTS))
    assert found == [("1", 2, "x", "1", "z"), ("2", 5, "y", "1", "z"), ("3", 1, "y", "1", "z")]


def test_the_name_of_the_hidden_column_is_refused_and_never_lost(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.stage([{"id": 1, VIEW_BATCH: "x"}], [("id", "long", pa.int64()), (VIEW_BATCH, "string", pa.string())])
    assert "Atoll's own" in str(lake.run(f"{FLIGHTS}:load", record_errors=True).errors[FLIGHTS])
