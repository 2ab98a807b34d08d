"""What `atoll state verify` needs: memory, CPU and reads, as flows and their batches become more.

    python -m benchmarks.verify [--flows 20 200] [--batches 100] [--days 0] [--json]

Each look is a fresh process with the real client; DynamoDB is in memory in the process beside it. Every batch has made a version. Of
batches of so many days before those, which have aged, the events are left.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.metered import TABLE, MeteredDynamoDB, client_at, peak_megabytes, served
from benchmarks.projects.stored import stored
from shared_metadata.program import Flow, Program
from shared_metadata.program.intervals import Interval, floor, to_text
from shared_metadata.state.records import Batch, Claim, EventKind, Moved, TableCommit, TableOutcome, TableState, TableStatus, Worker
from shared_metadata.store import items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification.verify import verify

HOUR = timedelta(hours=1)
NOW = floor(datetime.now(UTC), 3600)


def measure(flows: int, batches: int, days: int) -> dict[str, Any]:
    """flows: views.  batches: of each flow.  days: of aged batches before them."""
    dynamodb = MeteredDynamoDB()
    program, lineage = stored(flows)
    writer = MetadataWriter(dynamodb, TABLE)  # type: ignore[arg-type]
    writer.put_program(program, lineage)
    writer.activate(program, former_version="")
    count = sum(_lived(dynamodb, program, flow, batches, 24 * days) for flow in program.flows.values())
    events = count + 24 * days * len(program.flows)
    dynamodb.reset()
    with served(dynamodb) as port:
        command = [sys.executable, "-m", "benchmarks.verify", "--look", str(port)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {**json.loads(said), "batches": count, "events": events, "reads": dynamodb.reads}


def _lived(dynamodb: MeteredDynamoDB, program: Program, flow: Flow, batches: int, aged: int) -> int:
    """What a flow leaves that has run for so many hours, and for others before them. Returns the number of recorded batches."""
    make, begins = Actions(TABLE), NOW - batches * HOUR
    names = [table.dataset for table in flow.tables]
    put = [items.new_state(flow.id, name, TableState(NOW, "7", entry=1, begins=begins - aged * HOUR)) for name in names]
    if aged:
        summary = AgedBatches(begins, 1, aged, begins - aged * HOUR, begins - HOUR)
        put.append({**keys.aged_batches(flow.id), **summary.values()})
    actions = []
    for number in range(-aged, batches):
        interval = Interval(begins + number * HOUR, begins + (number + 1) * HOUR)
        claim = Claim(flow.id, interval, 1, tuple(names), program.version, entry=1)
        detail = {"datasets": dict.fromkeys(names, 10), "end": to_text(interval.end)}
        actions.append(make.event(EventKind.BATCH_COMPLETED, interval.end, claim, names[0], detail))
        if number < 0:
            continue
        outcome = TableOutcome(TableStatus.COMMITTED, 10, 1000, 4.2, 0, token=1, pointer={"snapshot_id": "1", "table": flow.id})
        worker = Worker(1, f"arn:aws:states:eu-central-1:123456789012:execution:atoll-organize-iceberg:{flow.id}", interval.end)
        outcomes, workers = dict.fromkeys(names, outcome), dict.fromkeys(names, worker)
        batch = Batch(flow.id, interval, 1, tuple(names), program.version, outcomes, workers)
        put.append(items.head_values(batch))
        put += (items.batch_table_values(batch, name, {name: Moved("7", 1)}) for name in names)
        actions += [make.version(claim, TableCommit(name, 10, pointer=outcome.pointer), 0) for name in names]
    for action in (*({"Put": {"TableName": TABLE, "Item": items.to_item(values)}} for values in put), *actions):
        ((kind, asked),) = action.items()
        getattr(dynamodb, f"{kind.lower()}_item")(**asked)
    return batches


def look(port: str) -> dict[str, Any]:
    """In a process of its own."""
    client = client_at(port)
    began = time.process_time()
    found = verify(client, TABLE, lambda _: {})
    assert not found.differences, found.differences[0]
    return {"peak_megabytes": round(peak_megabytes()), "cpu_seconds": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--flows", nargs="+", type=int, default=[20, 200])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--days", type=int, default=0)
    parser.add_argument("--look", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.look:
        print(json.dumps(look(wanted.look)))
        return
    found = {flows: measure(flows, wanted.batches, wanted.days) for flows in wanted.flows}
    if wanted.json:
        print(json.dumps(found, indent=2))
        return
    for flows, one in found.items():
        figures = f"{one['peak_megabytes']:>5} MB{one['cpu_seconds']:>8.1f} s of CPU{one['reads']:>9,.0f} reads"
        print(f"{flows:>6,} views{one['batches']:>9,} batches{one['events']:>11,} events{figures}")


if __name__ == "__main__":
    main()
