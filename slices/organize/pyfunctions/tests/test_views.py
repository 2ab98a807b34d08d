"""Views that call functions in Python, over the lake's own tables: compiled as a user's are, run as the state machines run them."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from slices.organize.pyfunctions import handlers
from slices.organize.pyfunctions.function import child, handler
from slices.organize.pyfunctions.function.process import run as in_a_process
from slices.organize.pyfunctions.slice import SLICE
from tests.conformance import engine_views
from tests.conformance.engine_views import EngineViews, EngineViewsConformance, carriers, forget_databases
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud, run_batch, shared_session
from tests.conformance.organize import FLIGHTS, ID, VIEW, Typed, flights

CODE = """
import os
import time

import pyarrow as pa


def same(rows: pa.Table) -> pa.Table:
    return rows


def lost(rows):
    return rows.append_column("more", rows["id"])


def failing(rows):
    raise KeyError(f"hidden-value {rows['carrier'][0]}")


def ending(rows):
    os._exit(3)


def slow(rows):
    time.sleep(600)
"""
Run = Callable[..., Mapping[str, Any]]


class MemoryLambda:
    """Lambda, whose functions run the handler as soon as they are invoked.  answers: whether they do."""

    def __init__(self) -> None:
        self.lock, self.invoked, self.answers = threading.RLock(), list[str](), True

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        assert InvocationType == "Event"
        self.invoked.append(FunctionName)
        if self.answers:
            handler.handle(json.loads(Payload), FakeContext(120))
        return {"StatusCode": 202}


class Views(EngineViews):
    """Each view reads the flights through a function that gives what it is given."""

    service: MemoryLambda

    def program(self, views: str, mode: str = "REPLACE", columns: list[Typed] | None = None, **how: Any) -> None:
        known = ", ".join(f"{_quoted(name)} {duckdb_type(kind)}" for name, kind, _ in columns or ID) + ", _batch TIMESTAMPTZ"
        function = f"CREATE FUNCTION same ({known}) RETURNS TABLE ({known}) USING python WITH (handler = 'passing.code:same');\n"
        through = re.sub(rf"\b(FROM|JOIN) {re.escape(FLIGHTS)}\b(?!\.)", rf"\1 same({FLIGHTS})", views)
        super().program(function + through, mode, columns, **how)

    def submitted(self) -> int:
        return len(self.service.invoked)


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def here(job: Mapping[str, Any], folder: Path, seconds: float, log: Callable[[str], None]) -> dict[str, Any]:
    """As process.run, in the test's own process, which takes a tenth of the time."""
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    child.main(str(file))
    found: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return found if "error" in found else {**found, "file": str(folder / "made.parquet")}


def serve(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, run: Run = here) -> Views:
    service = MemoryLambda()
    monkeypatch.setitem(shared_session()._in_memory, "lambda", service)  # type: ignore[attr-defined]
    monkeypatch.setattr(boto3, "client", shared_session().client)
    monkeypatch.setattr(handler, "run", run)
    made = Views(cloud, SLICE, handlers.open_driver)
    made.service, made.engine = service, "duckdb"
    return made


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "passing").mkdir()
    (tmp_path / "passing" / "code.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "passing", raising=False)
    monkeypatch.delitem(sys.modules, "passing.code", raising=False)
    return tmp_path


@pytest.mark.deep
class TestThroughAFunction(EngineViewsConformance):
    engine = "duckdb"

    # Of engines that take over from DuckDB, which computes these views, or that write files with a table's own field ids.
    test_with_auto_what_fits_is_computed_here_and_what_does_not_by_the_engine_with_the_same_rows = None  # type: ignore[assignment]
    test_a_file_has_the_field_ids_of_the_table_that_takes_it_also_when_columns_come = None  # type: ignore[assignment]
    test_rows_that_were_written_for_another_state_of_the_table_are_not_taken = None  # type: ignore[assignment]
    test_a_program_without_its_sources_schemas_cannot_run_here = None  # type: ignore[assignment]
    # A function sees the columns that it declares, and this one no `_deleted`.
    test_a_deleted_row_is_not_seen_unless_it_is_asked_for = None  # type: ignore[assignment]

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Views:
        return serve(cloud, monkeypatch)

    def test_every_type_is_written_as_it_is_read(  # type: ignore[override]
        self, lake: EngineViews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """But for maps, which functions are not given."""
        monkeypatch.setattr(engine_views, "TYPES", [each for each in engine_views.TYPES if not each[1].startswith("map")])
        super().test_every_type_is_written_as_it_is_read(lake)

    def test_calls_of_one_step_beside_one_another_are_one_statement(self, lake: EngineViews) -> None:
        """They may run the code several times, and into one place: its rows are those of any of them."""
        lake.program(carriers())
        lake.load(flights((1, "AA", 1.0), (2, "UA", 2.0)))
        (state,) = lake.steps().plan(lake.cloud.event(VIEW), FakeContext())["work"]
        with ThreadPoolExecutor(3) as pool:
            first, *_ = pool.map(lambda _: lake.steps().refresh(state, FakeContext()), range(3))
        lake.steps().commit(first, FakeContext())
        assert sorted(r["carrier"] for r in lake.rows(VIEW)) == ["AA", "UA"] and lake.submitted() <= 3


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch, code: Path) -> Iterator[Views]:
    for cloud in open_cloud(monkeypatch):
        yield serve(cloud, monkeypatch, lambda *given: in_a_process(*given, project=code))  # type: ignore[misc]
        forget_databases(cloud)


def calling(function: str, seconds: int = 60) -> str:
    options = f"WITH (handler = 'passing.code:{function}', timeout_seconds = {seconds})"
    columns = "id BIGINT, carrier VARCHAR"
    return f"""CREATE FUNCTION called ({columns}) RETURNS TABLE ({columns}) USING python {options};
CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT carrier FROM called({FLIGHTS});"""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("lost", "called: passing/code.py:lost gave a column more, which RETURNS has not"),
        (
            "failing",
            f"called: passing/code.py:failing raised KeyError at passing/code.py:{CODE.partition('raise')[0].count(chr(10)) + 1}",
        ),
        ("ending", "called: passing/code.py:ending ended its process with exit code 3"),
        ("nothing", "called: passing/code.py has no function nothing"),
    ],
)
def test_code_that_goes_wrong_is_told_by_its_place(lake: Views, function: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    lake.program(calling(function))
    lake.load(flights((1, "AA")))
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert said in str(error) and "hidden-value" not in str(error)
    assert ("hidden-value" in capfd.readouterr().err) is (function == "failing")
    assert lake.submitted() == 1


def test_code_that_does_not_end_is_ended(lake: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "SPARE_SECONDS", 119)
    lake.program(calling("slow"))
    lake.load(flights((1, "AA")))
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert "passing/code.py:slow did not end within 1 s" in str(error) and "timeout_seconds" in str(error)


def test_a_function_that_never_answers_is_told_once_its_time_is_over(lake: Views) -> None:
    lake.program(calling("same", seconds=10))
    lake.load(flights((1, "AA")))
    lake.service.answers = False
    steps = OrganizeSteps(SLICE, lake.cloud.services(SLICE.id), handlers.open_driver)

    def later(_: str) -> FakeContext:
        lake.cloud.clock.advance(seconds=100)
        return FakeContext()

    (error,) = run_batch(steps, lake.cloud.event(VIEW), context=later, record_errors=True).errors.values()
    assert "called gave no answer within its time" in str(error) and lake.submitted() == 1
