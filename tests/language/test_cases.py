"""Golden cases: each `cases/*.sql` is one program, with its plan or its errors, and its layout, in files beside it.

`ATOLL_UPDATE_GOLDEN=1` writes the expected files anew; without it a missing or different one fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_program, format_program
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

CASES = Path(__file__).parent / "cases"
PROGRAMS = sorted(path for path in CASES.glob("*.sql") if not path.name.endswith(".format.sql"))
UPDATE = os.environ.get("ATOLL_UPDATE_GOLDEN") == "1"

COMPILING = [path for path in PROGRAMS if not path.stem.startswith("error_")]

every_compiling_case = pytest.mark.parametrize("case", COMPILING, ids=lambda path: path.stem)
every_case = pytest.mark.parametrize("case", PROGRAMS, ids=lambda path: path.stem)


def _expect(path: Path, actual: str | None) -> None:
    """`actual` is what the file holds; None is that there is no such file."""
    if UPDATE:
        path.unlink(missing_ok=True)
        if actual is not None:
            path.write_text(actual, encoding="utf-8", newline="")
    expected = path.read_bytes().decode() if path.exists() else None
    assert actual == expected, f"{path.name} differs: look at it, then run with ATOLL_UPDATE_GOLDEN=1"


def _read(case: Path) -> dict[str, str]:
    return {case.name: case.read_bytes().decode()}


def _plan(sources: Mapping[str, str], slices: Mapping[str, Slice]) -> str:
    plain = json.loads(compile_program(sources, slices).to_json())
    del plain["sources"]
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@every_case
def test_a_program_has_its_plan_or_its_errors(case: Path, slices: Mapping[str, Slice]) -> None:
    plan, errors = None, None
    try:
        plan = _plan(_read(case), slices)
    except ProgramErrors as found:
        errors = f"{found}\n"
    assert (errors is not None) == case.stem.startswith("error_")
    _expect(case.with_suffix(".plan.json"), plan)
    _expect(case.with_suffix(".errors.txt"), errors)


@every_case
def test_a_program_has_its_layout(case: Path) -> None:
    try:
        laid_out = format_program(case.read_bytes().decode(), case.name)
    except ProgramErrors:
        laid_out = None
    _expect(case.with_suffix(".format.sql"), laid_out)


@every_compiling_case
def test_a_plan_is_the_same_after_json(case: Path, slices: Mapping[str, Slice]) -> None:
    program = compile_program(_read(case), slices)
    again = Program.from_json(program.to_json())
    assert again == program and again.version == program.version


def test_every_expected_file_belongs_to_a_case() -> None:
    expected = {p for p in CASES.iterdir() if p not in PROGRAMS}
    assert {CASES / f"{p.name.split('.')[0]}.sql" for p in expected} <= set(PROGRAMS)
