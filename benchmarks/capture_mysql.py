"""Measures collect/mysql's CAPTURE, from one transaction in the binary log to staged Parquet, beside reading the same log plainly.

    python -m benchmarks.capture_mysql [--rows 250000] [--runs 3] [--json] [--calls]

A fresh MariaDB is filled by one transaction after the first batch; then the contenders take turns, each in a fresh process. Ours is
the slice's whole batch (plan, extract, commit; metadata in memory): the log is read, each key's last state found, and its
texts are read by the server, whose seconds are told as well. The other is python-mysql-replication's own reader, whose rows are
thrown away. Parquet goes to disk. `--calls` has ours read the share over several calls, and so twice. Peak memory is of each process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.collect_mysql import COLUMNS, VALUES, _cpu_seconds, _pid, _taken

SETTINGS = ("--log-bin=log", "--server-id=1", "--binlog-format=ROW", "--binlog-row-metadata=FULL", "--innodb-buffer-pool-size=512M")
GRANTS = ("SELECT ON {name}.*", "REPLICATION SLAVE ON *.*", "BINLOG MONITOR ON *.*")
KEPT = ("ATOLL_BENCHMARK_SECRET", "ATOLL_BENCHMARK_SINCE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=250_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--child", choices=CHILDREN)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child]()))
        return
    found = _compared(arguments)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _compared(arguments: argparse.Namespace) -> dict[str, Any]:
    from tests.mariadb import fresh_database, mariadb_server

    contenders = ("plain", "calls" if arguments.calls else "atoll")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    with mariadb_server(SETTINGS) as server, fresh_database(server, GRANTS) as database:
        database.run(f"CREATE TABLE orders ({COLUMNS})", ())
        ((since,),) = database.run("SELECT @@gtid_binlog_pos")
        secret = json.dumps({**database.secret, "sslmode": "disable", "sslrootcert": ""})
        os.environ.update(dict(zip(KEPT, (secret, since), strict=True)))
        database.run(f"INSERT INTO orders SELECT {VALUES} FROM seq_1_to_{arguments.rows}")
        for _ in range(arguments.runs):
            for name in contenders:
                before = _cpu_seconds(_pid(server))
                command = [sys.executable, "-m", "benchmarks.capture_mysql", "--child", name]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                taken = _cpu_seconds(_pid(server)) - before
                found[name].append({**json.loads(done.stdout.splitlines()[-1]), "server_cpu_seconds": taken})
    assert all(run["rows"] == arguments.rows for runs in found.values() for run in runs)
    middle = {
        (name, what): statistics.median(run[what] for run in runs)
        for name, runs in found.items()
        for what in ("seconds", "cpu_seconds", "server_cpu_seconds")
    }
    return {
        "rows": arguments.rows,
        "runs": arguments.runs,
        "load": round(os.getloadavg()[0], 1),
        **{f"{name}_{what}": round(value, 2) for (name, what), value in middle.items()},
        **{f"{name}_rows_a_cpu_second": round(arguments.rows / middle[name, "cpu_seconds"]) for name in found},
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in runs) for name, runs in found.items()},
    }


def _plain() -> dict[str, Any]:
    from pymysqlreplication import BinLogStreamReader, row_event

    secret = json.loads(os.environ["ATOLL_BENCHMARK_SECRET"])
    settings = {
        "host": secret["host"],
        "port": secret["port"],
        "user": secret["username"],
        "password": secret["password"].encode().decode("latin1"),
    }
    started, cpu, rows = time.monotonic(), time.process_time(), 0
    with contextlib.closing(
        BinLogStreamReader(
            settings,
            server_id=7,
            is_mariadb=True,
            auto_position=os.environ["ATOLL_BENCHMARK_SINCE"],
            only_events=[row_event.WriteRowsEvent],
        )
    ) as reader:
        for event in reader:
            rows += sum(1 for row in event.rows if row["values"])
    return {**_taken(started, cpu), "rows": rows}


def _atoll(*, calls: bool = False) -> dict[str, Any]:
    import duckdb  # noqa: F401  as in the other contender, importing is not measured

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.mysql.client import open_source
    from slices.collect.mysql.slice import SLICE
    from systems.sql_source.capture import spool
    from tests.conformance.fixtures import Cloud, run_batch

    if calls:
        spool.MOST_PACKED_BYTES = 0  # a call ends when its first file is packed
    with tempfile.TemporaryDirectory() as folder:
        cloud, here, dataset = Cloud(), Position("p.sql", 1, 1), "lake.shop.orders:staged"
        cloud.put_secret("shop", json.loads(os.environ["ATOLL_BENCHMARK_SECRET"]))
        how = {"mode": Mode.MERGE, "key": ("id",), "capture": True}
        flow = Flow(
            "lake.shop.orders", Kind.COLLECT, SLICE.id, "lake", 3600, (Table(dataset, "orders"),), here, connection="shop", **how
        )
        cloud.apply(Program({"shop": Connection("shop", "mysql", {"secret": "shop"}, here)}, {}, {flow.id: flow}))
        steps = disk_steps(folder)(
            SLICE, cloud.services(SLICE.id), lambda connection, secret: open_source(connection, secret, aws=None)
        )
        since = os.environ["ATOLL_BENCHMARK_SINCE"]
        cursor = json.dumps({"gtids": since, "file": "", "offset": 0, "mariadb": True})
        steps.cursor = lambda work: cursor  # type: ignore[method-assign]  # as if the batch before had ended there
        started, cpu = time.monotonic(), time.process_time()
        run = run_batch(steps, cloud.event(flow.id))
        taken = _taken(started, cpu)
        assert not calls or run.calls["extract"] > 2
        return {**taken, "rows": sum(file["rows"] for file in cloud.manifest(dataset)["files"])}


CHILDREN: Mapping[str, Callable[[], dict[str, Any]]] = {
    "plain": _plain,
    "atoll": _atoll,
    "calls": lambda: _atoll(calls=True),
}


if __name__ == "__main__":
    main()
