"""Each benchmark of the metadata layer, of the conductor and of the compiler runs at its smallest size, and finds something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmarks
from benchmarks.projects.layouts import WAREHOUSES

BENCHMARKS = Path(benchmarks.__file__).parent
# They run on this machine alone, with what is in memory. The others have a database, a lake or an account to measure, or a peer.
SMALLEST = {
    "ageing": "--days 3 --minutes 720",
    "catch_up": "--batches 2",
    "commands": "--views 20 --latency 0",
    "compile": "--views 12 --only atoll",
    "conductor_rounds": "--flows 20 --runs 1",
    "lineage": "--views 20",
    "many_tables": "--tables 10",
    "outage": "--flows 3 --batches 2",
    "verify": "--flows 2 --batches 3",
}
IN_MEMORY = ("benchmarks.metered", "benchmarks.counting_dynamodb", "benchmarks.projects")


def figures(found: Any) -> list[float]:
    """All figures of an answer, however deep."""
    if isinstance(found, dict | list):
        return [figure for one in (found.values() if isinstance(found, dict) else found) for figure in figures(one)]
    return [found] if isinstance(found, int | float) else []


CASES = [*SMALLEST.items(), *(("compile", f"{SMALLEST['compile']} --dialect {dialect}") for dialect in WAREHOUSES)]


@pytest.mark.deep
@pytest.mark.budget(120)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_benchmark_runs_and_finds_something(name: str, arguments: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments.split(), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = figures(json.loads(ran.stdout))
    assert found and max(found) > 0


def test_every_benchmark_that_measures_in_memory_is_among_them() -> None:
    files = {file.stem: file.read_text() for file in BENCHMARKS.glob("[a-z]*.py")}
    commands = {name: text for name, text in files.items() if "argparse" in text}
    assert {name for name, text in commands.items() if any(one in text for one in IN_MEMORY)} <= set(SMALLEST)
    assert set(SMALLEST) <= set(commands)
