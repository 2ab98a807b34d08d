"""What stays of a flow that lives for long, with ageing and without it, and what it costs that batches age.

    python -m benchmarks.ageing [--days 30] [--minutes 15] [--json]

A statement, which is a collect and a load, with the real metadata layer and the real ageing once a day over a DynamoDB in memory that
counts as AWS does. Each batch changes its table; the warehouse keeps a hundred batches, as it does where its program says nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from benchmarks.metered import TABLE, MeteredDynamoDB, size_of
from shared_metadata.contract.maintenance.ageing import Ageing
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Warehouse
from shared_metadata.program import Table as ProgramTable
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim, TableCommit
from shared_metadata.store import keys
from shared_metadata.store.writer import MetadataWriter

BEGINS, PLACE = datetime(2026, 11, 27, tzinfo=UTC), Position("program.sql", 1, 1)
COLLECT, LOAD, DATASET = "lake.crm", "lake.crm:load", "lake.crm.account"
MADE = {COLLECT: f"{DATASET}:staged", LOAD: DATASET}
LEASE_SECONDS, KEPT_BATCHES = 960, 100


@dataclass(frozen=True)
class Left:
    """After so many days: batches that were made, and of them the items, and their bytes, that stay. Units are of writing.

    units_a_batch: of claiming and committing it.  ageing_*: of all days, but for the seconds of CPU, which are those of a day.
    """

    days: int
    batches: int
    items: int
    kilobytes: int
    units_a_batch: float
    ageing_units_a_batch: float
    ageing_seconds_a_day: float
    lake_kilobytes_a_day: float


class Account:
    """In which one statement lives."""

    def __init__(self, minutes: int) -> None:
        self.dynamodb, self.now, self.length = MeteredDynamoDB(), BEGINS, timedelta(minutes=minutes)
        self.writer = MetadataWriter(self.dynamodb, TABLE, lambda: self.now)  # type: ignore[arg-type]
        self.made, self.lake, self.units, self.ageing_units = 0, 0, 0.0, 0.0
        self.seconds = 0.0
        seconds = minutes * 60
        collect = Flow(COLLECT, Kind.COLLECT, "collect.x", "lake", seconds, (ProgramTable(MADE[COLLECT], "account"),), PLACE,
                       connection="crm", mode=Mode.MERGE, key=("id",))  # fmt: skip
        tables = (ProgramTable(DATASET, inputs=(MADE[COLLECT],)),)
        load = Flow(LOAD, Kind.LOAD, "organize.x", "lake", seconds, tables, PLACE, mode=Mode.MERGE, key=("id",))
        program = Program({"crm": Connection("crm", "x", {}, PLACE)}, {"lake": Warehouse("lake", "x", {}, PLACE)},
                          {flow.id: flow for flow in (collect, load)})  # fmt: skip
        self.now += self.length
        self.writer.put_program(program)
        self.writer.activate(program, former_version="")
        self._version = program.version

    def day(self, *, ages: bool) -> None:
        start = self.writer.reader.flow_states([COLLECT])[COLLECT].tables[MADE[COLLECT]].watermark
        self.dynamodb.reset()
        for number in range(int(timedelta(days=1) / self.length)):
            interval = Interval(start + number * self.length, start + (number + 1) * self.length)
            self.now = interval.end + timedelta(seconds=1)
            for flow, dataset in MADE.items():
                self._batch(flow, dataset, interval)
        self.units += self.dynamodb.writes
        if ages:
            self._age()

    def _batch(self, flow: str, dataset: str, interval: Interval) -> None:
        owner = (
            f"arn:aws:states:eu-central-1:111122223333:execution:atoll-organize-iceberg:{flow}-{self.now:%Y%m%dT%H%MZ}-0123456789-0"
        )
        how = {"program_version": self._version, "owner": owner, "lease_seconds": LEASE_SECONDS, "entry": 1}
        held: Claim = self.writer.claim(flow, interval, (dataset,), **how)  # type: ignore[arg-type]
        for _ in ("load", "commit"):
            self.writer.renew(held, LEASE_SECONDS)
        pointer = {
            "manifest": f"staging/collect.x/{flow}/{interval.start:%Y%m%dT%H%M%SZ}/000001/{dataset}/manifest-0123456789abcdef.json"
        }
        self.writer.commit(held, [TableCommit(dataset, 10, 1000, 3.1, '{"until": "2026-11-27T12:15:00Z"}', pointer)])
        self.made += 1

    def _age(self) -> None:
        self.dynamodb.reset()
        self.now += timedelta(minutes=40)
        began, keep = time.process_time(), KEPT_BATCHES * self.length
        services: Any = SimpleNamespace(
            dynamodb=self.dynamodb,
            reader=self.writer.reader,
            clock=lambda: self.now,
            s3=SimpleNamespace(put_object=self._put_object),
            environment=SimpleNamespace(atoll_metadata_table=TABLE, atoll_data_bucket="data"),
        )
        retention = Retention(self.writer.reader, self.now)
        deadline: Any = SimpleNamespace(seconds_left=900.0)
        ageing = Ageing(services, retention, deadline)
        for flow, dataset in MADE.items():
            limits = retention.ages_before(flow, keep)
            ageing.versions(dataset, limits[dataset], keep)
            ageing.batches(flow, limits[dataset])
        self.seconds += time.process_time() - began
        self.ageing_units += self.dynamodb.writes

    def _put_object(self, *, Body: bytes, **_: Any) -> None:
        self.lake += len(Body)

    def left(self, days: int) -> Left:
        kinds = (keys.BATCH_PREFIX, keys.TABLE_PREFIX, keys.VERSION_PREFIX, keys.AGED)
        stay = [size_of(item) for (_, sk), item in self.dynamodb.tables[TABLE].items() if sk.startswith(kinds)]
        units = (round(one / self.made, 2) for one in (self.units, self.ageing_units))
        ageing = (round(self.seconds / days, 3), round(self.lake / 1000 / days, 1))
        return Left(days, self.made, len(stay), round(sum(stay) / 1000), *units, *ageing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[Left]] = {}
    for name, ages in (("without", False), ("with", True)):
        account, found[name] = Account(options.minutes), []
        for day in range(1, options.days + 1):
            account.day(ages=ages)
            if day in (options.days // 3, options.days):
                found[name].append(account.left(day))
    if options.json:
        print(json.dumps({name: [asdict(one) for one in every] for name, every in found.items()}))
        return
    titles = ("days", "batches", "items", "KB", "WCU/batch", "+ ageing", "s CPU/day", "lake KB/day")
    print(f"{'ageing':>8}" + "".join(f"{title:>12}" for title in titles))
    for name, every in found.items():
        for one in every:
            print(f"{name:>8}" + "".join(f"{value:>12}" for value in vars(one).values()))


if __name__ == "__main__":
    main()
