"""What `status`, `plan` and `apply` cost in an installation of many flows: requests, CPU and seconds.

    python -m benchmarks.commands [--views 1000 5000] [--latency 0.01] [--json]

The real client and the commands' own code over a DynamoDB in memory, which answers after the latency; every flow has run for a
day, and one view changes. The program stands there compiled: what compiling takes is benchmarks/compile.py's.
"""

from __future__ import annotations

import argparse
import io
import json
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.metered import TABLE, Measured, MeteredDynamoDB
from benchmarks.projects.stored import HOUR, edited, stored
from console.dataset_status import dataset_statuses
from console.restatement import effective_moment
from console.status import show
from console.update_set import update_set
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, floor
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.records import TableCommit
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.update_set.applying import switch_to

NOW = datetime(2026, 11, 27, 12, 30, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)


def measure(views: int, latency_seconds: float) -> dict[str, Measured]:
    """Command ▸ what it costs."""
    dynamodb = MeteredDynamoDB(latency_seconds)
    program, lineage = stored(views)
    found = {"first apply": Measured(dynamodb, lambda: _apply(dynamodb, program, lineage, BEFORE))}
    _run(dynamodb, program)
    changed = edited(program, views // 20)
    found["status"] = Measured(dynamodb, lambda: _status(dynamodb))
    found["plan"] = Measured(dynamodb, lambda: _plan(dynamodb, changed, lineage))
    found["apply"] = Measured(dynamodb, lambda: _apply(dynamodb, changed, lineage, NOW))
    return found


def _writer(dynamodb: MeteredDynamoDB, now: datetime = NOW) -> MetadataWriter:
    return MetadataWriter(dynamodb.client(), TABLE, lambda: now)


def _run(dynamodb: MeteredDynamoDB, program: Program) -> None:
    """One batch of every flow, as its steps would commit it."""
    writer, latency = MetadataWriter(dynamodb, TABLE, lambda: NOW), floor(BEFORE, HOUR) - timedelta(hours=1)  # type: ignore[arg-type]
    interval = Interval(latency, latency + timedelta(hours=1))
    for flow in program.flows.values():
        names = [table.dataset for table in flow.tables]
        claim = writer.claim(flow.id, interval, names, program_version=program.version, owner="x", lease_seconds=60, entry=1)
        pointer = {"table": flow.id, "snapshot_id": 1234567890123456789, "total_rows": 1000}
        writer.commit(claim, [TableCommit(name, 100, 100_000, 4.2, pointer=pointer) for name in names])


def _status(dynamodb: MeteredDynamoDB) -> None:
    reader = _writer(dynamodb).reader
    with redirect_stdout(io.StringIO()):
        show(dataset_statuses(reader, reader.active_program(), NOW))


def _plan(dynamodb: MeteredDynamoDB, program: Program, lineage: Lineage) -> None:
    reader = _writer(dynamodb).reader
    boundary = effective_moment(reader, program, NOW).effect.boundary
    update_set(reader, program, lineage, now=NOW, boundary=boundary)


def _apply(dynamodb: MeteredDynamoDB, program: Program, lineage: Lineage, now: datetime) -> None:
    writer = _writer(dynamodb, now)
    moment = effective_moment(writer.reader, program, now)
    update_set(writer.reader, program, lineage, now=now, boundary=moment.effect.boundary)
    writer.put_program(program, lineage)
    switch_to(writer, program, moment, by="somebody")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commands", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--views", nargs="+", type=int, default=[1000, 5000])
    parser.add_argument("--latency", type=float, default=0.01, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    found: dict[int, dict[str, Any]] = {}
    for views in wanted.views:
        found[views] = {command: one.plain() for command, one in measure(views, wanted.latency).items()}
        for command, one in found[views].items() if not wanted.json else ():
            said = f"{one['seconds']:>7.2f} s{one['cpu_seconds']:>8.2f} s of CPU{one['requests']:>8,} requests"
            print(f"{views:>6,} views  {command:<12}{said}{one['reads']:>8,} reads{one['writes']:>8,} writes")
    if wanted.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
