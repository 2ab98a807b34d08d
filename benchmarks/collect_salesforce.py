"""`python -m benchmarks.collect_salesforce`: a Bulk result to staged Parquet, beside DuckDB reading the same CSV from disk.

Both run in a fresh process each time, with the same threads, the same columns and types, writing to the same S3. The org (the
project's double) and S3 (moto) run in processes of their own on the same machine, so their work is paid for in the slice's time.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUCKET, REGION, THREADS = "benchmark", "eu-central-1", os.cpu_count() or 2
FIELDS: tuple[tuple[str, str, str], ...] = (
    ("Id", "id", "'001' || lpad(i::VARCHAR, 12, '0') || 'AAA'"),
    ("IsDeleted", "boolean", "'false'"),
    ("Name", "string", "'Account ' || i"),
    ("BillingCity__c", "string", "['Amsterdam', 'São Paulo', 'Zürich', 'Reno, NV', 'The \"Loop\"'][i % 5 + 1]"),
    ("Type", "picklist", "CASE WHEN i % 3 = 0 THEN 'Prospect' ELSE '' END"),
    ("Email__c", "email", "'user' || i || '@example.com'"),
    ("Phone", "phone", "'+31 20 ' || lpad(i::VARCHAR, 8, '0')"),
    ("Website", "url", "'https://example.com/' || i"),
    ("Employees__c", "int", "(i % 100000)::VARCHAR"),
    ("Serial__c", "double", "i || '.0'"),
    ("Revenue__c", "currency", "round(i * 1.37, 2)::VARCHAR"),
    ("Share__c", "percent", "round(i / 7, 4)::VARCHAR"),
    ("Note__c", "string", "''"),
    ("Since__c", "date", "(DATE '2020-01-01' + (i % 2000)::INTEGER)::VARCHAR"),
    ("CreatedDate", "datetime", "strftime(TIMESTAMP '2020-01-01' + to_seconds(i), '%Y-%m-%dT%H:%M:%S.000Z')"),
    ("SystemModstamp", "datetime", "strftime(TIMESTAMP '2024-01-01' + to_seconds(i), '%Y-%m-%dT%H:%M:%S.000Z')"),
    ("Opens__c", "time", "lpad((i % 24)::VARCHAR, 2, '0') || ':30:00.000Z'"),
    ("Description", "textarea", "CASE WHEN i % 10 = 0 THEN 'First line of ' || i || chr(10) || 'second line' ELSE 'short' END"),
    ("OwnerId", "reference", "'005' || lpad((i % 100)::VARCHAR, 12, '0') || 'AAA'"),
    ("Tags__c", "multipicklist", "'a;b;c'"),
)
SYSTEM = {"Id", "IsDeleted", "Name", "CreatedDate", "SystemModstamp"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect_salesforce", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--compression", choices=("none", "gzip"), default="none", help="of what the org sends")
    parser.add_argument("--memory", action="store_true", help="also once at ten times the rows, for the peak memory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_child(json.load(sys.stdin))))
        return
    result = measure(options.rows, options.runs, options.compression, options.memory)
    print(json.dumps(result, indent=2) if options.json else _table(result))


def measure(rows: int, runs: int, compression: str, memory: bool) -> dict[str, Any]:
    """Seconds and peak megabytes of both ways, interleaved, medians; and the slice's rows a second relative to DuckDB's."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        with _s3() as endpoint:
            found = {"rows": rows, "columns": len(FIELDS), "threads": THREADS, "compression": compression}
            found |= _compare(folder / "x1", endpoint, rows, runs, compression)
            if memory:
                more = _compare(folder / "x10", endpoint, rows * 10, 1, compression)
                found["slice_peak_mb_at_ten_times_the_rows"] = more["slice_peak_mb"]
            return found


def _compare(folder: Path, endpoint: str, rows: int, runs: int, compression: str) -> dict[str, Any]:
    folder.mkdir()
    path = folder / "result.csv"
    _write_csv(path, rows)
    with _org(folder) as url:
        _ask(url, "POST", "objects/Account/prepared-result", {"path": str(path)})
        task = {"endpoint": endpoint, "url": url, "csv": str(path), "compression": compression, "rows": rows}
        task["credentials"] = _ask(url, "GET", "credentials")
        taken: dict[str, list[dict[str, float]]] = {"slice": [], "duckdb": []}
        for _ in range(runs):
            for way in taken:
                taken[way].append(_run_child({**task, "way": way}))
    found: dict[str, Any] = {"csv_mb": round(path.stat().st_size / 1e6)}
    for way, results in taken.items():
        found[f"{way}_seconds"] = round(statistics.median(r["seconds"] for r in results), 2)
        found[f"{way}_cpu_seconds"] = round(statistics.median(r["cpu_seconds"] for r in results), 2)
        found[f"{way}_peak_mb"] = round(statistics.median(r["peak_mb"] for r in results))
    found["ratio"] = round(found["duckdb_seconds"] / found["slice_seconds"], 2)
    path.unlink()
    return found


def _write_csv(path: Path, rows: int) -> None:
    """The result of a Bulk job as Salesforce writes it: every value quoted."""
    import duckdb

    columns = ", ".join(f'{expression} AS "{name}"' for name, _, expression in FIELDS)
    options = "HEADER, FORCE_QUOTE *, DELIMITER ',', QUOTE '\"', ESCAPE '\"'"
    duckdb.execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{path}' (FORMAT csv, {options})")


@contextmanager
def _org(folder: Path) -> Iterator[str]:
    """The double in a process of its own, with an Account of the benchmark's fields."""
    fields = [{"name": name, "type": kind} for name, kind, _ in FIELDS if name not in SYSTEM]
    schema = folder / "schema.json"
    schema.write_text(json.dumps([{"name": "Account", "fields": fields}]))
    command = [sys.executable, "-m", "doubles.salesforce", "--data", str(folder / "org"), "--schema", str(schema)]
    with _process(command) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"]


@contextmanager
def _s3() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _process([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]):
        endpoint = f"http://127.0.0.1:{port}"
        _session(endpoint)
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        import boto3

        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item]
        yield endpoint


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _ask(url: str, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(f"{url}/double/{path}", json.dumps(body).encode() if body else None, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def _run_child(task: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.collect_salesforce", "--child"]
    done = subprocess.run(command, check=True, input=json.dumps(task), stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _child(task: dict[str, Any]) -> dict[str, float]:
    import resource

    session = _session(task["endpoint"])
    work = (_slice if task["way"] == "slice" else _duckdb)(task, session)
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    rows = work()
    seconds, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    assert rows == task["rows"], f"{rows} rows instead of {task['rows']}"
    cpu_seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": used.ru_maxrss / 1024}


def _session(endpoint: str) -> Any:
    import boto3

    values = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}
    os.environ.update({**values, "AWS_ENDPOINT_URL": endpoint})
    return boto3.Session()


def _slice(task: dict[str, Any], session: Any) -> Callable[[], int]:
    """The slice's own schema and plan and the start of its job; what is timed is its extract of the job's result."""
    from shared_metadata.contract.collect import ExtractRequest, Output, Window
    from shared_metadata.contract.runtime.deadline import Deadline
    from shared_metadata.contract.runtime.staging import Staging
    from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Table
    from shared_metadata.program.intervals import Interval
    from shared_metadata.state.records import Claim
    from slices.collect.salesforce.client import SalesforceSource

    here, table = Position("benchmark.atoll", 1, 1), Table("lake.crm.account:staged", "Account")
    columns = tuple(Column(name.lower(), name) for name, _, _ in FIELDS)
    clauses: dict[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "systemmodstamp", "columns": columns}
    flow = Flow("lake.crm", Kind.COLLECT, "collect.salesforce", "lake", 3600, (table,), here, "crm", **clauses)
    interval = Interval(datetime(2040, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, 1, tzinfo=UTC))
    window, claim = Window(interval, "", False), Claim("lake.crm", interval, 1, (table.dataset,), "")
    options = {"secret": "crm", "bulk_threshold_rows": 0, "compression": task["compression"]}
    secret = {"client_id": task["credentials"]["client_id"], "client_secret": task["credentials"]["client_secret"]}
    source = SalesforceSource(Connection("crm", "salesforce", options, here), {**secret, "login_url": task["url"]}, session, None, 32)
    schema = source.schema(flow, table)
    plan = source.plan(flow, table, schema, window)
    assert plan
    out = Output(Staging(session.client("s3"), BUCKET, "collect.salesforce", claim), table.dataset, 0, "call")
    request = ExtractRequest(flow, table, schema, window, plan.parts[0], out)
    token = source.extract(request, None, Deadline(time.monotonic() + 900)).resume
    assert token
    while source.session.get(f"jobs/query/{token['job']}")["state"] != "JobComplete":
        time.sleep(0.05)

    def extract() -> int:
        rows, resume = 0, dict(token)
        while resume:
            done = source.extract(request, resume, Deadline(time.monotonic() + 900))
            rows, resume = rows + sum(int(file["rows"]) for file in done.files), dict(done.resume or {})
        return rows

    return extract


def _duckdb(task: dict[str, Any], session: Any) -> Callable[[], int]:
    """DuckDB alone: one read_csv with the types given, one COPY, the same columns."""
    from shared_metadata.contract.parquet.duckdb_session import open_duckdb
    from slices.collect.salesforce.parquet_files import DUCKDB_TYPES
    from systems.salesforce.type_mapping import TYPES

    types = ", ".join(f"'{name}': '{DUCKDB_TYPES[TYPES.get(kind, 'string')]}'" for name, kind, _ in FIELDS)
    options = f"auto_detect=false, header=true, delim=',', quote='\"', escape='\"', new_line='\\n', nullstr='', columns={{{types}}}"
    query = f"SELECT *, TIMESTAMPTZ '2040-01-01' AS _batch, IsDeleted AS _deleted FROM read_csv('{task['csv']}', {options})"

    def copy() -> int:
        found = open_duckdb(session).execute(f"COPY ({query}) TO 's3://{BUCKET}/duckdb.parquet' (FORMAT parquet)").fetchone()
        return int(found[0] if found else 0)

    return copy


def _table(result: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):<40} {value}" for name, value in result.items())


if __name__ == "__main__":
    main()
