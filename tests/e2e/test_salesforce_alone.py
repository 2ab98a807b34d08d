"""`cdk deploy CollectSalesforceSlice` into an empty account: the slice and the shared metadata are all that it needs to collect."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from console.run import wait_for
from console.target import Target
from examples.airline import crm
from infra.embedded import EmbeddedAws
from infra.settings import Settings
from shared_metadata import naming
from tests.e2e.one_program import deployed, store_secret

pytestmark = [pytest.mark.xdist_group("alone"), pytest.mark.timeout(600), pytest.mark.budget(90), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("alone.sql")
FLOW, STAGED = "lake.crm", "lake.crm.account:staged"
LONG_AGO = {"SystemModstamp": "2026-01-01T00:00:00.000Z"}  # before the end of the batch that is due
ACCOUNTS = [{"Name": f"Airline {number}", "Type": "Airline", **LONG_AGO} for number in range(3)]


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crm.Crm]:
    folder = tmp_path_factory.mktemp("crm")
    try:
        found = crm.up(folder)
        found.add_objects()
        found.insert("Account", ACCOUNTS)
        yield found
    finally:
        crm.down(folder)


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws, sales: crm.Crm) -> Iterator[Target]:
    """The account, with this one stack asked for, and a program for it."""
    store_secret(own_aws, "crm", sales.secret())
    with deployed(own_aws, PROGRAM, "CollectSalesforceSlice") as found:
        yield found


def test_nothing_is_deployed_but_the_slice_and_what_it_stands_on(target: Target) -> None:
    stacks = target.session.client("cloudformation").describe_stacks()["Stacks"]
    names = {"CDKToolkit", *map(Settings().stack_name, (naming.METADATA_STACK, "CollectSalesforceSlice"))}
    assert {stack["StackName"] for stack in stacks} == names


def test_started_by_hand_it_collects_what_is_due(target: Target, own_aws: EmbeddedAws) -> None:
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn("collect.salesforce")
    ended = wait_for(target, states.start_execution(stateMachineArn=machine, input="{}")["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended
    version = target.reader.latest_version(STAGED)
    assert version and version.rows == len(ACCOUNTS)
    s3, bucket = target.session.client("s3"), naming.data_bucket(own_aws.account, own_aws.region)
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=version.pointer["manifest"])["Body"].read())
    bodies = (s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read() for file in manifest["files"])
    rows = [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    assert sorted(row["name"] for row in rows) == [account["Name"] for account in ACCOUNTS]


def test_a_wrong_input_fails_in_the_first_state_and_says_what_is_accepted(target: Target) -> None:
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn("collect.salesforce")
    started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flwo": FLOW}))
    refused = wait_for(target, started["executionArn"])
    assert (refused["status"], refused["error"]) == ("FAILED", "InputError") and "unknown field 'flwo'" in refused["cause"]
