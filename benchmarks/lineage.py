"""What a function needs for the lineage of a large program: memory and CPU of a first commit's look, and of a look at drift.

    python -m benchmarks.lineage [--views 1000 5000] [--json]

Each look is a fresh process with the real client, as a function of 256 MB starts; DynamoDB is in memory in the process beside it. A
look reads the program, as every step does; beside it: the program alone, and all of the lineage.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.metered import TABLE, MeteredDynamoDB, client_at, peak_megabytes, served
from benchmarks.projects.stored import SOURCE, stored
from shared_metadata.drift.changes import classify
from shared_metadata.program import Program
from shared_metadata.program.schema import Schema
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.writer import MetadataWriter

SMALL_FUNCTION_CPUS = 256 / 1769  # Lambda gives a CPU for 1,769 MB


def measure(views: int) -> dict[str, dict[str, Any]]:
    """Look ▸ peak memory in MB, CPU seconds after the imports, items read."""
    dynamodb = MeteredDynamoDB()
    program, lineage = stored(views)
    MetadataWriter(dynamodb, TABLE).put_program(program, lineage)  # type: ignore[arg-type]
    found = {}
    with served(dynamodb) as port:
        for name in LOOKS:
            command = [sys.executable, "-m", "benchmarks.lineage", "--look", name, str(port), program.version]
            dynamodb.reset()
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name] = {**json.loads(said), "reads": dynamodb.reads}
    return found


def _program(reader: MetadataReader, version: str) -> Program:
    return reader.program(version)


def _first_commit(reader: MetadataReader, version: str) -> object:
    lineage, program = reader.lineage(version), reader.program(version)
    assert lineage is not None
    return lineage.datasets[next(name for name in program.flows if "view" in name)]


def _drift(reader: MetadataReader, version: str) -> object:
    lineage, program = reader.lineage(version), reader.program(version)
    assert lineage is not None
    gone = Schema(tuple(c for c in SOURCE.columns if c.name != "price"))
    return classify(SOURCE, gone, "ops.public.source_003", lineage, program)


def _all(reader: MetadataReader, version: str) -> object:
    lineage = reader.lineage(version)
    assert lineage is not None
    return reader.program(version), dict(lineage.datasets)


LOOKS: dict[str, Callable[[MetadataReader, str], object]] = {
    "the program alone": _program,
    "a first commit": _first_commit,
    "a drift": _drift,
    "all of it": _all,
}


def look(name: str, port: str, version: str) -> dict[str, float]:
    """In a process of its own."""
    client = client_at(port)
    began = time.process_time()
    kept = LOOKS[name](MetadataReader(client, TABLE), version)
    cpu, peak = time.process_time() - began, peak_megabytes()
    assert kept is not None
    return {
        "peak_megabytes": round(peak),
        "cpu_seconds": round(cpu, 2),
        "seconds_of_256_megabytes": round(cpu / SMALL_FUNCTION_CPUS, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--views", nargs="+", type=int, default=[1000, 5000])
    parser.add_argument("--look", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.look:
        print(json.dumps(look(*wanted.look)))
        return
    found = {views: measure(views) for views in wanted.views}
    if wanted.json:
        print(json.dumps(found, indent=2))
        return
    for views, looks in found.items():
        for name, one in looks.items():
            small = f"{one['seconds_of_256_megabytes']:>6.1f} s of a function of 256 MB"
            figures = f"{one['peak_megabytes']:>5} MB{one['cpu_seconds']:>7.2f} s of CPU,{small},{one['reads']:>7,.0f} reads"
            print(f"{views:>6,} views  {name:<20}{figures}")


if __name__ == "__main__":
    main()
