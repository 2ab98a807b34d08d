"""What an idle flow costs: the requests of an empty batch of a 50-table collect flow, counted and priced for a month; and what
the stacks cost standing still.

    python -m benchmarks.cost [--tables 50] [--minutes 15] [--json]

The real steps of collect.postgres and the real conductor run in this process against the embedded AWS, whose DynamoDB reports
the capacity that each request consumed; state transitions are those of the real state machine. Prices are in
shared_metadata/aws_prices.json.

Counted: invocations, seconds, log bytes, DynamoDB's capacity, requests to S3, Secrets Manager and KMS that the functions make (to
KMS they make none). Taken from AWS's documentation, because AWS sends them by itself and no emulator does: the KMS requests of

- DynamoDB, whose table is encrypted with the program's key: "The key is refreshed once every 5 minutes per client connection with
  active traffic" (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html). There are four
  connections: that of each function, and that of Lambda's reader of the stream, which is always active.
- S3, which with a bucket key asks KMS "at least once per requester" and then not "for a limited time period"
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html); the period is not told, so each request counts as one.
- Secrets Manager: nothing, under its own key aws/secretsmanager (https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html).

Not known: what CloudWatch Logs asks KMS for its encrypted groups; AWS does not document it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import psycopg

from benchmarks.standing_cost import standing_cost
from benchmarks.written_items import write_units
from conductor.environment import MEMORY_MB
from conductor.environment import Environment as ConductorEnvironment
from conductor.freshness import Freshness
from conductor.starter import Starter
from infra.embedded import EmbeddedAws, down, up
from infra.embedded.ports import free_port
from language import compile_program
from shared_metadata import naming
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler
from shared_metadata.contract.runtime.meter import DYNAMODB_READS, S3_PUTS, capacity_units
from shared_metadata.contract.runtime.services import Services
from shared_metadata.costs import prices
from shared_metadata.store.writer import MetadataWriter
from slices.registry import installed

PRICES = prices()
MONTH_SECONDS = 365.25 / 12 * 86400
GB = {"plan": 256 / 1024, "conductor": MEMORY_MB / 1024, "maintain": 2.0}  # memory of the functions, as their stacks say
EMPTY_BATCH_TRANSITIONS = 3  # Plan, Planned, Done; tests/infra/test_workflows.py holds them to it
# START, END and REPORT with its trace, which Lambda writes for every invocation: about this many bytes
PLATFORM_LOG_BYTES = 450
KMS_REFRESH_SECONDS = 300


@dataclass
class Counted:
    """What one invocation used: requests by kind as in aws_prices.json, write units by item, seconds, bytes logged."""

    requests: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    log_bytes: int = 0


class Meter:
    """Counts the AWS requests of clients made from a session."""

    def __init__(self, session: Any) -> None:
        self.counted = Counted()
        events = session._session
        events.register("provide-client-params.dynamodb", self._ask)
        events.register("after-call", self._count)

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        known = "ReturnConsumedCapacity" in model.input_shape.members
        self.counted.written += write_units(model.name, params)
        return {**params, "ReturnConsumedCapacity": "TOTAL"} if known else params

    def _count(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        self.counted.calls[f"{service}:{operation}"] += 1
        requests = self.counted.requests
        if service == "dynamodb":
            units = capacity_units(parsed)
            if operation == "BatchGetItem":  # the emulator leaves it out; a consistent read is a unit for each 4 KB of an item
                found = (item for items in parsed["Responses"].values() for item in items)
                units = sum(math.ceil(len(json.dumps(item)) / 4096) for item in found)
            kind = "read" if operation in DYNAMODB_READS else "write"
            requests[f"dynamodb_{kind}_unit"] += units  # type: ignore[assignment]
        elif service == "s3":
            requests["s3_put" if operation in S3_PUTS else "s3_get"] += 1
        elif service == "secretsmanager":
            requests["secrets_request"] += 1
        elif service == "kms":
            requests["kms_request"] += 1

    @contextlib.contextmanager
    def invocation(self) -> Iterator[Counted]:
        """One call of a Lambda function."""
        self.counted, out, started = Counted(), io.StringIO(), time.perf_counter()
        with contextlib.redirect_stdout(out):
            yield self.counted
        self.counted.seconds = time.perf_counter() - started
        self.counted.log_bytes = len(out.getvalue().encode()) + PLATFORM_LOG_BYTES
        self.counted.requests["lambda_invocation"] += 1


class Context:
    """A Lambda context with time to spare."""

    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@dataclass
class Idle:
    """A flow whose source has not changed since its last batch, on an embedded AWS."""

    local: EmbeddedAws
    tables: int
    minutes: int
    now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __post_init__(self) -> None:
        os.environ.update({"AWS_ENDPOINT_URL": self.local.endpoint, "AWS_CA_BUNDLE": str(self.local.ca_bundle)})
        os.environ.update({"POWERTOOLS_TRACE_DISABLED": "true", "ATOLL_SLICE_ID": "collect.postgres"})
        self.session = self.local.session()
        self.meter = Meter(self.session)
        self._make_account()
        self._make_source()
        environment = Environment("collect.postgres", naming.METADATA_TABLE, "cost")
        self.services = Services(environment, self.session, lambda: self.now)
        self._activate(self.services.writer)
        self.now -= timedelta(minutes=self.minutes)  # a new flow starts at the interval that ended last

    def _make_account(self) -> None:
        self.session.client("s3").create_bucket(Bucket="cost")
        keys = ("pk", "sk")
        self.session.client("dynamodb").create_table(
            TableName=naming.METADATA_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": n, "KeyType": t} for n, t in zip(keys, ("HASH", "RANGE"), strict=True)],
        )
        at = urlparse(self.local.database("cost"))
        secret = {"host": at.hostname, "port": at.port, "dbname": "cost", "username": at.username, "sslmode": "disable"}
        secret["password"] = unquote(at.password or "")
        self.session.client("secretsmanager").create_secret(Name=naming.secret("ops"), SecretString=json.dumps(secret))

    def _make_source(self) -> None:
        with psycopg.connect(self.local.database("cost"), autocommit=True) as connection:
            for number in range(self.tables):
                columns = ", ".join(f"c{n} text" for n in range(10))
                connection.execute(f"CREATE TABLE t{number:02d} (id int PRIMARY KEY, updated_at timestamptz, {columns})")
                connection.execute(f"INSERT INTO t{number:02d} VALUES (1, '2026-11-01')")

    def _activate(self, writer: MetadataWriter) -> None:
        names = ", ".join(f"t{number:02d}" for number in range(self.tables))
        text = (
            "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
            f"INSERT INTO lake.ops FROM ops TABLES ({names}) EVERY '{self.minutes} minutes' MERGE ON (id) CURSOR updated_at;"
        )
        program = compile_program({"idle.sql": text}, installed())
        writer.put_program(program)
        writer.activate(program, former_version="")

    def advance(self) -> dict[str, Any]:
        """The next batch's input, when its interval has just ended."""
        start, self.now = self.now, self.now + timedelta(minutes=self.minutes)
        return {"flow": "lake.ops", "start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"}


def measure(idle: Idle) -> dict[str, Counted]:
    """The invocations of an idle month: conductor and maintenance with nothing due, and the plan of an empty batch."""
    from shared_metadata.contract.collect import CollectSteps
    from slices.collect.postgres.client import open_source
    from slices.collect.postgres.slice import SLICE

    steps = CollectSteps(SLICE, idle.services, lambda connection, secret: open_source(connection, secret, aws=idle.session))
    plan = LambdaHandler("plan", lambda: steps.plan)
    _run_batch(steps, idle.advance())
    for _ in range(2):  # the first warms connections and caches, as most of a month's are
        wanted = idle.advance()
        with idle.meter.invocation() as planned:
            done = plan({"input": wanted, "owner": f"benchmark-{wanted['start']}"}, Context())
    if done["work"] or done["failed"]:
        raise SystemExit(f"the batch is not empty: {str(done)[:500]}")
    environment = ConductorEnvironment(naming.METADATA_TABLE, idle.local.account, idle.local.region)
    conductor = Starter(idle.services.writer, idle.session.client("stepfunctions"), environment, lambda *_: None)
    freshness = Freshness(idle.services.writer)
    for _ in range(2):
        with idle.meter.invocation() as clock:
            conductor.start_due(idle.now)
            freshness.check(conductor.known, idle.now)  # in truth every fifth minute
    return {"plan": planned, "conductor": clock, "maintain": _maintenance(idle)}


def _maintenance(idle: Idle) -> Counted:
    """An hourly call that finds nothing due. The first call looks at every table, since nobody has before."""
    from shared_metadata.contract.maintenance.step import MaintainStep
    from slices.organize.iceberg.handlers import open_driver
    from slices.organize.iceberg.slice import SLICE

    services = Services(Environment(SLICE.id, naming.METADATA_TABLE, "cost"), idle.session, lambda: idle.now)
    maintain = LambdaHandler("maintain", lambda: MaintainStep(SLICE, services, open_driver))
    for _ in range(3):
        with idle.meter.invocation() as counted:
            done = maintain({}, Context())
    if done["tables"]:
        raise SystemExit(f"maintenance is due: {str(done)[:500]}")
    return counted


def _run_batch(steps: Any, wanted: dict[str, Any]) -> None:
    for state in steps.plan({"input": wanted, "owner": "benchmark-first"}, Context())["work"]:
        table = {name: value for name, value in state.items() if name != "parts"}
        for part in state["parts"]:
            while not steps.extract({**table, "part": part}, Context())["done"]:
                pass
        steps.commit(table, Context())


def month(found: Mapping[str, Counted], minutes: int) -> dict[str, float]:
    """Dollars of a month, by what is paid for: every batch's plan, the conductor on the clock and after every batch,
    and hourly maintenance with nothing due."""
    batches, clocks = MONTH_SECONDS / (minutes * 60), MONTH_SECONDS / 60
    hours = MONTH_SECONDS / 3600
    times = {"plan": batches, "conductor": clocks + batches, "maintain": hours}
    used: Counter[str] = Counter()
    for name, count in times.items():
        counted = found[name]
        for kind, number in counted.requests.items():
            used[kind] += number * count  # type: ignore[assignment]
        used["lambda_arm64_gb_second"] += counted.seconds * GB[name] * count  # type: ignore[assignment]
        used["log_bytes"] += counted.log_bytes * count  # type: ignore[assignment]
    used["kms_request"] += kms_requests(times, used)  # type: ignore[assignment]
    used["state_transition"] += EMPTY_BATCH_TRANSITIONS * batches  # type: ignore[assignment]
    used["xray_trace"] += batches + hours  # type: ignore[assignment]
    used["scheduler_invocation"] += clocks + hours  # type: ignore[assignment]
    dollars = {kind: PRICES["per_million"][kind]["price"] * number / 1e6 for kind, number in used.items() if kind != "log_bytes"}
    dollars["log_ingestion"] = PRICES["per_gb"]["log_ingestion"]["price"] * used["log_bytes"] / 1e9
    return dict(sorted(dollars.items(), key=lambda item: -item[1]))


def kms_requests(times: Mapping[str, float], used: Mapping[str, float]) -> float:
    """What DynamoDB and S3 ask KMS for in a month, as AWS documents it; times: how often each function is called."""
    refreshes = MONTH_SECONDS / KMS_REFRESH_SECONDS
    connections = [*times.values(), refreshes]  # the last is the stream's reader
    return sum(min(calls, refreshes) for calls in connections) + used["s3_put"] + used["s3_get"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        local = up(Path(folder), port=free_port())
        try:
            found = measure(Idle(local, wanted.tables, wanted.minutes))
        finally:
            down(Path(folder))
    dollars, standing = month(found, wanted.minutes), standing_cost(PRICES)
    if wanted.json:
        print(json.dumps({"invocations": {n: vars(c) for n, c in found.items()}, "month": dollars, "standing": standing}, indent=2))
        return
    show(found, dollars, standing, wanted)


def show(found: Mapping[str, Counted], dollars: Mapping[str, float], standing: Mapping[str, Any], wanted: Any) -> None:
    say: Callable[[str], None] = print
    for name, counted in found.items():
        calls = ", ".join(f"{number} {call}" for call, number in sorted(counted.calls.items()))
        say(f"{name}: {counted.seconds * 1000:.0f} ms at {GB[name]} GB, {counted.log_bytes} log bytes; {calls}")
        say(f"    {', '.join(f'{number:g} {kind}' for kind, number in sorted(counted.requests.items()))}")
        for what, units in counted.written.most_common():
            say(f"    {units:5g} write units: {what}")
    say(f"\nA month of empty batches of {wanted.tables} tables every {wanted.minutes} minutes,")
    say("clock, conductor and maintenance included:")
    for kind, price in dollars.items():
        say(f"    {kind:26} {price:8.4f} $")
    say(f"    {'together':26} {sum(dollars.values()):8.4f} $   (list prices of {PRICES['date']}, {PRICES['region']})")
    say("\nStanding still, a month:")
    say("    (the key 1 $ more after each of its first two yearly rotations)")
    for stack, parts in standing.items():
        shown = ", ".join(f"{number:g} {kind}" for kind, number in parts["counts"].items())
        say(f"    {stack:24} {parts['dollars']:6.2f} $   {shown}")


if __name__ == "__main__":
    main()
