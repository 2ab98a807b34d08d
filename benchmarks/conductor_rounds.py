"""What a round of the conductor costs: requests, read units and processor time, with nothing due, with everything due or running.

    python -m benchmarks.conductor_rounds [--flows 1000 5000] [--runs 5] [--json]

The real rounds and the real boto3 over a DynamoDB in memory that counts, and a Step Functions that takes every start; all but the
network. Flows of an hour in chains of three, each with a state as commits leave it. Processor time is the median of the runs, of all
threads together: the function has one processor (conductor/stack.py), so that what it can start in a minute follows from it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import boto3

from benchmarks.counting_dynamodb import CountingDynamoDB, through_botocore
from conductor.environment import MEMORY_MB, STARTS_AT_ONCE, Environment
from conductor.handlers import CONNECTIONS
from conductor.starter import Starter
from shared_metadata.aws.client import aws_client
from shared_metadata.costs import prices
from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.entries import BEGINNING, Entry, Timeline
from shared_metadata.state.records import Batch, TableState, Worker
from shared_metadata.store import items, keys
from shared_metadata.store.writer import MetadataWriter

TABLE, ACCOUNT, REGION = "metadata", "123456789012", "eu-central-1"
HOUR, HERE = 3600, Position("program.sql", 1, 1)
END = datetime(2026, 11, 27, 12, tzinfo=UTC)
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
NOW = END + timedelta(minutes=30)
UNLIMITED = 10**6
MONTH_MINUTES, WHOLE_LOOKS = 365.25 / 12 * 1440, 365.25 / 12 * 24
GB = MEMORY_MB / 1024
START_QUOTA = (
    300  # a second, refilled, in the large regions: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
)


def chains(flows: int, length: int = 3, seconds: int = HOUR, *, covers: bool = False) -> Program:
    """So many flows, each of which reads the one before it in its chain. covers: one batch may be made of all that were missed."""
    made = {}
    for number in range(flows):
        name, before = f"lake.a.f{number:05}", f"lake.a.f{number - 1:05}"
        table = Table(name, inputs=(before,) if number % length else ())
        made[name] = Flow(name, Kind.VIEW, "organize.iceberg", "lake", seconds, (table,), HERE, query="SELECT 1", covers=covers)
    return Program({}, {}, made)


@dataclass
class StepFunctions:
    """Takes every start."""

    calls: Counter[str] = field(default_factory=Counter)

    def start_execution(self, *, stateMachineArn: str, name: str, **_: Any) -> dict[str, Any]:
        self.calls["StartExecution"] += 1
        return {"executionArn": f"{stateMachineArn}:{name}", "startDate": NOW.timestamp()}

    def describe_execution(self, **_: Any) -> dict[str, Any]:
        self.calls["DescribeExecution"] += 1
        return {"status": "RUNNING"}


class Account:
    """An account whose flows are all complete through a moment."""

    def __init__(self, program: Program) -> None:
        self.program, self.dynamodb, self.states = program, CountingDynamoDB(), StepFunctions()
        self.dynamodb.create_table(TableName=TABLE)
        self._session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)
        writer = MetadataWriter(self.dynamodb, TABLE, lambda: NOW)  # type: ignore[arg-type]
        writer.put_program(program)
        timeline = Timeline((Entry(program.version, BEGINNING, NOW),), 1)
        self.dynamodb.put(TABLE, items.to_item({**keys.timeline(), **items.timeline_values(timeline)}))
        self._writer = self.writer()

    def writer(self) -> MetadataWriter:
        client = aws_client(self._session, "dynamodb", connections=CONNECTIONS)
        through_botocore(client, self.dynamodb)
        return MetadataWriter(client, TABLE, lambda: NOW)

    def starter(self) -> Starter:
        """A process that has read the program."""
        states = aws_client(self._session, "stepfunctions", connections=CONNECTIONS, mode="adaptive")
        through_botocore(states, self.states)
        environment = Environment(TABLE, ACCOUNT, REGION, starts_at_once=STARTS_AT_ONCE, max_running=UNLIMITED)
        self._writer.reader.programs()
        return Starter(self._writer, states, environment, lambda *_: None)

    def complete(self, through: Callable[[Flow], datetime]) -> None:
        for flow in self.program.flows.values():
            state = TableState(through(flow), cursor='{"until": "2026-11-27T12:00:00Z"}', entry=1, begins=BEGAN)
            for table in flow.tables:
                self.dynamodb.put(TABLE, items.to_item(items.new_state(flow.id, table.dataset, state)))

    def claim_all(self) -> None:
        """An execution is at work on the next batch of each."""
        interval = Interval(END - timedelta(hours=1), END)
        for flow in self.program.flows.values():
            names = tuple(table.dataset for table in flow.tables)
            arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:atoll-organize-iceberg:{flow.id}"
            worker = Worker(1, arn, NOW + timedelta(minutes=16))
            batch = Batch(flow.id, interval, 1, names, self.program.version, {}, dict.fromkeys(names, worker))
            for item in (items.head_values(batch), *(items.batch_table_values(batch, name, {}) for name in names)):
                self.dynamodb.put(TABLE, items.to_item(item))

    def forget_claims(self) -> None:
        rows = self.dynamodb.tables[TABLE]
        for key in [key for key in rows if key[1].startswith((keys.BATCH_PREFIX, keys.TABLE_PREFIX))]:
            del rows[key]
        self.dynamodb._sorted.clear()


@dataclass(frozen=True)
class Figures:
    """Of one round. cpu_seconds: of one processor."""

    dynamodb: dict[str, int]
    read_units: int
    step_functions: dict[str, int]
    started: int
    running: int
    cpu_seconds: float


def measured(account: Account, starter: Starter, now: datetime) -> Figures:
    account.dynamodb.reset()
    account.states.calls.clear()
    began = time.process_time()
    done = starter.start_due(now)
    cpu = time.process_time() - began
    calls = dict(account.dynamodb.calls), dict(account.states.calls)
    return Figures(calls[0], account.dynamodb.read_units, calls[1], done.started, done.running, cpu)


def middle(runs: list[Figures]) -> Figures:
    """One of them, with the median of their processor times."""
    return Figures(**{**vars(runs[0]), "cpu_seconds": median(run.cpu_seconds for run in runs)})


def rounds(flows: int, runs: int) -> dict[str, Figures]:
    """What is asked, by name."""
    program = chains(flows)
    account = Account(program)
    account.complete(lambda _: END)
    whole, idle = [], []
    for _ in range(runs):
        starter = account.starter()
        whole.append(measured(account, starter, NOW))
        idle.append(measured(account, starter, NOW + timedelta(minutes=1)))
    behind, due, at_work = END - timedelta(hours=1), [], []
    alone = Account(chains(flows, length=1))
    alone.complete(lambda _: behind)
    for _ in range(runs):
        due.append(measured(alone, alone.starter(), NOW))
    alone.claim_all()
    for _ in range(runs):
        at_work.append(measured(alone, alone.starter(), NOW))
    names = ("nothing has happened", "a whole look, nothing due", "all are due", "all are being run")
    return dict(zip(names, map(middle, (idle, whole, due, at_work)), strict=True))


def month_dollars(found: dict[str, Figures]) -> float:
    """Of a month in which nothing is due: a round a minute, and a whole look each hour, at list prices; the clock included."""
    listed = {kind: price["price"] / 1e6 for kind, price in prices()["per_million"].items()}
    idle, whole = found["nothing has happened"], found["a whole look, nothing due"]
    units = MONTH_MINUTES * idle.read_units + WHOLE_LOOKS * whole.read_units
    seconds = MONTH_MINUTES * idle.cpu_seconds + WHOLE_LOOKS * whole.cpu_seconds
    calls = MONTH_MINUTES * (listed["lambda_invocation"] + listed["scheduler_invocation"])
    return calls + units * listed["dynamodb_read_unit"] + seconds * GB * listed["lambda_arm64_gb_second"]


def show(flows: int, found: dict[str, Figures]) -> None:
    print(f"\n{flows:,} flows")
    for name, figures in found.items():
        asked = ", ".join(f"{number:,} {call}" for call, number in {**figures.dynamodb, **figures.step_functions}.items())
        print(f"    {name:<28}{figures.cpu_seconds * 1000:9.1f} ms of CPU, {figures.read_units:6,} read units; {asked}")
    due = found["all are due"]
    a_minute = 60 * due.started / due.cpu_seconds
    print(f"    started in a minute of one processor: {a_minute:,.0f} (Step Functions' quota: {60 * START_QUOTA:,})")
    print(f"    a month with nothing due: {month_dollars(found):.2f} $")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--flows", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    found = {flows: rounds(flows, wanted.runs) for flows in wanted.flows}
    if wanted.json:
        print(json.dumps({flows: {name: vars(one) for name, one in figures.items()} for flows, figures in found.items()}, indent=2))
        return
    for flows, figures in found.items():
        show(flows, figures)


if __name__ == "__main__":
    main()
