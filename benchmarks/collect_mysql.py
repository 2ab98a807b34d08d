"""Measures collect/mysql, from a table of mixed columns to staged Parquet, beside DuckDB's own mysql_scanner.

    python -m benchmarks.collect_mysql [--rows 1000000] [--runs 3] [--json]

A fresh MariaDB is filled; then the two take turns, each in a fresh process. Ours is the slice's whole batch (plan, extract, commit;
metadata and documents in an emulated AWS): a snapshot, which is read over one connection. DuckDB's is opening it and one COPY of the
table, without compression and with no other settings. Parquet goes to disk. Peak memory is that of each process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.collect_postgres import _aws, _environment

COLUMNS = """id bigint PRIMARY KEY, customer_id int, status smallint, paid boolean, amount decimal(12,2), tax double, discount float,
ordered_on date, created_at datetime(6), updated_at timestamp(6) NULL, name varchar(40), note text"""
VALUES = """seq, seq % 50000, seq % 7, seq % 3 = 0, (seq % 1000000) / 100, seq * 0.37, seq % 100 / 10,
date '2020-01-01' + interval seq % 1500 day,
timestamp '2020-01-01 00:00:00' + interval seq second, timestamp '2021-01-01 00:00:00' + interval seq second,
concat('customer ', seq % 9973),
if(seq % 4 = 0, null, concat('note ', md5(seq)))"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", choices=("atoll", "duckdb"))
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps({"atoll": _atoll, "duckdb": _duckdb}[arguments.child]()))
        return
    with _aws() as endpoint:
        os.environ.update(_environment(endpoint))
        found = _compared(arguments.rows, arguments.runs)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _compared(rows: int, runs: int) -> dict[str, Any]:
    from tests.mariadb import fresh_database, mariadb_server

    with mariadb_server(("--innodb-buffer-pool-size=512M",)) as server, fresh_database(server, ("SELECT ON {name}.*",)) as database:
        database.run(f"CREATE TABLE orders ({COLUMNS})")
        database.run(f"INSERT INTO orders SELECT {VALUES} FROM seq_1_to_{rows}")
        database.run("ANALYZE TABLE orders")
        os.environ["ATOLL_BENCHMARK_SECRET"] = json.dumps({**database.secret, "sslmode": "disable", "sslrootcert": ""})
        found: dict[str, list[dict[str, Any]]] = {"duckdb": [], "atoll": []}
        for _ in range(runs):
            for name, results in found.items():
                results.append(_run(name))
    seconds = {name: statistics.median(run["seconds"] for run in results) for name, results in found.items()}
    return {
        "rows": rows,
        "runs": runs,
        **{f"{name}_seconds": round(value, 2) for name, value in seconds.items()},
        **{f"{name}_rows_a_second": round(rows / value) for name, value in seconds.items()},
        "ratio": round(seconds["duckdb"] / seconds["atoll"], 2),
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
    }


def _run(child: str) -> dict[str, Any]:
    """One contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.collect_mysql", "--child", child]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _duckdb() -> dict[str, Any]:
    from shared_metadata.contract.parquet.duckdb_session import open_duckdb

    secret = json.loads(os.environ["ATOLL_BENCHMARK_SECRET"])
    quoted = secret["password"].replace("\\", "\\\\").replace('"', '\\"')
    address = f'host={secret["host"]} port={secret["port"]} user={secret["username"]} database={secret["dbname"]} password="{quoted}"'
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        database = open_duckdb(extensions=("mysql_scanner",), memory_mb=4000)
        attached = f"{address} compression=disabled ssl_mode=disabled".replace("'", "''")
        database.execute(f"ATTACH '{attached}' AS source (TYPE mysql, READ_ONLY)")
        database.execute(f"COPY (SELECT * FROM source.{secret['dbname']}.orders) TO '{folder}/orders.parquet' (FORMAT parquet)")
        return {"seconds": time.monotonic() - started, "peak_mb": _peak_mb()}


def _atoll() -> dict[str, Any]:
    import duckdb  # noqa: F401  as in the other contender, importing is not measured

    from shared_metadata.contract.collect import CollectSteps
    from shared_metadata.contract.runtime.staging import Staging
    from shared_metadata.contract.work import Work
    from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.mysql.client import open_source
    from slices.collect.mysql.slice import SLICE
    from tests.conformance.fixtures import Cloud, run_batch

    with tempfile.TemporaryDirectory() as folder:

        class DiskStaging(Staging):
            def url(self, *parts: str) -> str:
                path = Path(folder) / self.key(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                return str(path)

        class DiskSteps(CollectSteps):
            def staging(self, work: Work) -> Staging:
                return DiskStaging(self.services.s3, self.services.environment.atoll_data_bucket, SLICE.id, work.claim)

        cloud, here = Cloud(), Position("p.sql", 1, 1)
        cloud.put_secret("shop", json.loads(os.environ["ATOLL_BENCHMARK_SECRET"]))
        tables = (Table("lake.shop.orders:staged", "orders"),)
        flow = Flow("lake.shop.orders", Kind.COLLECT, SLICE.id, "lake", 3600, tables, here, connection="shop", mode=Mode.REPLACE)
        cloud.apply(Program({"shop": Connection("shop", "mysql", {"secret": "shop"}, here)}, {}, {flow.id: flow}))
        steps = DiskSteps(SLICE, cloud.services(SLICE.id), lambda connection, secret: open_source(connection, secret, aws=None))
        started = time.monotonic()
        run_batch(steps, cloud.event(flow.id))
        return {"seconds": time.monotonic() - started, "peak_mb": _peak_mb()}


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
