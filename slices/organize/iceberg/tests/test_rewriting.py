"""A commit that takes longer than a function runs stops in time, and goes on where it was; nothing half done is ever seen."""

from __future__ import annotations

import time
from typing import Any

import boto3
import pytest
from pyiceberg.exceptions import NoSuchTableError

from infra import workflows
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.errors import DefinitionError, Unfinished
from shared_metadata.program import Mode
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_maintenance import MANY, filled, lake, maintain
from slices.organize.iceberg.tests.test_tables import table
from systems.iceberg import engine, rewriting
from systems.iceberg.changes import Changes
from systems.iceberg.engine import CUT_SECONDS, Engine
from tests.conformance.fixtures import FakeContext
from tests.conformance.organize import FLIGHTS, Lake, flights

__all__ = ["lake"]
FEW = 4
SHORT = CUT_SECONDS + 30.0  # a call that has time for one group
LOAD = f"{FLIGHTS}:load"


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is a group of its own."""
    monkeypatch.setattr(rewriting, "GROUP_BYTES", 1)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files of each group that is written anew, in order."""
    found: list[list[str]] = []
    rewrite = rewriting.Rewriting.of

    def watched(self: Any, removed: Any, write: Any, engine: Any) -> Any:
        def telling(files: Any) -> Any:
            found.append([file.file_path for file in files])
            return write(files)

        return rewrite(self, removed, telling, engine)

    monkeypatch.setattr(rewriting.Rewriting, "of", watched)
    return found


def few(lake: Lake) -> None:
    """A table of FEW rows, each in a file of its own."""
    lake.collected(Mode.MERGE, key=("id",))
    lake.load(flights(*((number, "AA") for number in range(FEW))), files=FEW)


def changed(lake: Lake, rows: int = FEW) -> dict[str, Any]:
    """A batch whose keys are in every file, but for its commit; the state."""
    interval = lake.stage(flights(*((number, "UA") for number in range(rows))))
    return lake.until_commit(LOAD, interval=interval)


def carriers(lake: Lake) -> list[tuple[int, str]]:
    return sorted((row["id"], row["carrier"]) for row in Suite().read(lake.cloud, FLIGHTS))


def test_a_commit_without_time_for_all_goes_on_where_it_was_and_writes_nothing_twice(lake: Lake, written: list[list[str]]) -> None:
    few(lake)
    state, before = changed(lake), carriers(lake)
    for number in range(FEW):
        with pytest.raises(Unfinished, match=f"{number + 1} of {FEW} groups"):
            lake.steps().commit(state, FakeContext(SHORT))
        assert carriers(lake) == before, "nothing is visible before the end"
    assert lake.steps().commit(state, FakeContext(SHORT))["status"] == "COMMITTED"
    assert carriers(lake) == [(number, "UA") for number in range(FEW)]
    assert len(written) == FEW == len({path for group in written for path in group})


def test_a_version_tells_the_rows_and_bytes_of_the_files_that_its_batch_wrote_anew(lake: Lake) -> None:
    few(lake)
    sizes = [file["file_size_in_bytes"] for file in table(lake).inspect.data_files().to_pylist()]
    lake.load(flights((0, "UA"), (1, "UA"), (FEW, "UA")))
    version = lake.cloud.reader.latest_version(FLIGHTS)
    assert version is not None and version.pointer["total_rows"] == FEW + 1
    assert version.pointer["rewritten_rows"] == 2 and min(sizes) * 2 <= version.pointer["rewritten_bytes"] <= max(sizes) * 2
    assert version.pointer["total_bytes"] > version.pointer["rewritten_bytes"]
    lake.load(flights((FEW + 1, "AA")))
    after = lake.cloud.reader.latest_version(FLIGHTS)
    assert after is not None and (after.pointer["rewritten_rows"], after.pointer["rewritten_bytes"]) == (0, 0)


def test_with_time_for_all_one_call_is_enough(lake: Lake, written: list[list[str]]) -> None:
    few(lake)
    assert lake.steps().commit(changed(lake), FakeContext())["status"] == "COMMITTED"
    assert carriers(lake) == [(number, "UA") for number in range(FEW)] and len(written) == FEW


def test_maintenance_in_between_costs_only_what_it_has_put_together(lake: Lake, written: list[list[str]]) -> None:
    filled(lake, Mode.MERGE)
    state = changed(lake, MANY)
    for _ in range(3):
        with pytest.raises(Unfinished):
            lake.steps().commit(state, FakeContext(SHORT))
    assert maintain(lake)["tables"][0]["compacted_files"]
    assert lake.steps().commit(state, FakeContext())["status"] == "COMMITTED"
    assert carriers(lake) == [(number, "UA") for number in range(MANY)]


def test_rows_that_another_batch_brings_in_between_are_kept(lake: Lake, written: list[list[str]]) -> None:
    few(lake)
    first = lake.cloud.reader.first_version(FLIGHTS)
    assert first is not None
    state = changed(lake)
    for _ in range(2):
        with pytest.raises(Unfinished):
            lake.steps().commit(state, FakeContext(SHORT))
    lake.load(flights((0, "AA"), (1000, "ZZ")), again=first.interval)
    assert lake.steps().commit(state, FakeContext())["status"] == "COMMITTED"
    assert carriers(lake) == [*((number, "UA") for number in range(FEW)), (1000, "ZZ")]
    assert len(written) > FEW, "what was written from the former rows was thrown away"


def cut_off(monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    """The time for DuckDB's work is over while it writes this group."""
    write, calls = Changes._write, iter(range(100))

    def cut(self: Changes, engine: Engine, query: str) -> Any:
        if next(calls) == group:
            engine.fetch("SELECT 1")
            engine._cut_monotonic = time.monotonic()
            engine.fetch("SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000) b")
        return write(self, engine, query)

    monkeypatch.setattr(Changes, "_write", cut)


def test_a_group_that_is_cut_off_is_written_in_the_next_call(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    few(lake)
    state = changed(lake)
    cut_off(monkeypatch, 2)
    with pytest.raises(Unfinished, match=f"2 of {FEW}"):
        lake.steps().commit(state, FakeContext())
    assert lake.steps().commit(state, FakeContext())["status"] == "COMMITTED"
    assert carriers(lake) == [(number, "UA") for number in range(FEW)]


def test_a_first_group_that_takes_longer_than_a_call_says_what_to_change(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    few(lake)
    state, before = changed(lake), carriers(lake)
    cut_off(monkeypatch, 0)
    with pytest.raises(DefinitionError, match=r"before the function's time limit.*PARTITION BY"):
        lake.steps().commit(state, FakeContext())
    assert carriers(lake) == before


def test_files_that_cannot_all_be_looked_at_in_time_commit_nothing(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    interval = lake.stage(flights((1, "AA"), (2, "AA")), files=2)
    state = lake.until_commit(LOAD, interval=interval)
    with pytest.raises(DefinitionError, match=r"before the function's time limit.*target_file_mb"):
        lake.steps().commit(state, FakeContext(5))
    with pytest.raises(NoSuchTableError):
        table(lake)
    assert lake.steps().commit(state, FakeContext())["status"] == "COMMITTED"


def test_an_interrupt_between_two_statements_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB forgets one that comes while nothing runs, such as when a commit lists the table's files: what followed had no limit."""
    monkeypatch.setattr(engine, "open_duckdb", lambda _: open_duckdb(boto3.Session("test", "test", region_name="eu-central-1")))
    with Engine(None, "organize.iceberg", "p.sql:1:1", 128, time.monotonic() + CUT_SECONDS + 0.2) as opened:
        opened.fetch("SELECT 1")
        time.sleep(1.5)
        with pytest.raises(DefinitionError, match="time limit"):
            opened.fetch("SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000) b")
        assert opened.cut


def test_a_step_that_says_unfinished_is_called_again_at_once_and_often() -> None:
    rule = next(rule for rule in workflows.RETRY if Unfinished.__name__ in rule["ErrorEquals"])
    assert rule["IntervalSeconds"] == 1 and rule["MaxAttempts"] == 100 and rule["ErrorEquals"] == ["Unfinished"]
    assert workflows.RETRY.index(rule) == 0
