"""Measures collect/kafka, from a partition of JSON events to Parquet, beside a plain consumer; and what a million events cost.

    python -m benchmarks.collect_kafka [--events 200000] [--runs 3] [--json] [--memory]

A process of its own serves a topic of one partition, in batches of 500 events, not compressed; then the two take turns, each in a
fresh process. Ours is the slice's whole batch (plan, extract, commit; metadata in memory): each value is read as the type that the
program casts it to, or refused. The plain consumer is what one writes in an afternoon: confluent-kafka's consume, json.loads of each
event, pyarrow's own guess of types, a Parquet file for each 100,000. Both have Parquet on disk. Where other work shares the cores,
seconds of the processor say more; what the server takes is in neither.

The cost of a million events is their seconds of CPU, times 2 GB of a function's memory, times what a GB-second costs. What the
cluster costs, and a batch without any event, are not in it.

`--memory` measures our peak memory at `--events` and at ten times as many.
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
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.collect_kinesis import CASTS, MEMORY_GB, event
from shared_metadata.costs import cost_dollars

TOPIC, BATCH_EVENTS, FILE_EVENTS = "clicks", 500, 100_000
BEGIN = datetime(2026, 11, 23, 11, tzinfo=UTC)
ADDRESS = "KAFKA_OF_BENCHMARK"


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
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "atoll": []}
    with _kafka(events) as address:
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
        "ratio_cpu": round(of["plain"]["cpu_seconds"] / of["atoll"]["cpu_seconds"], 2),
        **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
        "dollars_a_million_events": round(cost_dollars({"lambda_arm64_gb_second": gb_seconds}), 6),
    }


def _memory(events: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (events, events * 10):
        with _kafka(count) as address:
            found[f"atoll_peak_mb_at_{count}_events"] = _run("atoll", address)["peak_mb"]
    return found


def _run(child: str, address: str) -> dict[str, Any]:
    """One contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.collect_kafka", "--child", child]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, ADDRESS: address})
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- the cluster


@contextlib.contextmanager
def _kafka(events: int) -> Iterator[str]:
    """The address of a cluster with the topic."""
    command = [sys.executable, "-m", "benchmarks.collect_kafka", "--serve", "--events", str(events)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def _serve(events: int) -> None:
    """Serves until it is ended; all is made, and packed, before."""
    from doubles.kafka.server import Kafka

    kafka = Kafka()
    log = kafka.cluster.create(TOPIC).partitions[0]
    for first in range(0, events, BATCH_EVENTS):
        at = BEGIN + timedelta(seconds=3600 * first / events)
        kafka.cluster.put_many(
            TOPIC, [event(n) for n in range(first, min(first + BATCH_EVENTS, events))], f"user-{first % 977}".encode(), at
        )
    assert all(batch.encoded for batch in log.batches)
    print(kafka.address, flush=True)
    while True:
        time.sleep(3600)


# -- the contenders


def _plain() -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from confluent_kafka import Consumer, TopicPartition

    with tempfile.TemporaryDirectory() as folder:
        started, cpu, events, rows, files = time.monotonic(), time.process_time(), 0, list[dict[str, Any]](), 0
        settings = {"bootstrap.servers": os.environ[ADDRESS], "group.id": "plain", "enable.auto.commit": False}
        consumer = Consumer({**settings, "isolation.level": "read_committed"})
        _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        while events + len(rows) < end:
            for message in consumer.consume(5_000, 0.2):
                if message.error() is None:
                    row = json.loads(message.value() or b"")
                    row["offset"], row["timestamp"] = message.offset(), message.timestamp()[1]
                    rows.append(row)
            if rows and (events + len(rows) == end or len(rows) >= FILE_EVENTS):
                pq.write_table(pa.Table.from_pylist(rows), f"{folder}/{files}.parquet")
                events, rows, files = events + len(rows), [], files + 1
        consumer.close()
        return {**_taken(started, cpu), "events": events}


def _atoll() -> dict[str, Any]:
    import confluent_kafka  # noqa: F401  as in the other contender, importing is not measured
    import duckdb  # noqa: F401

    from benchmarks.disk_steps import disk_steps
    from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Program, Table
    from slices.collect.kafka.client import KafkaSource
    from slices.collect.kafka.slice import SLICE
    from tests.conformance.fixtures import Cloud, run_batch

    with tempfile.TemporaryDirectory() as folder:
        cloud, here = Cloud(), Position("p.sql", 1, 1)
        columns = tuple(Column(name, name) for name in (*CASTS, "_offset", "_timestamp"))
        flow = Flow(
            "lake.bus.clicks", Kind.COLLECT, SLICE.id, "lake", 3600, (Table("lake.bus.clicks:staged", TOPIC),), here,
            connection="bus", mode=Mode.APPEND, columns=columns, casts=CASTS,
        )  # fmt: skip
        options = {"brokers": os.environ[ADDRESS], "auth": "none", "tls": False}
        cloud.apply(Program({"bus": Connection("bus", "kafka", options, here)}, {}, {flow.id: flow}))
        steps = disk_steps(folder)(SLICE, cloud.services(SLICE.id), lambda one, secret: KafkaSource(one, secret, None))
        started, cpu = time.monotonic(), time.process_time()
        run = run_batch(steps, cloud.event(flow.id))
        return {**_taken(started, cpu), "events": run.results["lake.bus.clicks:staged"]["rows"]}


def _taken(started: float, cpu: float) -> dict[str, Any]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}


CHILDREN: Mapping[str, Callable[[], dict[str, Any]]] = {"atoll": _atoll, "plain": _plain}


if __name__ == "__main__":
    main()
