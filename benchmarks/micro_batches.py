"""What a table of many micro-batches costs to read and to write, with the slice's maintenance as it is scheduled and without it.

    python -m benchmarks.micro_batches [--batches 1000] [--unmaintained 100] [--rows 200] [--modes APPEND,MERGE] [--json]

The slice's own driver loads staged files of so many rows into tables over an emulated S3 and Glue, the tables turn and turn about.
Those without maintenance get fewer batches: each of their merges reads every file that there is.
Maintenance comes after every 16 batches, keeps the last 100 versions, and looks for garbage after every 96 (a day of batches of 15
minutes). Of each table, when it has got 10, 100, 300 and 1,000 batches: the median milliseconds of five scan plans (from the catalog
to the list of files), of reading all of it by DuckDB, and of the last commits; and how much there is to look through.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.organize_iceberg import BUCKET, REGION, serve
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.costs import cost_dollars
from shared_metadata.program import Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim

START, LENGTH = datetime(2026, 11, 1, tzinfo=UTC), timedelta(minutes=15)
MARKS = (10, 100, 300, 1000)
MAINTAIN_EVERY, SWEEP_EVERY, KEPT = 16, 96, 100
MEMORY_GB = 2.0  # of the function, as its stack says
FIGURES = ("plan_ms", "read_ms", "commit_ms", "files", "manifests", "snapshots", "metadata_kb")
HERE = Position("benchmark.sql", 1, 1)


class MicroBatches:
    """One table, and the driver that loads it batch by batch."""

    def __init__(self, session: Any, mode: Mode, rows: int, *, maintained: bool) -> None:
        from slices.organize.iceberg.client import IcebergDriver

        self.mode, self.rows, self.maintained = mode, rows, maintained
        self.services = Services(Environment("organize.iceberg", "none", BUCKET), session)
        schema = f"b{uuid.uuid4().hex[:8]}"
        self.table = Table(f"lake.{schema}.t")
        self.flow = Flow("f", Kind.LOAD, "organize.iceberg", "lake", 900, (self.table,), HERE, mode=mode, key=("id",))
        warehouse = Warehouse("lake", "iceberg", {}, HERE)
        self.program = Program({}, {"lake": warehouse}, {"f": self.flow})
        self.driver = IcebergDriver(warehouse, self.services)
        self.pointers: list[Any] = []
        self.commits: list[float] = []
        self.maintenance: list[float] = []

    def run(self, number: int) -> None:
        """The next batch, and what of maintenance comes after it."""
        self._load(number)
        if self.maintained and (number + 1) % MAINTAIN_EVERY == 0:
            self._maintain(number)

    def _load(self, number: int) -> None:
        from shared_metadata.contract.runtime.staging import Staging
        from shared_metadata.contract.work import Work

        interval = Interval(START + number * LENGTH, START + (number + 1) * LENGTH)
        claim = Claim("f", interval, 1, (self.table.dataset,), "v")
        work = Work(self.flow, self.table, claim, self.program)
        staging = Staging(self.services.s3, BUCKET, "organize.iceberg", claim)
        columns = [{"name": name, "type": kind} for name, kind in (("id", "long"), ("value", "double"), ("_batch", "timestamptz"))]
        prepared = {"files": [self._stage(number, interval.start)], "columns": columns}
        started = time.perf_counter()
        self.pointers.append(self.driver.commit(work, prepared, staging).pointer)
        self.commits.append(time.perf_counter() - started)

    def _stage(self, number: int, start: datetime) -> dict[str, Any]:
        """Half of a batch's keys are those of the batch before."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        first = number * (self.rows // 2)
        ids = list(range(first, first + self.rows))
        moment = pa.timestamp("us", "UTC")
        body = io.BytesIO()
        values = {"id": ids, "value": [i / 7 for i in ids], "_batch": pa.array([start] * self.rows, moment)}
        pq.write_table(pa.table(values), body)
        key = f"staging/{self.table.dataset}/{number:06d}.parquet"
        self.services.s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
        return {"url": f"s3://{BUCKET}/{key}", "rows": self.rows, "bytes": body.tell()}

    def _maintain(self, number: int) -> None:
        """The clock is ahead, so that what was replaced counts as old: a thousand batches take minutes here."""
        from shared_metadata.contract.maintenance.request import MaintenanceRequest
        from shared_metadata.contract.runtime.deadline import Deadline

        through, now = START + (number + 1) * LENGTH, datetime.now(UTC) + timedelta(days=9)
        sweep = (number + 1) % SWEEP_EVERY == 0
        upkeep = MaintenanceRequest(self.flow, self.table.dataset, tuple(self.pointers[-KEPT:]), through, now, sweep)
        started = time.perf_counter()
        assert self.driver.maintain(upkeep, Deadline(time.monotonic() + 900)).finished
        self.maintenance.append(time.perf_counter() - started)

    def figures(self) -> dict[str, float]:
        from shared_metadata.contract.parquet.duckdb_session import open_duckdb
        from systems.iceberg.relations import rows_of
        from systems.iceberg.tables import Tables

        tables, pointer = Tables("lake", self.services, "benchmark"), self.pointers[-1]
        table = tables.find(self.table.dataset)
        assert table is not None and table.metadata.current_snapshot_id is not None
        current = table.current_snapshot()
        assert current is not None
        latest = current.snapshot_id
        read = tables.read(self.table.dataset, latest)
        rows = rows_of(read.files, read.columns, read.deletes)
        engine = open_duckdb(self.services.session)
        counted = engine.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0]
        assert counted == int(pointer["total_rows"]) == self._expected(), counted
        metadata = table.io.new_input(table.metadata_location)
        return {
            "plan_ms": _milliseconds(lambda: tables.read(self.table.dataset, latest)),
            "read_ms": _milliseconds(lambda: engine.execute(f"SELECT sum(value) FROM {rows}").fetchall()),
            "commit_ms": round(statistics.median(self.commits[-9:]) * 1000, 1),
            "files": len(read.files),
            "manifests": len(current.manifests(table.io)),
            "snapshots": len(table.metadata.snapshots),
            "metadata_kb": round(len(metadata) / 1024, 1),
        }

    def _expected(self) -> int:
        """MERGE updates half of each batch's keys but the first's."""
        batches, half = len(self.pointers), self.rows // 2
        return half * (batches + 1) if self.mode == Mode.MERGE else self.rows * batches


def _milliseconds(call: Callable[[], Any]) -> float:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return round(statistics.median(taken) * 1000, 1)


def measure(session: Any, arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """'APPEND', 'APPEND maintained', … ▸ {'at': batches ▸ figures, 'maintenance_seconds', 'maintenance_dollars'}."""
    modes = [Mode(name) for name in arguments.modes.split(",")]
    tables = {
        f"{mode}{' maintained' * maintained}": MicroBatches(session, mode, arguments.rows, maintained=maintained)
        for mode in modes
        for maintained in (True, False)
    }
    found: dict[str, dict[str, Any]] = {name: {"at": {}} for name in tables}
    for number in range(arguments.batches):
        for name, table in tables.items():
            if not table.maintained and number >= arguments.unmaintained:
                continue
            table.run(number)
            if number + 1 in MARKS or number + 1 == arguments.batches:
                found[name]["at"][number + 1] = table.figures()
                print(f"{name}, {number + 1} batches: {found[name]['at'][number + 1]}", file=sys.stderr, flush=True)
    for name, table in tables.items():
        seconds = sum(table.maintenance)
        used = {"lambda_invocation": len(table.maintenance), "lambda_arm64_gb_second": seconds * MEMORY_GB}
        found[name] |= {"maintenance_seconds": round(seconds, 1), "maintenance_dollars": round(cost_dollars(used), 6)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--unmaintained", type=int, default=100, help="batches of the tables that are not maintained")
    parser.add_argument("--rows", type=int, default=200, help="of each batch")
    parser.add_argument("--modes", default="APPEND,MERGE")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    server, endpoint = serve()
    try:
        values = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "b", "AWS_SECRET_ACCESS_KEY": "b"}
        os.environ.update(values, AWS_DEFAULT_REGION=REGION, AWS_REGION=REGION)
        import boto3

        session = boto3.Session(region_name=REGION)
        s3 = session.client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        found = measure(session, arguments)
    finally:
        server.terminate()
        server.wait()
    print(json.dumps(found, indent=2)) if arguments.json else show(found)


def show(found: dict[str, dict[str, Any]]) -> None:
    for name, table in found.items():
        print(f"\n{name}\n{'batches':>10}" + "".join(f"{figure:>13}" for figure in FIGURES))
        for batches, figures in table["at"].items():
            print(f"{batches:>10}" + "".join(f"{figures[figure]:>13,}" for figure in FIGURES))
        first, *_, last = table["at"].values()
        print(f"    last to first: plan {last['plan_ms'] / first['plan_ms']:.1f}, read {last['read_ms'] / first['read_ms']:.1f}")
        if table["maintenance_seconds"]:
            print(
                f"    maintenance: {table['maintenance_seconds']} s, {table['maintenance_dollars']} $ of {MEMORY_GB:g} GB functions"
            )


if __name__ == "__main__":
    main()
