"""Measures collect/mysql, from a table of mixed columns to staged Parquet, beside DuckDB's own mysql_scanner.

    python -m benchmarks.collect_mysql [--rows 1000000] [--runs 3] [--json] [--memory]

A fresh MariaDB is filled; then the two take turns, each in a fresh process. Ours is the slice's whole batch (plan, extract, commit;
metadata and documents in an emulated AWS): a snapshot, which is read over one connection. DuckDB's is opening it and one COPY of the
table, without compression and with no other settings. Parquet goes to disk. Peak memory is that of each process. Where other work
shares the cores, seconds of the processor say more: those of the reading process and those that the server took meanwhile.

`--memory` measures the peak memory of our process at `--rows` and at ten times as many, of a thousand bytes each: of a snapshot, and
of the first load of a MERGE, whose parts are read one after the other here, each over several connections.
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
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
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
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--child", choices=CHILDREN)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child]()))
        return
    with _aws() as endpoint, _server() as (server, database):
        os.environ.update(_environment(endpoint))
        found = _memory(server, database, arguments.rows) if arguments.memory else _compared(server, database, arguments)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


@contextlib.contextmanager
def _server() -> Iterator[tuple[Any, Any]]:
    """A server, and an empty database of it."""
    from tests.mariadb import fresh_database, mariadb_server

    with mariadb_server(("--innodb-buffer-pool-size=512M",)) as server, fresh_database(server, ("SELECT ON {name}.*",)) as database:
        os.environ["ATOLL_BENCHMARK_SECRET"] = json.dumps({**database.secret, "sslmode": "disable", "sslrootcert": ""})
        yield server, database


def _fill(database: Any, rows: int, note: str = "") -> None:
    database.run(f"CREATE OR REPLACE TABLE orders ({COLUMNS})")
    for first in range(1, rows + 1, 1_000_000):
        values = VALUES.replace("concat('note ', md5(seq))", note) if note else VALUES
        database.run(f"INSERT INTO orders SELECT {values} FROM seq_{first}_to_{min(rows, first + 999_999)}")
    database.run("ANALYZE TABLE orders")


def _compared(server: Any, database: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    _fill(database, arguments.rows)
    found: dict[str, list[dict[str, Any]]] = {"duckdb": [], "atoll": []}
    for _ in range(arguments.runs):
        for name, results in found.items():
            results.append(_run(name, server))
    of = {
        (name, what): statistics.median(run[what] for run in results)
        for name, results in found.items()
        for what in ("seconds", "cpu_seconds", "server_cpu_seconds")
    }
    both = {name: of[name, "cpu_seconds"] + of[name, "server_cpu_seconds"] for name in found}
    return {
        "rows": arguments.rows,
        "runs": arguments.runs,
        "load": round(os.getloadavg()[0], 1),
        **{f"{name}_{what}": round(value, 2) for (name, what), value in of.items()},
        **{f"{name}_rows_a_second": round(arguments.rows / of[name, "seconds"]) for name in found},
        "ratio": round(of["duckdb", "seconds"] / of["atoll", "seconds"], 2),
        "ratio_cpu": round(both["duckdb"] / both["atoll"], 2),
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
    }


def _memory(server: Any, database: Any, rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (rows, rows * 10):
        _fill(database, count, "repeat(md5(seq), 32)")
        for child in ("atoll", "merge"):
            run = _run(child, server)
            found |= {
                f"{child}_peak_mb_at_{count}_rows": run["peak_mb"],
                f"{child}_seconds_at_{count}_rows": round(run["seconds"], 1),
            }
    (size,) = database.run("SELECT data_length FROM information_schema.tables WHERE table_name = 'orders'")[0]
    return {**found, "table_mb": size >> 20}


def _run(child: str, server: Any) -> dict[str, Any]:
    """One contender in a fresh process."""
    pid, command = _pid(server), [sys.executable, "-m", "benchmarks.collect_mysql", "--child", child]
    before = _cpu_seconds(pid)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "server_cpu_seconds": _cpu_seconds(pid) - before}


def _pid(server: Any) -> int:
    return int(Path(server.socket).with_name("pid").read_text())


def _cpu_seconds(pid: int) -> float:
    """What a process has taken of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _duckdb() -> dict[str, Any]:
    from shared_metadata.contract.parquet.duckdb_session import open_duckdb

    secret = json.loads(os.environ["ATOLL_BENCHMARK_SECRET"])
    quoted = secret["password"].replace("\\", "\\\\").replace('"', '\\"')
    address = f'host={secret["host"]} port={secret["port"]} user={secret["username"]} database={secret["dbname"]} password="{quoted}"'
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.monotonic(), time.process_time()
        database = open_duckdb(extensions=("mysql_scanner",), memory_mb=4000)
        attached = f"{address} compression=disabled ssl_mode=disabled".replace("'", "''")
        database.execute(f"ATTACH '{attached}' AS source (TYPE mysql, READ_ONLY)")
        database.execute(f"COPY (SELECT * FROM source.{secret['dbname']}.orders) TO '{folder}/orders.parquet' (FORMAT parquet)")
        return _taken(started, cpu)


def _merge() -> dict[str, Any]:
    """The first load by a cursor."""
    return _atoll({"mode": "MERGE", "key": ("id",), "cursor": "updated_at"})


def _atoll(how: Mapping[str, Any] = MappingProxyType({"mode": "REPLACE"})) -> dict[str, Any]:
    import duckdb  # noqa: F401  as in the other contender, importing is not measured

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.mysql.client import open_source
    from slices.collect.mysql.slice import SLICE
    from tests.conformance.fixtures import Cloud, run_batch

    with tempfile.TemporaryDirectory() as folder:
        cloud, here = Cloud(), Position("p.sql", 1, 1)
        cloud.put_secret("shop", json.loads(os.environ["ATOLL_BENCHMARK_SECRET"]))
        tables = (Table("lake.shop.orders:staged", "orders"),)
        as_flow = {**how, "mode": Mode(how["mode"])}
        flow = Flow("lake.shop.orders", Kind.COLLECT, SLICE.id, "lake", 3600, tables, here, connection="shop", **as_flow)
        cloud.apply(Program({"shop": Connection("shop", "mysql", {"secret": "shop"}, here)}, {}, {flow.id: flow}))
        steps = disk_steps(folder)(
            SLICE, cloud.services(SLICE.id), lambda connection, secret: open_source(connection, secret, aws=None)
        )
        started, cpu = time.monotonic(), time.process_time()
        run_batch(steps, cloud.event(flow.id))
        return _taken(started, cpu)


def _taken(started: float, cpu: float) -> dict[str, Any]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}


CHILDREN: Mapping[str, Callable[[], dict[str, Any]]] = {"atoll": _atoll, "merge": _merge, "duckdb": _duckdb}


if __name__ == "__main__":
    main()
