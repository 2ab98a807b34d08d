"""`atoll` starts fast: what a verb does not need is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.init import PROGRAM

HEAVY = {"boto3", "botocore", "aws_cdk", "pyarrow", "duckdb", "psycopg", "pyiceberg", "moto", "rich"}
COMPILER = {"sqlglot", "pydantic"}
ENGINE = {"duckdb", "pyarrow"}  # which reads a warehouse's queries; its Python package brings the other in


def imported(folder: Path, *arguments: str) -> set[str]:
    code = (
        f"import sys, console.main; sys.argv = ['atoll', *{list(arguments)!r}]\n"
        "try: console.main.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('modules', *{name.split('.')[0] for name in sys.modules})"
    )
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    return set(found.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"], ["init"]])
def test_help_and_init_import_nothing_heavy(folder: Path, arguments: list[str]) -> None:
    assert imported(folder, *arguments) & (HEAVY | COMPILER) == set()


def test_check_and_format_import_the_compiler_and_no_sdk(folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM)
    assert imported(folder, "format") & HEAVY == set()
    assert imported(folder, "check") & HEAVY <= ENGINE
