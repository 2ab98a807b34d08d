"""Measures collect/kinesis, from a shard of JSON events to Parquet, beside a plain consumer; and what a million events cost.

    python -m benchmarks.collect_kinesis [--events 200000] [--runs 3] [--json] [--memory]

A process of its own answers as Kinesis does, over HTTP, 10,000 events or 10 MB at once, without the limits of a shard; then the two
take turns, each in a fresh process. Ours is the slice's whole batch (plan, extract, commit; metadata in memory): each value is read
as the type that the program casts it to, or refused. The plain consumer is what one writes in an afternoon: boto3's get_records,
json.loads of each event, pyarrow's own guess of types, a Parquet file for each 100,000. Both have Parquet on disk. Where other work
shares the cores, seconds of the processor say more; what the server takes is in neither.

The cost of a million events is their seconds of CPU, times 2 GB of a function's memory, times what a GB-second costs. The stream's
own price, and what a batch costs without any event, are not in it.

`--memory` measures our peak memory at `--events` and at ten times as many.
"""

from __future__ import annotations

import argparse
import base64
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
from typing import Any

from shared_metadata.costs import cost_dollars

ARN = "arn:aws:kinesis:eu-central-1:111122223333:stream/clicks"
BEGIN = 1_795_431_600  # an hour before the moment at which the tests' clock stands
FIRST_SEQUENCE = 49_590_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
PAGE_EVENTS, PAGE_BYTES = 10_000, 10 << 20
MEMORY_GB = 2
CASTS = {
    "id": "long",
    "user_id": "string",
    "kind": "string",
    "amount": "decimal(12,2)",
    "at": "timestamptz",
    "paid": "boolean",
    "url": "string",
    "score": "double",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--child", choices=CHILDREN)
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        _serve(arguments.events)
    elif arguments.child:
        print(json.dumps(CHILDREN[arguments.child]()))
    else:
        found = _memory(arguments.events) if arguments.memory else _compared(arguments.events, arguments.runs)
        print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _compared(events: int, runs: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {"boto3": [], "atoll": []}
    with _kinesis(events) as address:
        for _ in range(runs):
            for name, results in found.items():
                results.append(_run(name, address))
    assert {run["events"] for results in found.values() for run in results} == {events}
    of = {name: {what: statistics.median(run[what] for run in results) for what in results[0]} for name, results in found.items()}
    gb_seconds = of["atoll"]["cpu_seconds"] / events * 1e6 * MEMORY_GB
    return {
        "events": events,
        "bytes_an_event": len(event(events // 2)),
        "runs": runs,
        "load": round(os.getloadavg()[0], 1),
        **{f"{name}_seconds": round(values["seconds"], 2) for name, values in of.items()},
        **{f"{name}_cpu_seconds": round(values["cpu_seconds"], 2) for name, values in of.items()},
        **{f"{name}_events_a_cpu_second": round(events / values["cpu_seconds"]) for name, values in of.items()},
        "ratio_cpu": round(of["boto3"]["cpu_seconds"] / of["atoll"]["cpu_seconds"], 2),
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
        "dollars_a_million_events": round(cost_dollars({"lambda_arm64_gb_second": gb_seconds}), 6),
    }


def _memory(events: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (events, events * 10):
        with _kinesis(count) as address:
            found[f"atoll_peak_mb_at_{count}_events"] = _run("atoll", address)["peak_mb"]
    return found


def _run(child: str, address: str) -> dict[str, Any]:
    """One contender in a fresh process."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}
    command = [sys.executable, "-m", "benchmarks.collect_kinesis", "--child", child]
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL_KINESIS": address}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- what answers as Kinesis does


@contextlib.contextmanager
def _kinesis(events: int) -> Iterator[str]:
    """The address of a stream of one shard."""
    command = [sys.executable, "-m", "benchmarks.collect_kinesis", "--serve", "--events", str(events)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def event(number: int) -> bytes:
    event = {
        "id": number,
        "user_id": f"user-{number * 7919 % 50_000}",
        "kind": ("view", "click", "order")[number % 3],
        "amount": f"{number % 100_000 / 100:.2f}",
        "at": f"2026-11-23T11:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z",
        "paid": number % 3 == 0,
        "url": f"https://example.com/products/{number % 9973}?campaign=autumn&position={number % 40}",
        "score": number * 0.37,
    }
    return json.dumps(event).encode()


def _serve(events: int) -> None:
    """Answers until it is ended; each event is made when it is asked for, but for those of the first 100,000, which are kept."""
    kept: dict[int, str] = {}

    def record(number: int) -> str:
        data = kept.get(number % 100_000)
        if data is None:
            data = kept[number % 100_000] = base64.b64encode(event(number)).decode()
        told = f'"SequenceNumber":"{FIRST_SEQUENCE + number}","ApproximateArrivalTimestamp":{BEGIN + number * 3600 / events:.3f}'
        return f'{{{told},"PartitionKey":"user-{number % 977}","Data":"{data}"}}'

    def answer(operation: str, asked: Mapping[str, Any]) -> str:
        if operation == "DescribeStreamSummary":
            told = {"StreamName": "clicks", "StreamARN": ARN, "StreamStatus": "ACTIVE", "RetentionPeriodHours": 8760}
            return json.dumps({"StreamDescriptionSummary": {**told, "EnhancedMonitoring": [], "OpenShardCount": 1}})
        if operation == "ListShards":
            hashes = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
            begins = {"SequenceNumberRange": {"StartingSequenceNumber": "1"}}
            return json.dumps({"Shards": [{"ShardId": "shardId-000000000000", "HashKeyRange": hashes, **begins}]})
        if operation == "GetShardIterator":
            kind, at = asked["ShardIteratorType"], 0
            if kind == "AT_TIMESTAMP":
                at = min(max(int((float(asked["Timestamp"]) - BEGIN) / 3600 * events), 0), events)
            elif kind.endswith("SEQUENCE_NUMBER"):
                at = int(asked["StartingSequenceNumber"]) - FIRST_SEQUENCE + (kind == "AFTER_SEQUENCE_NUMBER")
            return json.dumps({"ShardIterator": str(at)})
        first, found, size = int(asked["ShardIterator"]), list[str](), 0
        while first + len(found) < events and len(found) < min(asked.get("Limit", PAGE_EVENTS), PAGE_EVENTS) and size < PAGE_BYTES:
            found.append(record(first + len(found)))
            size += len(found[-1]) * 3 // 4
        ends = first + len(found)
        return f'{{"Records":[{",".join(found)}],"NextShardIterator":"{ends}","MillisBehindLatest":{int(ends < events)}}}'

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


# -- the contenders


def _boto3() -> dict[str, Any]:
    import boto3
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        started, cpu, events, rows, files = time.monotonic(), time.process_time(), 0, list[dict[str, Any]](), 0
        kinesis = boto3.client("kinesis")
        shard = kinesis.list_shards(StreamARN=ARN)["Shards"][0]["ShardId"]
        iterator = kinesis.get_shard_iterator(StreamARN=ARN, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while True:
            answer = kinesis.get_records(StreamARN=ARN, ShardIterator=iterator)
            for record in answer["Records"]:
                row = json.loads(record["Data"])
                row["sequence_number"], row["arrived_at"] = record["SequenceNumber"], record["ApproximateArrivalTimestamp"]
                rows.append(row)
            iterator, ends = answer["NextShardIterator"], answer["MillisBehindLatest"] == 0
            if rows and (ends or len(rows) >= 100_000):
                pq.write_table(pa.Table.from_pylist(rows), f"{folder}/{files}.parquet")
                events, rows, files = events + len(rows), [], files + 1
            if ends:
                return {**_taken(started, cpu), "events": events}


def _atoll() -> dict[str, Any]:
    import boto3
    import duckdb  # noqa: F401  as in the other contender, importing is not measured

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.kinesis.client import KinesisSource
    from slices.collect.kinesis.slice import SLICE
    from tests.conformance.fixtures import NOW, Cloud, run_batch

    with tempfile.TemporaryDirectory() as folder:
        cloud, here = Cloud(), Position("p.sql", 1, 1)
        columns = tuple(Column(name, name) for name in (*CASTS, "_sequence_number", "_arrived_at"))
        flow = Flow(
            "lake.site.clicks", Kind.COLLECT, SLICE.id, "lake", 3600, (Table("lake.site.clicks:staged", "clicks"),), here,
            connection="site", mode=Mode.APPEND, columns=columns, casts=CASTS,
        )  # fmt: skip
        cloud.apply(Program({"site": Connection("site", "kinesis", {"streams": ARN}, here)}, {}, {flow.id: flow}))
        services = cloud.services(SLICE.id)
        steps = disk_steps(folder)(
            SLICE, services, lambda one, _: KinesisSource(one, None, lambda _: boto3.client("kinesis"), lambda: NOW)
        )
        started, cpu = time.monotonic(), time.process_time()
        run = run_batch(steps, cloud.event(flow.id))
        return {**_taken(started, cpu), "events": run.results["lake.site.clicks:staged"]["rows"]}


def _taken(started: float, cpu: float) -> dict[str, Any]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}


CHILDREN: Mapping[str, Callable[[], dict[str, Any]]] = {"atoll": _atoll, "boto3": _boto3}


if __name__ == "__main__":
    main()
