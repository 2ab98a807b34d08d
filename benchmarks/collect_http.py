"""Measures collect/http: the receiving function, and a batch from requests in S3 to Parquet, each beside a plain one.

    python -m benchmarks.collect_http [--requests 1000] [--events 100] [--runs 3] [--json]

S3 is in memory, the same for all, so what a network takes is in none. Each contender works in a fresh process, in turns. The plain
receiver verifies the same signature, reads the body by json.loads, and puts what it was sent; ours also bounds it, sees that no
key is there twice, judges each value by the columns that the table declares, and cuts it into events. The plain reader is what one
writes in an afternoon: it lists and gets the objects, json.loads each event, and has pyarrow guess types; ours is the slice's whole
batch (plan, extract, commit; metadata in memory), in which each value is its column's type or refused. Parquet goes to the disk.
Where other work shares the cores, seconds of the processor say more.

The cost of a million events is that of their requests by the list prices of us-east-1: API Gateway's, Lambda's by the measured
seconds (512 MB; a put of 50 ms is waited for), S3's puts and gets.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from benchmarks.event_contenders import event, taken, values

MEMORY_GB, PUT_SECONDS = 0.5, 0.05
GB_SECOND = 0.0000133334  # https://aws.amazon.com/lambda/pricing/, arm64
A_REQUEST = 1.00e-6 + 0.20e-6 + 5.00e-6 + 0.40e-6  # API Gateway, Lambda, a put, a get
COLUMNS = (
    "id bigint not null, user_id varchar, kind varchar, amount decimal(12,2), at timestamptz, paid boolean, url varchar, score double"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--events", type=int, default=100, help="of a request")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", choices=CHILDREN)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child](arguments.requests, arguments.events)))
        return
    found = _compared(arguments.requests, arguments.events, arguments.runs)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _compared(requests: int, events: int, runs: int) -> dict[str, Any]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in CHILDREN}
    for _ in range(runs):
        for name, found in results.items():
            command = [sys.executable, "-m", "benchmarks.collect_http", "--child", name]
            command += ["--requests", str(requests), "--events", str(events)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    assert {run["events"] for found in results.values() for run in found} == {requests * events}
    of = {name: {what: statistics.median(run[what] for run in found) for what in found[0]} for name, found in results.items()}
    seconds = of["receive"]["cpu_seconds"] / requests + PUT_SECONDS
    a_request = A_REQUEST + seconds * MEMORY_GB * GB_SECOND
    return {
        "requests": requests,
        "events_a_request": events,
        "bytes_an_event": len(event(events // 2)),
        "runs": runs,
        "load": round(os.getloadavg()[0], 1),
        **{f"{name}_cpu_seconds": round(values["cpu_seconds"], 2) for name, values in of.items()},
        **{f"{name}_events_a_cpu_second": round(requests * events / values["cpu_seconds"]) for name, values in of.items()},
        "ratio_receiving": round(of["plain receive"]["cpu_seconds"] / of["receive"]["cpu_seconds"], 2),
        "ratio_reading": round(of["plain batch"]["cpu_seconds"] / of["batch"]["cpu_seconds"], 2),
        "batch_peak_mb": max(run["peak_mb"] for run in results["batch"]),
        "dollars_a_million_requests": round(1e6 * a_request, 2),
        "dollars_a_million_events": round(1e6 * a_request / events, 4),
    }


class _World:
    """An endpoint, and what is sent to it."""

    def __init__(self, requests: int, events: int) -> None:
        from slices.collect.http.tests.under_test import Endpoint, request, signed
        from tests.conformance.fixtures import NOW

        self.options = {"tables": f"orders ({COLUMNS})", "secret": "senders", "requests_a_second": 1000}
        self.endpoint, at = Endpoint(self.options, "site"), NOW - timedelta(minutes=20)
        self.endpoint.now = at
        bodies = [json.dumps([values(number * events + one) for one in range(events)]).encode() for number in range(requests)]
        self.asked = [request("/site/orders", body, signed(body, at)) for body in bodies]


def _receive(requests: int, events: int) -> dict[str, Any]:
    world = _World(requests, events)
    receiver = world.endpoint.receiver()
    started, cpu = time.monotonic(), time.process_time()
    counted = sum(receiver.receive(asked).count for asked in world.asked)
    return {**taken(started, cpu), "events": counted}


def _plain_receive(requests: int, events: int) -> dict[str, Any]:
    import base64

    from slices.collect.http.tests.under_test import KEY

    world, key, counted = _World(requests, events), base64.b64decode(KEY), 0
    started, cpu = time.monotonic(), time.process_time()
    for number, asked in enumerate(world.asked):
        headers, body = asked["headers"], asked["body"].encode()
        prefix = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
        wanted = "v1," + base64.b64encode(hmac.new(key, prefix + body, hashlib.sha256).digest()).decode()
        assert hmac.compare_digest(wanted, headers["webhook-signature"])
        counted += len(json.loads(body))
        world.endpoint.s3.put_object(Bucket=world.endpoint.bucket, Key=f"plain/{number:08d}", Body=body)
    return {**taken(started, cpu), "events": counted}


def _batch(requests: int, events: int) -> dict[str, Any]:
    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.http.client import HttpSource
    from slices.collect.http.slice import SLICE
    from tests.conformance.fixtures import Cloud, run_batch

    world, cloud, here = _World(requests, events), Cloud(), Position("p.sql", 1, 1)
    receiver = world.endpoint.receiver()
    assert all(receiver.receive(asked).status == 202 for asked in world.asked)
    with tempfile.TemporaryDirectory() as folder:
        tables = (Table("lake.site.orders:staged", "orders"),)
        flow = Flow("lake.site.orders", Kind.COLLECT, SLICE.id, "lake", 3600, tables, here, connection="site", mode=Mode.APPEND)
        cloud.apply(Program({"site": Connection("site", "http", world.options, here)}, {}, {flow.id: flow}))
        inbox = world.endpoint.inbox(cloud.clock)
        steps = disk_steps(folder)(SLICE, cloud.services(SLICE.id), lambda one, _: HttpSource(one, None, inbox, cloud.clock))
        started, cpu = time.monotonic(), time.process_time()
        run = run_batch(steps, cloud.event(flow.id))
        return {**taken(started, cpu), "events": run.results["lake.site.orders:staged"]["rows"]}


def _plain_batch(requests: int, events: int) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    world, rows = _World(requests, events), list[dict[str, Any]]()
    s3, bucket = world.endpoint.s3, world.endpoint.bucket
    for number, asked in enumerate(world.asked):
        s3.put_object(Bucket=bucket, Key=f"plain/{number:08d}", Body=asked["body"].encode())
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.monotonic(), time.process_time()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="plain/"):
            for found in page["Contents"]:
                rows += json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
        pq.write_table(pa.Table.from_pylist(rows), f"{folder}/all.parquet")
        return {**taken(started, cpu), "events": len(rows)}


CHILDREN: Mapping[str, Callable[[int, int], dict[str, Any]]] = {
    "receive": _receive,
    "plain receive": _plain_receive,
    "batch": _batch,
    "plain batch": _plain_batch,
}


if __name__ == "__main__":
    main()
