"""What a MERGE of some changed rows writes anew, by how its keys lie in the table, with deletes beside the files and without.

    python -m benchmarks.merges [--rows 1000000] [--changed 1000] [--batches 3] [--keys rising,ends,random] [--json]

The slice's own driver over an emulated S3 and Glue, each way in a process of its own. `rising`: the changed rows are the latest;
`ends`: half of them the latest, half the first; `random`: keys are texts of 32 random digits, and the changed rows lie anywhere.
Medians of the batches. CPU is the process's; seconds are bounded by the emulation, which is Python and shares the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.organize_iceberg import BUCKET, REGION, serve
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim

START, LENGTH = datetime(2026, 11, 1, tzinfo=UTC), timedelta(minutes=15)
HERE = Position("benchmark.sql", 1, 1)
TYPES = {
    "id": "string",
    "carrier": "string",
    "amount": "decimal(9,2)",
    "changed": "timestamptz",
    "note": "string",
    "_batch": "timestamptz",
}
KEYS = {"rising": "lpad(i::VARCHAR, 12, '0')", "ends": "lpad(i::VARCHAR, 12, '0')", "random": "md5(i::VARCHAR)"}
FILE_ROWS = 500_000  # some 32 MB, as maintenance puts the files of a MERGE together
FIGURES = ("rows_looked", "files_anew", "rows_anew", "mb_anew", "mb_written", "seconds", "cpu_seconds", "read_seconds")


class Merges:
    """A table, and the driver that merges into it."""

    def __init__(self, session: Any, keys: str, rows: int, *, beside: bool) -> None:
        from slices.organize.iceberg.client import IcebergDriver

        self.keys, self.rows = keys, rows
        self.services = Services(Environment("organize.iceberg", "none", BUCKET), session)
        self.table = Table(f"lake.b{uuid.uuid4().hex[:8]}.t")
        self.flow = Flow("f", Kind.LOAD, "organize.iceberg", "lake", 900, (self.table,), HERE, mode=Mode.MERGE, key=("id",))
        warehouse = Warehouse("lake", "iceberg", {"delete_files": beside}, HERE)
        self.program = Program({}, {"lake": warehouse}, {"f": self.flow})
        self.driver = IcebergDriver(warehouse, self.services)

    def fill(self) -> None:
        files = [self._stage(f"range({at}, {min(at + FILE_ROWS, self.rows)})", 0) for at in range(0, self.rows, FILE_ROWS)]
        self._commit(0, files)

    def merge(self, number: int, changed: int) -> dict[str, float]:
        """The figures of one batch."""
        where = {
            "rising": f"range({self.rows - changed}, {self.rows})",
            "ends": f"(FROM range({changed // 2}) UNION ALL FROM range({self.rows - changed // 2}, {self.rows}))",
            "random": f"(SELECT DISTINCT (hash(range + {number * changed}) % {self.rows})::BIGINT FROM range({changed}))",
        }[self.keys]
        staged = self._stage(where, number)
        began, cpu = time.perf_counter(), time.process_time()
        pointer = self._commit(number, [staged])
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        found = self._tables().find(self.table.dataset)
        assert found is not None and pointer["total_rows"] == self.rows
        snapshot = found.snapshot_by_id(int(pointer["snapshot_id"]))
        assert snapshot is not None and snapshot.summary is not None
        said = snapshot.summary.additional_properties
        return {
            "rows_looked": pointer["looked_rows"],
            "files_anew": int(said.get("deleted-data-files", 0)),
            "rows_anew": pointer["rewritten_rows"],
            "mb_anew": pointer["rewritten_bytes"] / 2**20,
            "mb_written": int(said["added-files-size"]) / 2**20,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "read_seconds": self._read(int(pointer["snapshot_id"])),
        }

    def _read(self, snapshot_id: int) -> float:
        """Of a query over all of the table."""
        from shared_metadata.contract.parquet.duckdb_session import open_duckdb
        from systems.iceberg.relations import rows_of

        read, engine = self._tables().read(self.table.dataset, snapshot_id), open_duckdb(self.services.session)
        began = time.perf_counter()
        query = f"SELECT count(*), sum(amount) FROM {rows_of(read.files, read.columns, read.deletes)}"
        assert engine.execute(query).fetchall()[0][0] == self.rows
        return time.perf_counter() - began

    def _tables(self) -> Any:
        from systems.iceberg.tables import Tables

        return Tables("lake", self.services, "benchmark")

    def _stage(self, numbers: str, batch: int) -> dict[str, Any]:
        from shared_metadata.contract.parquet.duckdb_session import open_duckdb

        moment = f"TIMESTAMPTZ '{(START + batch * LENGTH).isoformat()}'"
        url = f"s3://{BUCKET}/staging/{self.table.dataset}/{uuid.uuid4()}.parquet"
        query = (
            f"SELECT {KEYS[self.keys]} AS id, 'carrier ' || i % 16 AS carrier, (i % 100000 / 100)::DECIMAL(9,2) AS amount, "
            f"{moment} AS changed, md5((i + 7)::VARCHAR) AS note, {moment} AS _batch FROM {numbers} r(i)"
        )
        connection = open_duckdb(self.services.session)
        done = connection.execute(f"COPY ({query}) TO '{url}' (FORMAT parquet, COMPRESSION zstd, RETURN_STATS true)").fetchall()
        connection.close()
        return {"url": url, "rows": done[0][1], "bytes": done[0][2]}

    def _commit(self, number: int, files: list[dict[str, Any]]) -> Any:
        from shared_metadata.contract.runtime.staging import Staging
        from shared_metadata.contract.work import Work

        interval = Interval(START + number * LENGTH, START + (number + 1) * LENGTH)
        claim = Claim("f", interval, 1, (self.table.dataset,), "v")
        work, staging = Work(self.flow, self.table, claim, self.program), Staging(self.services.s3, BUCKET, "organize.iceberg", claim)
        columns = [{"name": name, "type": kind} for name, kind in TYPES.items()]
        return self.driver.commit(work, {"files": files, "columns": columns}, staging).pointer


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    import contextlib

    import boto3

    values = {"AWS_ENDPOINT_URL": arguments.endpoint, "AWS_ACCESS_KEY_ID": "b", "AWS_SECRET_ACCESS_KEY": "b"}
    os.environ.update(values, AWS_DEFAULT_REGION=REGION, AWS_REGION=REGION)
    keys, _, way = arguments.only.partition(" ")
    merges = Merges(boto3.Session(region_name=REGION), keys, arguments.rows, beside=way == "beside")
    with contextlib.suppress(merges.services.s3.exceptions.BucketAlreadyOwnedByYou):
        merges.services.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    merges.fill()
    runs = [merges.merge(number, arguments.changed) for number in range(1, arguments.batches + 1)]
    return {figure: round(statistics.median(run[figure] for run in runs), 2) for figure in FIGURES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changed", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--keys", default="rising,ends,random")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments)))
        return
    found = {}
    options = [f"--rows={arguments.rows}", f"--changed={arguments.changed}", f"--batches={arguments.batches}"]
    for one in (f"{keys} {way}" for keys in arguments.keys.split(",") for way in ("anew", "beside")):
        server, endpoint = serve()
        try:
            command = [sys.executable, "-m", "benchmarks.merges", *options, "--only", one, "--endpoint", endpoint]
            found[one] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])
        finally:
            server.terminate()
            server.wait()
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{arguments.changed:,} of {arguments.rows:,} rows change; medians of {arguments.batches} batches")
    print(f"{'':16}" + "".join(f"{figure.replace('_', ' '):>14}" for figure in FIGURES))
    for one, figures in found.items():
        print(f"{one:16}" + "".join(f"{figures[figure]:>14,.2f}" for figure in FIGURES))


if __name__ == "__main__":
    main()
