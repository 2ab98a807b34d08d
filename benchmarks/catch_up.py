"""How long a chain of flows takes to catch up after an outage: a simulation of time over the conductor's real decision.

    python -m benchmarks.catch_up [--batches 96] [--collect 4] [--load 8] [--view 6] [--latency 2] [--json]

Collect, load and view, each of 15 minutes, have missed so many batches. An execution takes the given seconds; its commit's event
reaches the conductor `latency` seconds later (the stream is polled four times a second, and records are gathered for up to a
second). `due_batches` decides what starts, at each event and at each minute of the clock. Beside it: the clock alone.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.state.records import FlowState, TableState
from shared_metadata.state.schedule import due_batches

QUARTER = 900
ORIGIN = datetime(2026, 11, 23, tzinfo=UTC)
HERE = Position("program.sql", 1, 1)


@dataclass(frozen=True)
class CaughtUp:
    """Seconds until nothing is due any more, with commit events and with the clock alone."""

    events_seconds: float
    clock_seconds: float


def catch_up(batches: int, seconds: Mapping[str, float], latency: float) -> CaughtUp:
    """seconds: of one execution of each flow; each flow reads the one before it."""
    return CaughtUp(_simulate(batches, seconds, latency, events=True), _simulate(batches, seconds, latency, events=False))


def _simulate(batches: int, seconds: Mapping[str, float], latency: float, *, events: bool) -> float:
    program = _chain(list(seconds))
    states = {name: FlowState(name, {name: TableState(ORIGIN)}) for name in seconds}
    began = ORIGIN + timedelta(seconds=batches * QUARTER)
    running: dict[str, datetime] = {}  # flow ▸ the end of its batch
    moments: list[tuple[float, int, str]] = [(0.0, 0, "")]  # when, order, whose execution ends; '' asks the conductor
    order, done = 0, 0.0
    while moments:
        now, _, ended = heapq.heappop(moments)
        if ended:
            states[ended] = FlowState(ended, {ended: TableState(running.pop(ended))})
            done = now
            if events:
                order += 1
                heapq.heappush(moments, (now + latency, order, ""))
            continue
        for batch in due_batches(program, states, began):
            if batch.flow not in running:
                running[batch.flow] = batch.interval.end
                order += 1
                heapq.heappush(moments, (now + seconds[batch.flow], order, batch.flow))
        if now % 60 == 0 and running:
            order += 1
            heapq.heappush(moments, (now + 60, order, ""))
    return done


def _chain(names: list[str]) -> Program:
    inputs = [(), *((name,) for name in names)]
    flows = {
        name: Flow(name, Kind.VIEW, "organize.simulated", "lake", QUARTER, (Table(name, inputs=read),), HERE)
        for name, read in zip(names, inputs, strict=False)
    }
    return Program({}, {}, flows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--batches", type=int, default=96)
    for name, seconds in (("collect", 4.0), ("load", 8.0), ("view", 6.0), ("latency", 2.0)):
        parser.add_argument(f"--{name}", type=float, default=seconds, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    flows = {"collect": wanted.collect, "load": wanted.load, "view": wanted.view}
    found = catch_up(wanted.batches, flows, wanted.latency)
    if wanted.json:
        print(json.dumps(asdict(found)))
        return
    print(f"{wanted.batches} missed batches of collect, load and view, {flows} seconds each, events after {wanted.latency} s:")
    for way, seconds in (("by commit events", found.events_seconds), ("by the clock alone", found.clock_seconds)):
        print(f"    {way:<20}{seconds / 60:6.1f} minutes")


if __name__ == "__main__":
    main()
