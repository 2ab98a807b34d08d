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

import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.event_contenders import CASTS, Comparison, event, taken

TOPIC, BATCH_EVENTS, FILE_EVENTS = "clicks", 500, 100_000
BEGIN = datetime(2026, 11, 23, 11, tzinfo=UTC)
ADDRESS = "KAFKA_OF_BENCHMARK"


# -- the cluster


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
        return {**taken(started, cpu), "events": events}


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
        return {**taken(started, cpu), "events": run.results["lake.bus.clicks:staged"]["rows"]}


COMPARISON = Comparison(
    "benchmarks.collect_kafka", __doc__, "plain", {"atoll": _atoll, "plain": _plain}, _serve, lambda address: {ADDRESS: address}
)


if __name__ == "__main__":
    COMPARISON.main()
