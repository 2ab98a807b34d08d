"""Measures a source in one file (systems/rest), from pages of JSON to Parquet, beside airbyte-cdk over the same manifest.

    python -m benchmarks.collect_rest [--records 100000] [--page 1000] [--runs 3] [--json] [--memory] [--imports]

A process of its own answers pages of nested records of some 600 bytes; then the two take turns, each in a fresh process. Ours is the
slice's whole batch (plan, extract, commit; metadata in memory), with typed Parquet on disk. airbyte-cdk reads the stream's partitions
one after another, without its threads and its messages, and its records are counted and thrown away, so that what a destination does
with them is not in its figure. It runs in the environment that `ATOLL_SUITE=all pytest tests/systems/rest/test_oracle.py` makes.
Where other work shares the cores, seconds of the processor say more; what the server takes is in neither.

`--memory` measures our peak memory at 10 and at 100 pages of the same size. `--imports` measures what a function's first call loads.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ORIGINAL = ROOT / ".atoll" / "parts" / "airbyte" / "bin" / "python"
PEER, OURS = "airbyte_cdk", "atoll"
TYPES = {"id": "integer", "name": "string", "email": "string", "score": "number", "paid": "boolean", "note": "string"}
ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}, "zip": {"type": "string"}}}
TAGS = {"type": "array", "items": {"type": "string"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--imports", action="store_true")
    parser.add_argument("--child", choices=CHILDREN)
    parser.add_argument("--address", default="")
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        _serve(given.records, given.page)
    elif given.child:
        print(json.dumps(CHILDREN[given.child](given.address)))
    else:
        found = _imports(given.runs) if given.imports else _memory(given.page) if given.memory else _compared(given)
        print(json.dumps(found) if given.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _compared(given: argparse.Namespace) -> dict[str, Any]:
    if not ORIGINAL.exists():
        raise SystemExit("airbyte-cdk is not there: ATOLL_SUITE=all .venv/bin/pytest tests/systems/rest/test_oracle.py fetches it")
    found: dict[str, list[dict[str, Any]]] = {PEER: [], OURS: []}
    with _api(given.records, given.page) as address:
        for _ in range(given.runs):
            for name, results in found.items():
                results.append(_run(name, address))
    assert {run["records"] for results in found.values() for run in results} == {given.records}
    of = {name: {what: statistics.median(run[what] for run in results) for what in results[0]} for name, results in found.items()}
    return {
        "records": given.records,
        "bytes_a_record": len(_record(given.records // 2)),
        "records_a_page": given.page,
        "runs": given.runs,
        "load": round(os.getloadavg()[0], 1),
        **{f"{name}_cpu_seconds": round(values["cpu_seconds"], 2) for name, values in of.items()},
        **{f"{name}_records_a_cpu_second": round(given.records / values["cpu_seconds"]) for name, values in of.items()},
        "ratio_cpu": round(of[PEER]["cpu_seconds"] / of[OURS]["cpu_seconds"], 2),
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
    }


def _memory(page: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pages in (10, 100):
        with _api(pages * page, page) as address:
            found[f"{OURS}_peak_mb_at_{pages}_pages"] = _run(OURS, address)["peak_mb"]
    return found


def _imports(runs: int) -> dict[str, Any]:
    results = [_run("imports", "") for _ in range(runs)]
    return {what: round(statistics.median(run[what] for run in results), 1) for what in results[0]}


def _run(child: str, address: str) -> dict[str, Any]:
    """One contender in a fresh process."""
    python = (
        [str(ORIGINAL), "-P", str(Path(__file__).resolve())] if child == PEER else [sys.executable, "-m", "benchmarks.collect_rest"]
    )
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}
    command = [*python, "--child", child, "--address", address]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **keys})
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- the API, and its manifest


@contextlib.contextmanager
def _api(records: int, page: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.collect_rest", "--serve", "--records", str(records), "--page", str(page)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def _record(number: int) -> bytes:
    record = {
        "id": number,
        "name": f"name of {number}",
        "email": f"user-{number * 7919 % 50_000}@example.com",
        "score": number * 0.37,
        "paid": number % 3 == 0,
        "note": "what was said of it " * 15,
        "address": {"street": f"street {number % 977}", "zip": f"{number % 99_999:05d}"},
        "tags": [f"tag-{number % 7}", f"tag-{number % 11}"],
        "updated": f"2026-11-23T11:{number // 60 % 60:02d}:{number % 60:02d}Z",
    }
    return json.dumps(record).encode()


def _serve(records: int, page: int) -> None:
    """Answers until it is ended; the bytes of a page are kept."""
    kept: dict[int, bytes] = {}

    def answer(first: int) -> bytes:
        if first not in kept:
            last = min(first + page, records)
            following = str(last) if last < records else "null"
            kept[first] = b'{"data": [' + b",".join(map(_record, range(first, last))) + b'], "next": ' + following.encode() + b"}"
        return kept[first]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answer(int(self.path.partition("after=")[2] or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def _manifest(address: str) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": [kind, "null"]} for name, kind in TYPES.items()}
    properties |= {"address": ADDRESS, "tags": TAGS, "updated": {"type": "string", "format": "date-time"}}
    stream = {
        "type": "DeclarativeStream",
        "name": "things",
        "primary_key": "id",
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": address, "path": "/things", "http_method": "GET"},
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "after"},
                "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ response.get('next') }}"},
            },
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}},
    }
    spec = {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}}
    check = {"type": "CheckStream", "stream_names": ["things"]}
    return {"version": "6.0.0", "type": "DeclarativeSource", "check": check, "streams": [stream], "spec": spec}


# -- the contenders


def _airbyte(address: str) -> dict[str, Any]:
    import logging

    from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

    logging.disable(logging.CRITICAL)
    config = {"__injected_declarative_manifest": {}}
    source = ConcurrentDeclarativeSource(config=config, state=[], source_config=_manifest(address))
    (stream,) = source.streams(config)
    started = time.process_time()
    records = sum(1 for partition in stream.generate_partitions() for _ in partition.read())
    return {**_taken(started), "records": records}


def _atoll(address: str) -> dict[str, Any]:
    import boto3  # noqa: F401  as in the other contender, importing is not measured
    import duckdb  # noqa: F401
    import yaml

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table
    from systems.rest import document, extracting, parquet_files  # noqa: F401
    from systems.rest.client import RestSource
    from systems.rest.declared import declared
    from tests.conformance.fixtures import Cloud, run_batch

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # a project, in whose folder the process is
        Path(document.FOLDER, "things").mkdir(parents=True)
        Path(document.FOLDER, "things", document.MANIFEST).write_text(yaml.safe_dump(_manifest(address)))

        cloud, here, read = Cloud(), Position("p.sql", 1, 1), document.document_of("things")
        slice_, dataset = declared("things"), "lake.api.things:staged"
        table = Table(dataset, "things")
        flow = Flow("lake.api", Kind.COLLECT, slice_.id, "lake", 3600, (table,), here, connection="api", mode=Mode.REPLACE)
        cloud.apply(Program({"api": Connection("api", "things", {}, here)}, {}, {flow.id: flow}))
        steps = disk_steps(folder)(slice_, cloud.services(slice_.id), lambda one, secret: RestSource(one, secret, read, None))
        started = time.process_time()
        run = run_batch(steps, cloud.event(flow.id))
        return {**_taken(started), "records": run.results[dataset]["rows"]}


def _first_call(_: str) -> dict[str, Any]:
    """CPU of what plan and extract load beside what every function does, which is boto3 and Powertools."""
    import boto3  # noqa: F401

    from shared_metadata.contract.runtime import lambda_handler  # noqa: F401

    started = time.process_time()
    from systems.rest import handlers  # noqa: F401

    handlers_ms = (time.process_time() - started) * 1000
    from systems.rest import client  # noqa: F401

    plan_ms = (time.process_time() - started) * 1000
    from systems.rest import extracting, parquet_files  # noqa: F401

    return {"handlers_ms": handlers_ms, "plan_ms": plan_ms, "extract_ms": (time.process_time() - started) * 1000}


def _taken(started: float) -> dict[str, Any]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"cpu_seconds": time.process_time() - started, "peak_mb": peak_mb}


CHILDREN: Mapping[str, Callable[[str], dict[str, Any]]] = {OURS: _atoll, PEER: _airbyte, "imports": _first_call}


if __name__ == "__main__":
    main()
