"""What a batch of one flow of many tables (`TABLES (…)`) writes, and what the conductor reads of it: both have to grow as these do.

    python -m benchmarks.many_tables [--tables 10 100 1000 3000] [--json]

The real conductor and the real metadata layer over a DynamoDB in memory that counts as AWS does: each table is claimed, extends its
lease twice and commits, by the executions that the conductor starts. Of what lies between, at the source and in S3, there is nothing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.metered import TABLE, MeteredDynamoDB, size_of
from conductor.environment import Environment
from conductor.starter import Starter
from shared_metadata.contract.batch_input import resolve
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.records import Claim, TableCommit
from shared_metadata.store import keys
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import CountsCalls
from tests.memory.dynamodb import Item

HOUR, LEASE_SECONDS, COLUMNS = 3600, 960, 20
BEGINS = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
PLACE = Position("program.sql", 1, 1)
FLOW, SLICE = "lake.crm", "collect.salesforce"


@dataclass(frozen=True)
class Batch:
    """What one batch of all tables costs. bytes: of all items that were written.  look_*: of a round that finds them due."""

    executions: int
    write_units: int
    bytes_written: int
    requests: int
    largest_item: int
    largest_input: int
    look_requests: int
    look_read_units: int


class CountingDynamoDB(MeteredDynamoDB):
    """Counts also the bytes of what is written of flows."""

    def reset(self) -> None:
        super().reset()
        self.bytes_written = self.largest = 0

    def _put(self, action: Any, item: Item | None) -> None:
        super()._put(action, item)
        if item is not None:
            self.bytes_written += size_of(item)
            self.largest = max(self.largest, size_of(item) if item["pk"]["S"].startswith(keys.FLOW_PREFIX) else 0)


class StepFunctions:
    """Keeps the inputs of what is started."""

    def __init__(self) -> None:
        self.inputs: list[str] = []

    def start_execution(self, *, input: str, **_: Any) -> dict[str, Any]:
        self.inputs.append(input)
        return {"startDate": datetime.now(UTC) + timedelta(days=365)}


def program(tables: int) -> Program:
    """One statement that collects so many tables."""
    made = tuple(
        Table(f"lake.crm.custom_object_{number:04d}__c:staged", f"Custom_Object_{number:04d}__c") for number in range(tables)
    )
    flow = Flow(FLOW, Kind.COLLECT, SLICE, "lake", HOUR, made, PLACE, connection="crm", mode=Mode.MERGE, key=("id",))
    connection = Connection("crm", "salesforce", {"secret": "crm"}, PLACE)
    return Program({"crm": connection}, {"lake": Warehouse("lake", "iceberg", {}, PLACE)}, {FLOW: flow})


class Account:
    """In which the program was applied, and its flow never ran."""

    def __init__(self, tables: int) -> None:
        self.dynamodb, self.states, self.now = CountingDynamoDB(), StepFunctions(), BEGINS
        self._requests = CountsCalls(self.dynamodb)
        self.writer = MetadataWriter(self._requests, TABLE, lambda: self.now)  # type: ignore[arg-type]
        applied = program(tables)
        self.writer.put_program(applied)
        self.writer.activate(applied, former_version="")
        environment = Environment(TABLE, "111122223333", "eu-central-1")
        self._starter = Starter(self.writer, self.states, environment, lambda *_: None)  # type: ignore[arg-type]

    def batch(self) -> Batch:
        """The next one, of all tables."""
        self.states.inputs.clear()
        self._reset()
        self._starter.start_due(self.now)
        look = self._requests.calls.total(), round(self.dynamodb.reads)
        self._reset()
        for asked in self.states.inputs:
            self._execute(json.loads(asked))
        self.now += timedelta(seconds=HOUR)
        counted, inputs = self.dynamodb, self.states.inputs
        figures = (round(counted.writes), counted.bytes_written, self._requests.calls.total(), counted.largest, max(map(len, inputs)))
        return Batch(len(inputs), *figures, *look)

    def _reset(self) -> None:
        self.dynamodb.reset()
        self._requests.calls.clear()

    def _execute(self, asked: dict[str, Any]) -> None:
        reader = self.writer.reader
        (wanted,) = resolve(asked, reader.programs(), reader, SLICE, self.now)
        owner = f"arn:aws:states:eu-central-1:111122223333:execution:atoll-{SLICE}:{FLOW}-{self.now:%Y%m%dT%H%MZ}-0123456789-0"
        version = reader.active_version()
        held = self.writer.claim(
            FLOW, wanted.interval, wanted.datasets, program_version=version, owner=owner, lease_seconds=LEASE_SECONDS, entry=1
        )
        for dataset in held.datasets:
            one = Claim(FLOW, held.interval, held.token, (dataset,), version, entry=1)
            for _ in ("extract", "commit"):
                self.writer.renew(one, LEASE_SECONDS)
            self.writer.commit(one, [_commit(one, dataset)])


def _commit(claim: Claim, dataset: str) -> TableCommit:
    staging = f"staging/{SLICE}/{FLOW}/{claim.interval.start:%Y%m%dT%H%M%SZ}/{claim.token:06d}/{dataset.replace(':', '/')}"
    return TableCommit(
        dataset,
        rows=10,
        bytes=1000,
        seconds=3.1,
        cursor='{"until": "2026-11-27T12:15:00Z"}',
        pointer={"manifest": f"{staging}/manifest-0123456789abcdef.json"},
        schema=Schema(tuple(SchemaColumn(f"column_{number:02d}", "string") for number in range(COLUMNS))),
        layout={"format": "parquet"},
    )


def measure(tables: int) -> dict[str, Batch]:
    """The first batch registers each table's schema; the second is as all that follow."""
    account = Account(tables)
    return {"first": account.batch(), "later": account.batch()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tables", type=int, nargs="+", default=[10, 100, 1000, 3000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {tables: measure(tables) for tables in options.tables}
    if options.json:
        print(json.dumps({tables: {name: asdict(one) for name, one in batches.items()} for tables, batches in found.items()}))
        return
    print(f"{'tables':>7} {'batch':>6} {'executions':>10} {'WCU':>8} {'WCU/table':>9} {'KB':>8} {'requests':>8} "
          f"{'item':>6} {'input':>6} {'look: requests':>14} {'RCU':>6}")  # fmt: skip
    for tables, batches in found.items():
        for name, one in batches.items():
            print(f"{tables:7} {name:>6} {one.executions:10} {one.write_units:8} {one.write_units / tables:9.1f} "
                  f"{one.bytes_written // 1024:8} {one.requests:8} {one.largest_item:6} {one.largest_input:6} "
                  f"{one.look_requests:14} {one.look_read_units:6}")  # fmt: skip


if __name__ == "__main__":
    main()
