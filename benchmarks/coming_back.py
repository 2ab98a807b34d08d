"""Coming back after two hours: how soon the deployed airline is at work again, and when it has caught up.

    python -m benchmarks.coming_back [--minutes 130] [--json]

It deploys the example into an embedded AWS of its own, changes its sources, stops the machine, moves all that is recorded so far
back, and starts it again. So each flow has missed that many batches of a minute, as if the machine had stood still meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from console.dataset_status import dataset_statuses
from examples.airline import crm
from examples.airline.demo import Demo, boundary_after
from infra import embedded
from infra.embedded import EmbeddedAws, aws
from shared_metadata.program import Program
from shared_metadata.program.intervals import floor, from_text, to_text
from shared_metadata.state.records import TableState

MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
POLL_SECONDS, MOST_SECONDS = 0.5, 1800


@dataclass
class Return:
    """Seconds since the machine was started again; batches: of each dataset, within the missed time.

    covers: the first batch runs that covers several intervals, `most_covered` at most.  moves: the first dataset has got on.
    complete: all are complete through the moment of the start.
    """

    missed: int
    load: float
    covers: float = 0.0
    moves: float = 0.0
    complete: float = 0.0
    most_covered: int = 0
    batches: dict[str, int] = field(default_factory=dict)  # no Counter: `asdict` would count its items


def stopped_for(stack: EmbeddedAws, dsn: str, away: timedelta) -> None:
    """Stops the machine, and moves all that is recorded so far back: the metadata table's moments and the target's receipts."""
    gateway = stack.folders.read().gateway
    assert gateway is not None
    aws.stop(stack.folders, gateway)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE atoll.receipts SET batch_start = batch_start - %(a)s, batch_end = batch_end - %(a)s", {"a": away})
    embedded.down(stack.folders.root)
    record = stack.folders.aws / "state" / "dynamodb.json"
    record.write_text(MOMENT.sub(lambda found: to_text(from_text(found[0]) - away), record.read_text()))


def come_back(demo: Demo, program: Program, away: timedelta) -> Return:
    """Changes the sources, stops the machine and starts it again; ends when all is complete through the minute of the change."""
    missed = away // timedelta(minutes=1)
    before = {name: table.watermark - away for name, table in _tables(demo, program).items()}
    demo.changes()
    changed = boundary_after(datetime.now(UTC))
    stopped_for(demo.stack, demo.dsn, away)
    began = time.monotonic()
    embedded.up(demo.stack.folders.root)
    moment, found = floor(datetime.now(UTC), 60), Return(missed, os.getloadavg()[0])
    while time.monotonic() < began + MOST_SECONDS:
        statuses, passed = dataset_statuses(demo.target.reader, program, datetime.now(UTC)), time.monotonic() - began
        found.most_covered = max(found.most_covered, *(one.running_covers for one in statuses))
        found.covers = found.covers or (passed if found.most_covered > 1 else 0.0)
        through = {one.dataset: from_text(one.complete_through) for one in statuses}
        found.moves = found.moves or (passed if any(through[name] > moment for name, moment in before.items()) else 0.0)
        if min(through.values()) >= moment:
            found.complete = passed
            break
        time.sleep(POLL_SECONDS)
    demo.wait(program, changed, f"waiting for the batches that end at {changed:%H:%M} UTC")
    found.batches = _batches(demo, program, min(before.values()), moment)
    return found


def _tables(demo: Demo, program: Program) -> dict[str, TableState]:
    states = demo.target.reader.states_of(program.datasets())
    return {name: table for state in states.values() for name, table in state.tables.items()}


def _batches(demo: Demo, program: Program, since: datetime, until: datetime) -> dict[str, int]:
    """Of each dataset the batches that begin within the time that was missed."""
    found, reader = dict[str, int](), demo.target.reader
    for flow in program.flows.values():
        for table in flow.tables:
            batches = reader.batches(flow.id, table.dataset, 1000)
            found[table.dataset] = sum(since <= batch.interval.start < until for batch in batches)
    return found


def measure(away: timedelta) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        stack = embedded.up(Path(folder))
        try:
            demo = Demo(stack, Path(folder) / "crm")
            demo.sources()
            compilation = demo.deploy()
            demo.wait(compilation.program, demo.apply(compilation), "the first batches")
            found = come_back(demo, compilation.program, away)
            differences = [one for one in demo.reconciled() if not one.same]
        finally:
            crm.down(Path(folder) / "crm")
            embedded.down(Path(folder))
    return {**asdict(found), "differences": len(differences)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coming_back", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=int, default=130)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    found = measure(timedelta(minutes=wanted.minutes))
    if wanted.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['missed']} missed batches of each of {len(found['batches'])} datasets, at a load of {found['load']:.0f}")
    print(f"  {found['covers']:6.1f} s  the first batch runs that covers more than one, of {found['most_covered']} at most")
    print(f"  {found['moves']:6.1f} s  the first dataset has got on")
    print(f"  {found['complete']:6.1f} s  all are complete, {found['differences']} differences to the sources")
    for dataset, count in sorted(found["batches"].items(), key=lambda one: -one[1]):
        print(f"  {count:6} batches of {dataset}")


if __name__ == "__main__":
    main()
