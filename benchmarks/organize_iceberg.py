"""Loads staged rows into an Iceberg table as the slice does, beside pyiceberg's own append and upsert.

    python -m benchmarks.organize_iceberg [--rows 1000000] [--changed 100] [--runs 3] [--json]

Both ways write to the same S3 and Glue emulation in the same run, turn and turn about, each in a process of its own. The emulation
is Python, shares the cores and bounds the seconds; CPU seconds and memory are the process's alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

BATCH = datetime(2026, 11, 23, tzinfo=UTC)
FIGURES = ("seconds", "cpu_seconds", "megabytes")
BUCKET, REGION = "benchmark", "eu-central-1"
COLUMNS = """
    i AS id, 'carrier ' || i % 16 AS carrier, i * 7 % 1000 AS distance, i / 7.0 AS delay, (i % 10000 / 100)::DECIMAL(9,2) AS fare,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (i) SECOND AS updated_at, md5(i::VARCHAR) AS note, i % 2 = 0 AS late
"""
TYPES = {
    "id": "long", "carrier": "string", "distance": "long", "delay": "double", "fare": "decimal(9,2)", "updated_at": "timestamptz",
    "note": "string", "late": "boolean", "_batch": "timestamptz",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changed", type=int, default=100, help="MERGE changes one row in so many")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(_measure(arguments)))
        return
    server, endpoint = serve()
    try:
        found = _runs(arguments, endpoint)
    finally:
        server.terminate()
        server.wait()
    medians = {
        way: {figure: round(statistics.median(run[figure] for run in runs), 2) for figure in FIGURES} for way, runs in found.items()
    }
    if arguments.json:
        print(json.dumps(medians))
        return
    print(f"{arguments.rows:,} rows of {len(TYPES)} columns; medians of {arguments.runs}; peak memory of the process")
    for way, figures in medians.items():
        print(f"{way:28}{figures['seconds']:8.2f} s{figures['cpu_seconds']:8.2f} s of CPU{figures['megabytes']:8.0f} MB")


def _runs(arguments: argparse.Namespace, endpoint: str) -> dict[str, list[dict[str, float]]]:
    """Each way in a fresh process, interleaved."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    options = ["--rows", str(arguments.rows), "--changed", str(arguments.changed), "--endpoint", endpoint]
    for _ in range(arguments.runs):
        for way in WAYS:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.organize_iceberg", *options, "--only", way], stdout=subprocess.PIPE, check=True
            )
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
    return found


def serve() -> tuple[subprocess.Popen[bytes], str]:
    """An emulated S3 and Glue in a process of its own, so that its memory and time are not the measured ones'."""
    code = (
        "from moto.server import ThreadedMotoServer as S; import time, logging; logging.disable(logging.CRITICAL)\n"
        "s = S(ip_address='127.0.0.1', port=0, verbose=False); s.start(); print(s.get_host_and_port()[1], flush=True)\n"
        "time.sleep(86400)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout is not None
    return server, f"http://127.0.0.1:{int(server.stdout.readline())}"


def _measure(arguments: argparse.Namespace) -> dict[str, float]:
    values = {"AWS_ENDPOINT_URL": arguments.endpoint, "AWS_ACCESS_KEY_ID": "b", "AWS_SECRET_ACCESS_KEY": "b"}
    os.environ.update(values, AWS_DEFAULT_REGION=REGION, AWS_REGION=REGION)
    import pyarrow.parquet  # noqa: F401
    import pyiceberg.table.upsert_util  # noqa: F401
    import s3fs  # noqa: F401

    import systems.iceberg.driver  # noqa: F401  imports are not what is compared

    lake = Lake(arguments.rows, arguments.changed)
    timed = WAYS[arguments.only](lake)
    started, cpu_started = time.perf_counter(), time.process_time()
    timed()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    lake.verify()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "megabytes": megabytes}


class Lake:
    """Staged files, and the slice's driver without the state machine around it."""

    def __init__(self, rows: int, changed: int) -> None:
        import uuid

        import boto3

        from shared_metadata.contract.runtime.environment import Environment
        from shared_metadata.contract.runtime.services import Services

        self.rows, self.changed, self.expected = rows, changed, rows
        self.session = boto3.Session(region_name=REGION)
        self.services = Services(Environment("organize.iceberg", "none", BUCKET), self.session)
        self.schema = f"b{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(self.services.s3.exceptions.BucketAlreadyOwnedByYou):
            self.services.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def stage(self, name: str, changed: bool = False) -> dict[str, Any]:
        """A staged manifest of all rows, or of the changed ones: every n-th, one in ten of them new."""
        code = (
            "import boto3; from shared_metadata.contract.parquet.duckdb_session import open_duckdb\n"
            f"open_duckdb(boto3.Session()).execute({self._copy(name, changed)!r})"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        rows = self.rows // self.changed if changed else self.rows
        schema = {"columns": [{"name": column, "type": kind} for column, kind in TYPES.items()]}
        return {"files": [{"key": f"staging/{self.schema}/{name}", "rows": rows, "bytes": 1}], "schema": schema}

    def _copy(self, name: str, changed: bool) -> str:
        ids = f"(SELECT i * {self.changed} + {self.rows // 10} AS i FROM range({self.rows // self.changed}) r(i))"
        source = ids if changed else f"range({self.rows}) r(i)"
        batch = (BATCH + timedelta(hours=int(changed))).isoformat()
        query = f"SELECT {COLUMNS}, TIMESTAMPTZ '{batch}' AS _batch FROM {source}"
        return f"COPY ({query}) TO 's3://{BUCKET}/staging/{self.schema}/{name}' (FORMAT parquet)"

    def load(self, staged: dict[str, Any], mode: str, hour: int = 0) -> None:
        from shared_metadata.contract.runtime.deadline import Deadline
        from shared_metadata.contract.runtime.staging import Staging
        from shared_metadata.contract.work import Work
        from shared_metadata.program import Flow, Kind, Mode, Position, Program, Table, Warehouse
        from shared_metadata.program.intervals import Interval
        from shared_metadata.state.records import Claim
        from slices.organize.iceberg.client import IcebergDriver

        here, start = Position("b", 1, 1), BATCH + timedelta(hours=hour)
        table = Table(f"lake.{self.schema}.t")
        flow = Flow("f", Kind.LOAD, "organize.iceberg", "lake", 3600, (table,), here, mode=Mode(mode), key=("id",))
        claim = Claim("f", Interval(start, start + timedelta(hours=1)), 1, (table.dataset,), "v")
        warehouse = Warehouse("lake", "iceberg", {}, here)
        work = Work(flow, table, claim, Program({}, {"lake": warehouse}, {"f": flow}))
        driver, staging = IcebergDriver(warehouse, self.services), Staging(self.services.s3, BUCKET, "organize.iceberg", claim)
        driver.commit(work, driver.load(work, staged, staging, Deadline(time.monotonic() + 900)), staging)

    def catalog(self) -> Any:
        from pyiceberg.catalog.glue import GlueCatalog

        return GlueCatalog(
            "b", client=self.session.client("glue"), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO", "warehouse": f"s3://{BUCKET}/w"}
        )  # fmt: skip

    def arrow(self, staged: dict[str, Any]) -> Any:
        import pyarrow.parquet as pq
        import s3fs

        return pq.read_table(f"{BUCKET}/{staged['files'][0]['key']}", filesystem=s3fs.S3FileSystem())

    def verify(self) -> None:
        tasks = self.catalog().load_table((f"lake_{self.schema}", "t")).scan().plan_files()
        found = sum(task.file.record_count for task in tasks)
        assert found == self.expected, f"{found} rows instead of {self.expected}"


Timed = Callable[[], Any]


def slice_append(lake: Lake) -> Timed:
    staged = lake.stage("all.parquet")
    return lambda: lake.load(staged, "APPEND")


def pyiceberg_append(lake: Lake) -> Timed:
    staged, catalog = lake.stage("all.parquet"), lake.catalog()

    def run() -> None:
        rows = lake.arrow(staged)
        catalog.create_namespace(f"lake_{lake.schema}")
        catalog.create_table((f"lake_{lake.schema}", "t"), rows.schema).append(rows)

    return run


def slice_merge(lake: Lake) -> Timed:
    lake.load(lake.stage("all.parquet"), "MERGE")
    staged = lake.stage("changed.parquet", changed=True)
    lake.expected += lake.rows // 10 // lake.changed
    return lambda: lake.load(staged, "MERGE", hour=1)


def pyiceberg_upsert(lake: Lake) -> Timed:
    lake.load(lake.stage("all.parquet"), "MERGE")
    staged = lake.stage("changed.parquet", changed=True)
    lake.expected += lake.rows // 10 // lake.changed
    table = lake.catalog().load_table((f"lake_{lake.schema}", "t"))
    return lambda: table.upsert(lake.arrow(staged), join_cols=["id"])


WAYS: dict[str, Callable[[Lake], Timed]] = {
    "APPEND by reference": slice_append,
    "pyiceberg append": pyiceberg_append,
    "MERGE of 1 % of them": slice_merge,
    "pyiceberg upsert of 1 %": pyiceberg_upsert,
}

if __name__ == "__main__":
    main()
