"""The slice's steps over the embedded AWS's Kinesis: real HTTP, real sequence numbers, and shards that are split and merged."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.program import BadRows, Column, Connection, Flow, Kind, Mode, Program, Table
from slices.collect.kinesis.client import KinesisSource
from slices.collect.kinesis.slice import SLICE
from slices.collect.kinesis.tests.test_kinesis import DATASET, FLOW, HERE
from tests.conformance.fixtures import Cloud, open_cloud, run_batch
from tests.memory.kinesis import arn

pytestmark = [pytest.mark.deep, pytest.mark.xdist_group("emulator"), pytest.mark.timeout(600), pytest.mark.budget(60)]


@pytest.fixture
def cloud(local_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


def test_each_event_is_taken_once_through_splits_and_merges(cloud: Cloud, local_aws: EmbeddedAws) -> None:
    """All come within the first hour; each batch takes, by sequence numbers, what no batch before has."""
    kinesis, name, sent = local_aws.session().client("kinesis"), f"clicks-{uuid.uuid4().hex[:8]}", 0
    kinesis.create_stream(StreamName=name, ShardCount=2)
    stream = arn(name, "us-east-1", "000000000000")
    cloud.clock.now = datetime.now(UTC) + timedelta(hours=1)
    flow = Flow(
        FLOW, Kind.COLLECT, SLICE.id, "lake", 3600, (Table(DATASET, name),), HERE, connection="site", mode=Mode.APPEND,
        columns=(Column("id", "id"), Column("_sequence_number", "_sequence_number")), casts={"id": "long"}, bad_rows=BadRows(1),
    )  # fmt: skip
    cloud.apply(Program({"site": Connection("site", "kinesis", {"streams": stream}, HERE)}, {}, {FLOW: flow}))

    def opened(connection: Connection, _: Any) -> KinesisSource:
        return KinesisSource(connection, cloud.session, lambda _: kinesis, lambda: datetime.now(UTC))

    seen, sequences = list[int](), list[str]()
    for count, shards in ((1000, 4), (700, 2), (301, 0)):
        for first in range(sent, sent + count, 500):
            numbers = range(first, min(first + 500, sent + count))
            records = [{"Data": json.dumps({"id": n}).encode(), "PartitionKey": str(n)} for n in numbers]
            assert kinesis.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0
        sent += count
        if shards:
            kinesis.update_shard_count(StreamName=name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING")
        else:
            kinesis.put_record(StreamName=name, PartitionKey="x", Data=b"no event")
        run_batch(CollectSteps(SLICE, cloud.services(SLICE.id), opened), cloud.event(FLOW))
        rows = cloud.rows(DATASET).to_pylist()
        seen, sequences = seen + [row["id"] for row in rows], sequences + [row["_sequence_number"] for row in rows]
    assert sorted(seen) == list(range(sent)) and len(set(sequences)) == sent
    assert sum(file["rows"] for file in cloud.manifest(DATASET)["rejected"]) == 1
