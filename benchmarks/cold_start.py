"""Cold starts: what each function's process takes to import its handler and make its clients, beside boto3 and those clients alone.

python -m benchmarks.cold_start [--runs 7] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from slices.registry import installed

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pyarrow", "duckdb", "sqlglot", "pydantic", "pandas", "psycopg", "simple_salesforce", "pyiceberg")
CONTROL = ("plan", "commit", "discover")
CLIENTS = {
    "conductor": ("dynamodb", "stepfunctions"),
    "plan": ("dynamodb", "s3", "secretsmanager"),
    "commit": ("dynamodb", "s3"),
    "discover": ("dynamodb", "secretsmanager"),
}
FLOOR = """
import time; t = time.perf_counter()
import boto3
from botocore.config import Config
s = boto3.Session()
for name in {clients!r}: s.client(name, config=Config(retries={{"mode": "standard"}}))
print((time.perf_counter() - t) * 1000)
"""
OURS = """
import time; t = time.perf_counter()
import importlib, sys
importlib.import_module({module!r})
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.environment import Environment
s = Services(Environment("x", "x", "x"))
for name in {clients!r}: s._client(name)
elapsed = (time.perf_counter() - t) * 1000
print(elapsed, *[name for name in {heavy!r} if name in sys.modules])
"""


@dataclass(frozen=True)
class Start:
    """One function: medians in milliseconds, their ratio, and the heavy packages that its import loads."""

    function: str
    control: bool
    milliseconds: float
    floor_milliseconds: float
    heavy: tuple[str, ...]

    @property
    def ratio(self) -> float:
        return self.milliseconds / self.floor_milliseconds


def measure(runs: int) -> list[Start]:
    """Each function's starts, interleaved with those of its floor; one start of each is thrown away first."""
    functions = [("conductor", "conductor.handlers", CLIENTS["conductor"], True)]
    for declaration in installed().values():
        module = f"{declaration.package}.handlers"
        for step in declaration.steps:
            control = step in CONTROL and not (declaration.stage == "organize" and step == "commit")
            functions.append((f"{declaration.id}.{step}", module, CLIENTS.get(step, CLIENTS["commit"]), control))
    return [_measure_one(name, module, clients, control, runs) for name, module, clients, control in functions]


def _measure_one(name: str, module: str, clients: Sequence[str], control: bool, runs: int) -> Start:
    ours, floor = [], []
    heavy: tuple[str, ...] = ()
    for number in range(runs + 1):
        words = _run(OURS.format(module=module, clients=tuple(clients), heavy=HEAVY)).split()
        floor_words = _run(FLOOR.format(clients=tuple(clients))).split()
        if number:
            ours.append(float(words[0]))
            floor.append(float(floor_words[0]))
            heavy = tuple(words[1:])
    return Start(name, control, round(statistics.median(ours), 1), round(statistics.median(floor), 1), heavy)


def _run(code: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        print(json.dumps([{**asdict(start), "ratio": round(start.ratio, 2)} for start in found], indent=2))
        return
    print(f"{'function':<32}{'ms':>8}{'floor':>8}{'ratio':>7}  loads")
    for start in found:
        mark = "control" if start.control else ""
        print(
            f"{start.function:<32}{start.milliseconds:>8.0f}{start.floor_milliseconds:>8.0f}{start.ratio:>7.2f}  "
            f"{' '.join(start.heavy):<40}{mark}"
        )


if __name__ == "__main__":
    main()
