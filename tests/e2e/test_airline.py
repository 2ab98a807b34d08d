"""The reference program on a real `cdk deploy` into the embedded AWS, with TLS and IAM on and the clock running."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.discovery_call import measure
from console.maintain import until_done
from console.prerequisites import deployed_slices
from console.project import compile_project
from console.run import wait_for
from examples.airline.demo import PROGRAM, Demo
from examples.airline.reconcile import Difference, reconcile
from infra.embedded import EmbeddedAws
from infra.embedded.state import wait_until
from shared_metadata import naming
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, floor, to_text
from shared_metadata.program.source_schemas import FOLDER
from shared_metadata.state.records import EventKind
from shared_metadata.store import items, keys
from slices.registry import installed
from tests.command import atoll, called

pytestmark = [pytest.mark.xdist_group("airline"), pytest.mark.timeout(900), pytest.mark.budget(180)]
MINUTE = timedelta(minutes=1)
FEWER, LOAD = "lake.ops.fewer", "lake.ops.flights:load"
VIEW_OF_FEWER = f"""
CREATE MATERIALIZED VIEW {FEWER} EVERY '1 minute' REPLACE
  EXPECT known: (carrier <> 'AA') OR QUARANTINE
  TOLERATE 50 PERCENT BAD ROWS
AS SELECT DISTINCT carrier FROM lake.ops.flights;
"""


class Deployed:
    """The airline's stacks with their program applied and its first batches done."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        demo.sources()
        self.prepare()
        self.compilation = demo.deploy()
        self.program: Program = self.compilation.program
        demo.wait(self.program, demo.apply(self.compilation), "first batches")

    def prepare(self) -> None:
        """What else is to be there before anything is deployed."""

    def execute(self, slice_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """How an execution started by hand ended."""
        target = self.demo.target
        started = target.session.client("stepfunctions").start_execution(
            stateMachineArn=target.state_machine_arn(slice_id), input=json.dumps(body)
        )
        return wait_for(target, started["executionArn"])

    def watermark(self, flow: str, dataset: str) -> datetime:
        return self.demo.target.reader.flow_states([flow])[flow].tables[dataset].watermark

    def wait_past(self, flow: str, dataset: str, moment: datetime) -> None:
        deadline = time.monotonic() + 300
        while self.watermark(flow, dataset) < moment:
            assert time.monotonic() < deadline, f"{dataset} is not complete through {moment}"
            time.sleep(0.5)

    def differences(self) -> list[Difference]:
        return [d for d in reconcile(self.demo.dsn, self.demo.crm) if not d.same]


def test_what_is_published_is_what_the_sources_say(airline: Deployed) -> None:
    assert airline.differences() == []


def test_tables_have_the_columns_types_and_origins_that_the_compiler_said(airline: Deployed) -> None:
    lineage, reader = airline.compilation.lineage, airline.demo.target.reader
    assert lineage is not None
    inside = [dataset for name, dataset in lineage.datasets.items() if name.startswith("lake.")]
    assert len(inside) == 9
    for dataset in inside:
        registered = reader.latest_schema(dataset.dataset)
        assert registered, dataset.dataset
        assert {c.name: c.type for c in registered.schema.columns} == {c.name: c.type for c in dataset.columns}
        assert registered.origins == {c.name: tuple(map(str, c.inputs)) for c in dataset.columns}
        assert registered.program_version == airline.program.version


def test_changes_deletions_and_additions_arrive_with_the_next_batches(airline: Deployed) -> None:
    moment = airline.demo.change()
    assert len(airline.differences()) == 2
    airline.demo.wait(airline.program, moment, "the batches after the change")
    assert airline.differences() == []


@pytest.mark.parametrize("slice_id", ["collect.salesforce", "collect.postgres", "organize.iceberg", "harness.postgres"])
def test_each_state_machine_starts_by_hand_with_an_empty_input(airline: Deployed, slice_id: str) -> None:
    assert airline.execute(slice_id, {})["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("slice_id", "flow"),
    [
        ("organize.iceberg", "lake.ops.carrier_day"),
        ("organize.iceberg", "lake.ops.flights"),
        ("harness.postgres", "ops.published.airport_delays"),
    ],
)
def test_one_flow_starts_by_hand(airline: Deployed, slice_id: str, flow: str) -> None:
    result = airline.execute(slice_id, {"flow": flow})
    assert result["status"] == "SUCCEEDED", result


@pytest.mark.deep
def test_an_execution_that_ends_without_an_outcome_is_noticed_by_its_event(airline: Deployed) -> None:
    """Of a name as the conductor gives it; what it is started with is refused by its first step, which records nothing."""
    flow, reader = "ops.published.airport_delays", airline.demo.target.reader
    result, target, began = (f"{flow}:result", f"{flow}:result"), airline.demo.target, datetime.now(UTC)

    def lost() -> list[Any]:
        return [event for event in reader.events(began) if (event.kind, event.flow) == (EventKind.BATCH_LOST, flow)]

    while not lost():  # where the conductor had a worker at the batch meanwhile, none is lost
        wait_until(lambda: airline.watermark(flow, flow) >= airline.watermark(*result), 300, "the flow never waits for its result")
        start = airline.watermark(flow, flow)
        body = {"flow": flow, "start": to_text(start), "end": to_text(start + MINUTE), "unknown": 1}
        attempts = reader.flow_states([flow])[flow].tables[flow].attempts
        target.session.client("stepfunctions").start_execution(
            stateMachineArn=target.state_machine_arn("harness.postgres"),
            name=f"by-hand-{start:%Y%m%dT%H%MZ}-0123456789-{attempts}",
            input=json.dumps(body),
        )
        wait_until(lambda: bool(lost()) or airline.watermark(flow, flow) > start, 120, "the conductor is told nothing")  # noqa: B023
    (event,) = lost()
    assert event.detail["attempts"] == attempts + 1 and "InputError" in event.detail["error"]
    airline.wait_past(flow, flow, start + MINUTE)


def test_past_intervals_of_a_source_are_collected_again(airline: Deployed) -> None:
    end = airline.watermark("lake.ops.flights", "lake.ops.flights:staged")
    body = {"flow": "lake.ops.flights", "from": to_text(end - 2 * MINUTE), "to": to_text(end)}
    result = airline.execute("collect.postgres", body)
    assert result["status"] == "SUCCEEDED", result


def test_a_backfill_runs_past_batches_again(airline: Deployed) -> None:
    end = airline.watermark("lake.ops.carrier_day", "lake.ops.carrier_day")
    body = {"flow": "lake.ops.carrier_day", "from": to_text(end - MINUTE), "to": to_text(end)}
    before = airline.demo.target.reader.batch("lake.ops.carrier_day", end - MINUTE)
    result = airline.execute("organize.iceberg", body)
    after = airline.demo.target.reader.batch("lake.ops.carrier_day", end - MINUTE)
    assert result["status"] == "SUCCEEDED" and before and after
    assert after.token == before.token + 1 and after.status == "COMMITTED"
    assert airline.differences() == []


@pytest.mark.parametrize(
    ("slice_id", "body"),
    [
        ("collect.postgres", {"flow": "lake.no.such"}),
        ("collect.postgres", {"flow": "lake.ops.flights", "from": "yesterday", "to": "x"}),
        *((slice_id, {"flw": "x"}) for slice_id in ("collect.postgres", "organize.iceberg", "harness.postgres")),
    ],
)
def test_a_wrong_input_fails_in_the_first_state_and_says_what_is_accepted(
    airline: Deployed, slice_id: str, body: dict[str, Any]
) -> None:
    result = airline.execute(slice_id, body)
    assert (result["status"], result["error"]) == ("FAILED", "InputError")
    message = json.loads(result["cause"])["errorMessage"]
    assert "the input is refused" in message and "accepted are {}" in message
    assert '{"flow": "<name>", "from": "<moment>", "to": "<moment>"}' in message
    assert "flw" not in body or "unknown field 'flw'" in message


def test_rows_that_a_view_sets_aside_are_told(airline: Deployed, tmp_path: Path) -> None:
    """By a program of one view more, which is taken back: the statements of all others stay what they are."""
    shutil.copytree(PROGRAM.parent / FOLDER, tmp_path / FOLDER)
    changed = tmp_path / PROGRAM.name
    changed.write_text(PROGRAM.read_text() + VIEW_OF_FEWER)
    compilation = compile_project([str(changed)])
    try:
        moment = airline.demo.apply(compilation)
        for _ in range(2):  # what the clock has not run yet, and then nothing
            assert airline.execute("organize.iceberg", {"flow": FEWER})["status"] == "SUCCEEDED"
        airline.wait_past(FEWER, FEWER, moment)  # by another where it was at the batch, or its input was late
        rejected = json.loads(atoll(airline.demo.stack, "rejected", FEWER, "--limit", "50", "--json"))
        assert [(row["stage"], row["reason"], row["data"]["carrier"]) for row in rejected] == [("organize", "known", "AA")]
        batches = json.loads(atoll(airline.demo.stack, "status", FEWER, "--json"))["batches"]
        changed_last = next(batch for batch in batches if batch["rows"] or batch["rejected"])  # a minute may have passed since
        assert changed_last["rows"] > 1 and changed_last["rejected"] == 1
    finally:
        airline.demo.apply(airline.compilation)


@pytest.mark.deep
def test_one_failing_table_holds_back_its_readers_only_and_catches_up(airline: Deployed) -> None:
    with psycopg.connect(airline.demo.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE planes RENAME TO aeroplanes")
        try:
            moment = floor(datetime.now(UTC), 60) + MINUTE
            airline.wait_past("lake.ops", "lake.ops.weather:staged", moment)
            reader = airline.demo.target.reader
            planes = reader.flow_states(["lake.ops"])["lake.ops"].tables["lake.ops.planes:staged"]
            assert planes.watermark < moment
            assert planes.attempts >= 1 and "public.planes" in planes.error
            airline.wait_past("ops.published.carrier_scorecard", "ops.published.carrier_scorecard", moment)
        finally:
            connection.execute("ALTER TABLE aeroplanes RENAME TO planes")
    airline.wait_past("ops.published.airport_delays", "ops.published.airport_delays", moment)
    assert airline.differences() == []


def old_batch(airline: Deployed, flow: str, dataset: str) -> datetime:
    """Records a batch as if it had been made ten days ago; its start."""
    reader, client = airline.demo.target.reader, airline.demo.target.session.client("dynamodb")
    latest = reader.batches(flow, dataset, 5)[0]
    start = latest.interval.start - timedelta(days=10)
    worker = replace(latest.workers[dataset], lease_until=start + MINUTE)
    batch = replace(latest, interval=Interval(start, start + MINUTE), workers={dataset: worker})
    for values in (items.head_values(batch), items.batch_table_values(batch, dataset, {})):
        client.put_item(TableName=naming.METADATA_TABLE, Item=items.to_item(values))
    return start


@pytest.mark.deep
def test_maintenance_runs_beside_the_batches_under_its_own_role(airline: Deployed) -> None:
    """Each table by the deployed function, with IAM on; so the first call for a table also looks for garbage, and lets age."""
    old = {name: old_batch(airline, *name) for name in ((LOAD, "lake.ops.flights"), ("lake.ops.flights", "lake.ops.flights:staged"))}
    flows = [flow for flow in airline.program.flows.values() if flow.slice_id == "organize.iceberg"]
    done = []
    for dataset in sorted(table.dataset for flow in flows for table in flow.tables):
        done += until_done(airline.demo.target, installed()["organize.iceberg"], {"dataset": dataset})
    assert len(done) > 9 and all(table["finished"] for table in done)
    reader, s3 = airline.demo.target.reader, airline.demo.target.session.client("s3")
    for (flow, _), start in old.items():
        aged = reader.aged_batches(flow)
        assert aged and aged.first == start and reader.batch(flow, start) is None
        bucket = naming.data_bucket(airline.demo.target.account, airline.demo.target.region)
        assert s3.list_objects_v2(Bucket=bucket, Prefix=naming.history_prefix(flow))["KeyCount"] > 0
    airline.demo.wait(airline.program, floor(datetime.now(UTC), 60) + MINUTE, "the batches after maintenance")
    assert airline.differences() == []


@pytest.mark.deep
def test_what_is_broken_of_the_state_is_found_and_repaired_and_all_goes_on(airline: Deployed) -> None:
    clean = state_command(airline.demo.stack, "verify", "--json")
    assert clean["differences"] == [] and clean["not_compared_with"] == {}
    assert clean["compared_with"] == ["harness.postgres, ops", "organize.iceberg, lake"]

    table = airline.demo.target.session.resource("dynamodb").Table(naming.METADATA_TABLE)
    table.delete_item(Key=keys.state("lake.ops.carrier_day", "lake.ops.carrier_day"))
    flights = airline.demo.target.reader.latest_version("lake.ops.flights:staged")
    assert flights is not None
    table.delete_item(Key=keys.version(flights.dataset, flights.interval.end))
    published, scores = "ops.published.airport_delays", "lake.ops.carrier_score"
    set_state(table, published, published, watermark=to_text(airline.watermark(published, published) + 5 * MINUTE))
    set_state(table, scores, scores, watermark=to_text(airline.watermark(scores, scores) - 2 * MINUTE))
    set_state(table, "lake.ops.flights", flights.dataset, cursor='{"another": 1}')

    repaired = state_command(airline.demo.stack, "repair", "--yes", "--json")
    assert {(one["what"], one["dataset"], one["repaired"]) for one in repaired["differences"]} == {
        ("the state is missing", "lake.ops.carrier_day", True),
        ("the version is missing", flights.dataset, True),
        ("the watermark differs", published, True),
        ("the watermark differs", scores, True),
        ("the cursor differs", flights.dataset, True),
    }
    airline.demo.wait(airline.program, datetime.now(UTC), "the batches after the repair")
    assert state_command(airline.demo.stack, "verify", "--json")["differences"] == []
    assert airline.differences() == []


@pytest.mark.deep
def test_a_verification_is_started_in_the_account_too_and_its_result_is_there_for_the_command(airline: Deployed) -> None:
    target = airline.demo.target
    machine = target.state_machine_arn("verify")
    states = target.session.client("stepfunctions")
    refused = wait_for(target, states.start_execution(stateMachineArn=machine, input='{"flow": "lake.ops.flights"}')["executionArn"])
    assert refused["status"] == "FAILED" and "accepted is {}" in refused["cause"]
    ended = wait_for(target, states.start_execution(stateMachineArn=machine, input="{}")["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    output = json.loads(states.describe_execution(executionArn=ended["execution"])["output"])
    assert output["differences"] == 0
    told = state_command(airline.demo.stack, "verify", "--last", "--json")
    assert told["differences"] == [] and told["looked_at"]["datasets"] == output["datasets"] > 10
    assert told["compared_with"] == ["harness.postgres, ops", "organize.iceberg, lake"] and told["not_compared_with"] == {}


@pytest.mark.deep
def test_the_deployed_functions_tell_how_large_sources_are_and_what_they_were_given(airline: Deployed) -> None:
    target, program = airline.demo.target, airline.program
    flights = measure(target, installed()["collect.postgres"], program.connections["ops"], ["public.flights"], str(PROGRAM))
    accounts = measure(target, installed()["collect.salesforce"], program.connections["crm"], ["Account"], str(PROGRAM))
    assert (flights["public.flights"].rows or 0) > 1000 and (flights["public.flights"].bytes or 0) > 10_000
    assert (accounts["Account"].rows or 0) > 1
    given = deployed_slices(target, program)["organize.iceberg"]["given"]
    assert given["load"] == {"memory_mb": 2048, "tmp_mb": 4096, "seconds": 900}


def set_state(table: Any, flow: str, dataset: str, **values: str) -> None:
    """Changes what the state of a dataset says, which then stands still until it is repaired."""
    values["retry_at"] = to_text(datetime.now(UTC) + 2 * MINUTE)
    table.update_item(
        Key=keys.state(flow, dataset),
        UpdateExpression="SET " + ", ".join(f"#t.#{name} = :{name}" for name in values),
        ExpressionAttributeNames={"#t": "table", **{f"#{name}": name for name in values}},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def state_command(stack: EmbeddedAws, *arguments: str) -> dict[str, Any]:
    """What `atoll state` says; it fails where something is left over."""
    result = called(stack, "state", *arguments)
    assert result.exit_code == 0 or "verify" not in arguments, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]
