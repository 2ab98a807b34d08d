"""Streams as a user has them: a program is compiled, its stacks deployed, and events are collected while the stream is resharded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.run import wait_for
from console.target import Target, open_target
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from shared_metadata.program.intervals import floor
from slices.registry import installed
from tests.e2e.same_rows import lake_rows

pytestmark = [pytest.mark.xdist_group("kinesis"), pytest.mark.timeout(1200), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("kinesis.sql")
STACKS = ("CollectKinesisSlice", "OrganizeIcebergSlice")
MINUTE_SECONDS, MOST_RUNS = 60, 30


@dataclass
class Deployed:
    aws: EmbeddedAws
    target: Target
    sent: int = 0

    @property
    def kinesis(self) -> Any:
        return self.aws.session().client("kinesis")

    def send(self, count: int) -> None:
        """Events of many partition keys."""
        for first in range(0, count, 500):
            numbers = range(self.sent + first, self.sent + min(first + 500, count))
            records = [{"Data": json.dumps({"id": n, "kind": f"k{n % 3}"}).encode(), "PartitionKey": str(n)} for n in numbers]
            assert self.kinesis.put_records(StreamName="clicks", Records=records)["FailedRecordCount"] == 0
        self.sent += count

    def run(self, slice_id: str, flow: str) -> None:
        states, machine = self.target.session.client("stepfunctions"), self.target.state_machine_arn(slice_id)
        started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow}))
        ended = wait_for(self.target, started["executionArn"])
        assert ended["status"] == "SUCCEEDED", ended

    def collected(self) -> list[int]:
        """What the lake holds once the minute in which the last event came has ended, and all batches until then have run."""
        ends = floor(datetime.now(UTC), MINUTE_SECONDS) + timedelta(seconds=MINUTE_SECONDS)
        time.sleep((ends - datetime.now(UTC)).total_seconds() + 1)
        self.until("collect.kinesis", "lake.site.clicks", "lake.site.clicks:staged", ends)
        self.until("organize.iceberg", "lake.site.clicks:load", "lake.site.clicks", ends)
        self.until("organize.iceberg", "lake.site.kinds", "lake.site.kinds", ends)
        return sorted(lake_rows(self.aws, "site", "clicks")["id"].to_pylist())

    def until(self, slice_id: str, flow: str, dataset: str, ends: datetime) -> None:
        """Runs what is due of a flow until its batches have come so far: an execution takes those that are due when it begins."""
        for _ in range(MOST_RUNS):
            self.run(slice_id, flow)
            if self.target.reader.flow_states([flow])[flow].tables[dataset].watermark >= ends:
                return
        raise AssertionError(f"{flow} has not come to {ends}")


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    """The account, with these stacks, this program and a stream of two shards."""
    kinesis = own_aws.session().client("kinesis")
    for stream in ("clicks", "others"):
        kinesis.create_stream(StreamName=stream, ShardCount=2)
    bootstrap(own_aws)
    options = ["--require-approval", "never", "-c", f"program={PROGRAM}", "--output", str(own_aws.folders.home / "cdk.out")]
    cdk(own_aws, ["deploy", *STACKS, *options])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(own_aws.folders.home.parent)
        found = open_target("local")
        program = compile_program({str(PROGRAM): PROGRAM.read_text()}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        yield Deployed(own_aws, found)


def test_each_event_is_in_the_lake_once_through_splits_and_merges(deployed: Deployed) -> None:
    deployed.send(1000)
    assert deployed.collected() == list(range(1000))
    deployed.kinesis.update_shard_count(StreamName="clicks", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    deployed.send(700)
    assert deployed.collected() == list(range(1700))
    deployed.kinesis.update_shard_count(StreamName="clicks", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    deployed.kinesis.put_record(StreamName="clicks", PartitionKey="x", Data=b"no event")
    deployed.send(300)
    assert deployed.collected() == list(range(2000))
    kinds = lake_rows(deployed.aws, "site", "kinds").to_pylist()
    assert {row["kind"]: (row["clicks"], row["events"]) for row in kinds} == {"k0": (667, 667), "k1": (667, 667), "k2": (666, 666)}
    (aside,) = lake_rows(deployed.aws, "site", "clicks__rejected").to_pylist()
    assert "is no JSON" in aside["reason"] and json.loads(aside["data"])["data"] == "no event"


@pytest.mark.security
def test_a_stream_that_the_program_does_not_name_is_denied_by_name(deployed: Deployed) -> None:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/others"
    event = {"connection": {"name": "site", "system": "kinesis", "options": {"streams": arn}}, "tables": ["others"]}
    function = naming.function("collect.kinesis", "discover")
    answer = deployed.aws.session().client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    said = json.loads(answer["Payload"].read())
    assert f"Kinesis denies kinesis:DescribeStreamSummary on {arn}" in said["errorMessage"], said
