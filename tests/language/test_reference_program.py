"""The reference program in the SQL of each engine that the deep suite deploys it with: it compiles, whatever the day's suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.project import compile_files
from tests.e2e.engine_programs import SAID, write_beside


@pytest.mark.parametrize("engine", SAID)
def test_the_reference_program_compiles_for_each_engine(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each view as DuckDB has it, too."""
    write_beside(tmp_path, engine)
    monkeypatch.chdir(tmp_path)
    assert len(compile_files(["program.sql"]).flows) == 13 + 1 + 4  # the program's, a view that sets rows aside, and views beside
