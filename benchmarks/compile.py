"""Compiles the same generated views with Atoll, SQLMesh and dbt: from nothing, with one view changed, and with none.

    python -m benchmarks.compile [--views 250] [--runs 1] [--only atoll sqlmesh dbt] [--dialect duckdb] [--json]
    python -m benchmarks.compile --linear 250 1000 5000 [--runs 1] [--json]

Each measurement is a fresh process, timed as a whole, and its processor seconds with those of its children. Atoll runs `atoll check`:
every column typed and traced to its sources. SQLMesh loads the project and makes its plan without executing it, on DuckDB in
memory; dbt parses: neither types nor column lineage. Both are installed on demand, as benchmarks/peers.txt pins them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.projects.generate import DUCKDB, edited, generate
from benchmarks.projects.layouts import LAYOUTS, VIEWS, WAREHOUSES

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".atoll" / "peers"
PINS = Path(__file__).with_name("peers.txt")
SQLMESH = """
from sqlmesh import Context
print(len(Context(paths=".").plan_builder(skip_tests=True).build().new_snapshots), "models")
"""
CASES = ("nothing known", "one view changed", "none changed")


@dataclass(frozen=True)
class Tool:
    """command: run in the project's folder.  kept: what it keeps there from run to run.

    said: what its output must contain; models: views and sources.
    """

    command: tuple[str, ...]
    kept: tuple[str, ...]
    said: str


TOOLS = {
    "atoll": Tool((sys.executable, "-m", "console.main", "check", "."), (".atoll",), "No mistakes"),
    "sqlmesh": Tool((str(PEERS / "bin" / "python"), "-c", SQLMESH), (".cache",), "{models} models"),
    "dbt": Tool((str(PEERS / "bin" / "dbt"), "--no-send-anonymous-usage-stats", "parse"), ("target", "logs"), "Performance info"),
}


@dataclass(frozen=True)
class Time:
    """Seconds by the clock, and on processors."""

    seconds: float
    processor_seconds: float


def compare(views: int, runs: int, tools: Sequence[str], dialect: str) -> dict[str, dict[str, Time]]:
    """Case ▸ tool ▸ medians; runs of the tools take turns."""
    project = generate(views, dialect=dialect)
    found: dict[str, dict[str, list[Time]]] = {case: {tool: [] for tool in tools} for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        for name in tools:
            LAYOUTS[name](project, Path(folder) / name)
        for run in range(runs):
            for name in tools:
                at = Path(folder) / name
                for kept in TOOLS[name].kept:
                    shutil.rmtree(at / kept, ignore_errors=True)
                for case in CASES:
                    if case == "one view changed":
                        VIEWS[name](edited(project.views[views // 2 + run]), at)
                    found[case][name].append(_measure(TOOLS[name], at, len(project.views) + len(project.sources)))
    return {case: {tool: _median(times) for tool, times in by_tool.items()} for case, by_tool in found.items()}


def linear(sizes: Sequence[int], runs: int) -> dict[int, Time]:
    """Views ▸ medians of Atoll's compiling them from nothing; the sizes take turns."""
    found: dict[int, list[Time]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            LAYOUTS["atoll"](generate(size), Path(folder) / str(size))
        for _ in range(runs):
            for size in sizes:
                shutil.rmtree(Path(folder) / str(size) / ".atoll", ignore_errors=True)
                found[size].append(_measure(TOOLS["atoll"], Path(folder) / str(size)))
    return {size: _median(times) for size, times in found.items()}


def _measure(tool: Tool, folder: Path, models: int = 0) -> Time:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(ROOT)}
    if tool is not TOOLS["atoll"]:
        del environment["PYTHONPATH"]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(tool.command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or tool.said.format(models=models) not in done.stdout:
        raise SystemExit(f"{' '.join(tool.command)} failed:\n{done.stdout}{done.stderr}")
    return Time(seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _median(times: Sequence[Time]) -> Time:
    return Time(
        round(statistics.median(time.seconds for time in times), 2),
        round(statistics.median(time.processor_seconds for time in times), 2),
    )


def install_peers() -> None:
    """SQLMesh and dbt in an environment of their own; a second call finds them there."""
    stamp = PEERS / PINS.name
    if stamp.exists() and stamp.read_text() == PINS.read_text():
        return
    print(f"installing SQLMesh and dbt into {PEERS.relative_to(ROOT)}", file=sys.stderr, flush=True)
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)], check=True)
    python = str(PEERS / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", str(PINS)], check=True)
    stamp.write_text(PINS.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile", description=__doc__)
    parser.add_argument("--views", type=int, default=250)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=sorted(TOOLS), default=list(TOOLS))
    parser.add_argument("--linear", nargs="+", type=int, metavar="VIEWS")
    parser.add_argument("--dialect", choices=WAREHOUSES, default=DUCKDB, help="the views' (dbt reads none of it)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.linear:
        sizes = linear(options.linear, options.runs)
        if options.json:
            print(json.dumps({size: vars(found) for size, found in sizes.items()}, indent=2))
            return
        for size, found in sizes.items():
            each = found.processor_seconds / size * 1000
            print(f"{size:>6,} views{found.seconds:>9.2f} s{found.processor_seconds:>9.2f} s of CPU,{each:>6.1f} ms a view")
        return
    if set(options.only) - {"atoll"}:
        install_peers()
    cases = compare(options.views, options.runs, options.only, options.dialect)
    if options.json:
        print(json.dumps({case: {tool: vars(found) for tool, found in tools.items()} for case, tools in cases.items()}, indent=2))
        return
    print(f"{options.views:,} views of 15 columns; medians of {options.runs}; seconds, and seconds of CPU")
    print(f"{'':<20}" + "".join(f"{tool:>18}" for tool in options.only))
    for case, tools in cases.items():
        print(f"{case:<20}" + "".join(f"{tools[t].seconds:>9.2f}{tools[t].processor_seconds:>9.2f}" for t in options.only))


if __name__ == "__main__":
    main()
