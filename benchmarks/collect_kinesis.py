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

import base64
import http.server
import json
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.event_contenders import CASTS, Comparison, event, taken

ARN = "arn:aws:kinesis:eu-central-1:111122223333:stream/clicks"
BEGIN = 1_795_431_600  # an hour before the moment at which the tests' clock stands
FIRST_SEQUENCE = 49_590_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
PAGE_EVENTS, PAGE_BYTES = 10_000, 10 << 20


# -- what answers as Kinesis does


def _serve(events: int) -> None:
    """Answers until it is ended."""
    stream = _Stream(events)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = stream.answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked).encode()
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


class _Stream:
    """A stream of one shard; each event is made when it is asked for, but for those of the first 100,000, which are kept."""

    def __init__(self, events: int) -> None:
        self._events, self._kept = events, dict[int, str]()

    def answer(self, operation: str, asked: Mapping[str, Any]) -> str:
        if operation == "DescribeStreamSummary":
            told = {"StreamName": "clicks", "StreamARN": ARN, "StreamStatus": "ACTIVE", "RetentionPeriodHours": 8760}
            return json.dumps({"StreamDescriptionSummary": {**told, "EnhancedMonitoring": [], "OpenShardCount": 1}})
        if operation == "ListShards":
            hashes = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
            begins = {"SequenceNumberRange": {"StartingSequenceNumber": "1"}}
            return json.dumps({"Shards": [{"ShardId": "shardId-000000000000", "HashKeyRange": hashes, **begins}]})
        return self._iterator(asked) if operation == "GetShardIterator" else self._records(asked)

    def _iterator(self, asked: Mapping[str, Any]) -> str:
        kind, at = asked["ShardIteratorType"], 0
        if kind == "AT_TIMESTAMP":
            at = min(max(int((float(asked["Timestamp"]) - BEGIN) / 3600 * self._events), 0), self._events)
        elif kind.endswith("SEQUENCE_NUMBER"):
            at = int(asked["StartingSequenceNumber"]) - FIRST_SEQUENCE + (kind == "AFTER_SEQUENCE_NUMBER")
        return json.dumps({"ShardIterator": str(at)})

    def _records(self, asked: Mapping[str, Any]) -> str:
        first, found, size = int(asked["ShardIterator"]), list[str](), 0
        most = min(asked.get("Limit", PAGE_EVENTS), PAGE_EVENTS, self._events - first)
        while len(found) < most and size < PAGE_BYTES:
            found.append(self._record(first + len(found)))
            size += len(found[-1]) * 3 // 4
        ends = first + len(found)
        behind = int(ends < self._events)
        return f'{{"Records":[{",".join(found)}],"NextShardIterator":"{ends}","MillisBehindLatest":{behind}}}'

    def _record(self, number: int) -> str:
        data = self._kept.get(number % 100_000)
        if data is None:
            data = self._kept[number % 100_000] = base64.b64encode(event(number)).decode()
        arrived = BEGIN + number * 3600 / self._events
        told = f'"SequenceNumber":"{FIRST_SEQUENCE + number}","ApproximateArrivalTimestamp":{arrived:.3f}'
        return f'{{{told},"PartitionKey":"user-{number % 977}","Data":"{data}"}}'


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
                return {**taken(started, cpu), "events": events}


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
        return {**taken(started, cpu), "events": run.results["lake.site.clicks:staged"]["rows"]}


def _variables(port: str) -> Mapping[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}
    return {**keys, "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{port}"}


COMPARISON = Comparison("benchmarks.collect_kinesis", __doc__, "boto3", {"atoll": _atoll, "boto3": _boto3}, _serve, _variables)


if __name__ == "__main__":
    COMPARISON.main()
