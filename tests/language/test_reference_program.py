"""The reference program in the SQL of each engine that the deep suite deploys it with: it compiles, whatever the day's suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.project import compile_files
from tests.e2e.test_engines import SAID, write_program


@pytest.mark.parametrize("engine", SAID)
def test_the_reference_program_compiles_for_each_engine(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path, engine)
    monkeypatch.chdir(tmp_path)
    assert len(compile_files(["program.sql"]).flows) == 13 + 1 + 4  # a view that sets rows aside, and each view as DuckDB has it
