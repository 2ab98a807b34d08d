"""What `atoll state verify` needs: memory, CPU and reads, as flows and their batches become more.

    python -m benchmarks.verify [--flows 20 200] [--batches 100] [--days 0] [--json]

Each look is a fresh process with the real client; the account in the process beside it makes what lies in a partition when that is
asked for, so that it may have any size. Every flow runs each hour, and every batch has made a version. With --days the last view has
stood still for so long: the events of all flows are read back to then, though the batches of the others, but for the last ones, have
aged.
"""

from __future__ import annotations

import argparse
import bisect
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from benchmarks.metered import PAGE_BYTES, TABLE, MeteredDynamoDB, client_at, peak_megabytes, served, size_of
from shared_metadata.program import Flow
from shared_metadata.program.intervals import Interval, floor, to_text
from shared_metadata.state.records import Batch, Claim, EventKind, Moved, TableCommit, TableOutcome, TableState, TableStatus, Worker
from shared_metadata.store import items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification.verify import verify
from tests.memory.dynamodb import Item, _Expression

HOUR = timedelta(hours=1)
NOW = floor(datetime.now(UTC), 3600)
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:atoll-organize-iceberg:"


@dataclass(frozen=True)
class Life:
    """The hours of a flow: batches from `aged` on left events, those from `recorded` on records; the last one ended at `through`."""

    aged: datetime
    recorded: datetime
    through: datetime


class Account(MeteredDynamoDB):
    """An account of so many views, with what they have left. Items are written by the metadata layer's own actions."""

    def __init__(self, views: int, batches: int, days: int) -> None:
        from benchmarks.projects.stored import (
            stored,
        )  # what makes programs takes memory, and the process that is measured needs none of it

        super().__init__()
        self.program, lineage = stored(views)
        self._makes, self._producers = Actions(TABLE), self.program.producers
        self._sorted_partition = lru_cache(6)(lambda pk: sorted(self.partition(pk), key=_sort_key))
        writer = MetadataWriter(self, TABLE)  # type: ignore[arg-type]
        writer.put_program(self.program, lineage)
        writer.activate(self.program, former_version="")
        begins, recorded = NOW - timedelta(days=days) - batches * HOUR, NOW - batches * HOUR
        self.lives = dict.fromkeys(self.program.flows, Life(begins, recorded, NOW))
        if days:
            standing = NOW - timedelta(days=days)
            self.lives[list(self.program.flows)[-1]] = Life(standing - 2 * HOUR, standing - HOUR, standing)
        self._stays = {flow.id: list(self._standing(flow)) for flow in self.program.flows.values()}
        for item in (item for found in self._stays.values() for item in found):
            self.put_item(TableName=TABLE, Item=item)
        self.batches = sum((life.through - life.recorded) // HOUR for life in self.lives.values())
        self.events = sum((life.through - life.aged) // HOUR for life in self.lives.values())
        self.reset()

    def query(self, *, TableName: str, Limit: int = 10**9, **asked: Any) -> dict[str, Any]:
        found = self._sorted_partition(asked["ExpressionAttributeValues"][":pk"]["S"])
        if not found or "AND" in asked["KeyConditionExpression"]:
            return super().query(TableName=TableName, Limit=Limit, **asked)
        after = asked.get("ExclusiveStartKey")
        begin = bisect.bisect_right(found, after["sk"]["S"], key=_sort_key) if after else 0
        end, size = begin, 0
        while end < len(found) and end - begin < Limit and size <= PAGE_BYTES:
            size, end = size + size_of(found[end]), end + 1
        page = found[begin:end]
        self._read(page)
        more = {"LastEvaluatedKey": {name: page[-1][name] for name in ("pk", "sk")}} if end < len(found) else {}
        kept = _Expression.of(asked, "FilterExpression").condition() if "FilterExpression" in asked else bool
        return {"Items": list(filter(kept, page)), **more}

    def _standing(self, flow: Flow) -> Iterator[Item]:
        life = self.lives[flow.id]
        for table in flow.tables:
            yield items.to_item(items.new_state(flow.id, table.dataset, TableState(life.through, "7", entry=1, begins=life.aged)))
        if life.aged < life.recorded:
            aged = AgedBatches(life.recorded, 1, (life.recorded - life.aged) // HOUR, life.aged, life.recorded - HOUR)
            yield items.to_item({**keys.aged_batches(flow.id), **aged.values()})

    def partition(self, pk: str) -> Iterator[Item]:
        """What a flow, a dataset or a day has, in no order."""
        if pk.startswith(keys.FLOW_PREFIX):
            yield from self._of_flow(self.program.flows[pk.removeprefix(keys.FLOW_PREFIX)])
        elif pk.startswith(keys.DATASET_PREFIX):
            yield from self._versions(pk.removeprefix(keys.DATASET_PREFIX))
        elif pk.startswith(keys.EVENT_PREFIX):
            yield from self._events_of(datetime.fromisoformat(pk.removeprefix(keys.EVENT_PREFIX)).replace(tzinfo=UTC))

    def _of_flow(self, flow: Flow) -> Iterator[Item]:
        yield from self._stays[flow.id]
        life, names = self.lives[flow.id], tuple(table.dataset for table in flow.tables)
        for interval in hours(life.recorded, life.through):
            outcome = TableOutcome(TableStatus.COMMITTED, 10, 1000, 4.2, 0, token=1, pointer=_pointer(flow, interval))
            outcomes, workers = dict.fromkeys(names, outcome), dict.fromkeys(names, Worker(1, f"{EXECUTION}{flow.id}", interval.end))
            batch = Batch(flow.id, interval, 1, names, self.program.version, outcomes, workers)
            yield items.to_item(items.head_values(batch))
            yield from (items.to_item(items.batch_table_values(batch, name, {name: Moved("7", 1)})) for name in names)

    def _versions(self, dataset: str) -> Iterator[Item]:
        flow = self._producers[dataset]
        for interval in hours(self.lives[flow.id].recorded, self.lives[flow.id].through):
            made = self._makes.version(self._claim(flow, interval), TableCommit(dataset, 10, pointer=_pointer(flow, interval)), 0)
            yield _written(made)

    def _events_of(self, day: datetime) -> Iterator[Item]:
        for flow in self.program.flows.values():
            life, names = self.lives[flow.id], [table.dataset for table in flow.tables]
            for interval in hours(max(life.aged, day - HOUR), min(life.through, day + 23 * HOUR)):
                detail = {"datasets": dict.fromkeys(names, 10), "end": to_text(interval.end)}
                claim = self._claim(flow, interval)
                yield _written(self._makes.event(EventKind.BATCH_COMPLETED, interval.end, claim, names[0], detail))

    def _claim(self, flow: Flow, interval: Interval) -> Claim:
        return Claim(flow.id, interval, 1, tuple(table.dataset for table in flow.tables), self.program.version, entry=1)


def _written(action: dict[str, Any]) -> Item:
    """The item that an action leaves which nothing was there before."""
    ((kind, asked),) = action.items()
    if kind == "Put":
        return asked["Item"]  # type: ignore[no-any-return]
    written: Item = dict(asked["Key"])
    _Expression.of(asked, "UpdateExpression").update(written)
    return written


def _sort_key(item: Item) -> str:
    return item["sk"]["S"]  # type: ignore[no-any-return]


def hours(since: datetime, until: datetime) -> Iterator[Interval]:
    return (Interval(since + number * HOUR, since + (number + 1) * HOUR) for number in range(max((until - since) // HOUR, 0)))


def _pointer(flow: Flow, interval: Interval) -> dict[str, str]:
    return {"snapshot_id": f"{interval.start.timestamp():.0f}", "table": flow.id}


def measure(views: int, batches: int, days: int) -> dict[str, Any]:
    """batches: of each flow that are recorded.  days: for which one of the views has stood still."""
    account = Account(views, batches, days)
    with served(account) as port:
        command = [sys.executable, "-m", "benchmarks.verify", "--look", str(port)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {**json.loads(said), "batches": account.batches, "events": account.events, "reads": account.reads}


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
