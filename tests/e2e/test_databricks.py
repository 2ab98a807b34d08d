"""A warehouse in Databricks as a user has it: a program is compiled, its stacks deployed, and rows of a database are in its tables.

Databricks is its double, which reads and writes the bucket by the role that the stack has made for it, and by no other right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from console.run import wait_for
from console.target import Target, open_target
from examples.airline import production
from infra.embedded import EmbeddedAws, bootstrap, cdk
from infra.embedded.aws import ACCOUNT
from language import compile_program
from shared_metadata import naming
from slices.organize.databricks import named
from slices.registry import installed
from tests.memory.databricks import CATALOG, Served, databricks

pytestmark = [pytest.mark.xdist_group("databricks"), pytest.mark.timeout(1800), pytest.mark.budget(200), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("databricks.sql")
PRINCIPAL, EXTERNAL_ID = "unity-catalog", "0f1e2d3c-4b5a-6978"
ROWS = [(1, "AA", 1.5), (2, "AA", 2.5), (3, "XX", 1.0), (4, "UA", None)]


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws) -> Iterator[Target]:
    """The account, with these stacks and this program, and a database with flights."""
    dsn = own_aws.database("shop")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE flights (id bigint PRIMARY KEY, carrier text, delay double precision, changed timestamptz)")
        connection.execute("CREATE TABLE carriers (carrier text PRIMARY KEY, flights bigint)")
        for row in ROWS:
            connection.execute("INSERT INTO flights VALUES (%s, %s, %s, '2026-01-01')", row)
    secrets = own_aws.session().client("secretsmanager")
    secrets.create_secret(Name=naming.secret("ops"), SecretString=json.dumps(production.secret(dsn)))
    secrets.create_secret(Name=naming.secret("databricks"), SecretString=json.dumps(databricks().secret))
    own_aws.session().client("iam").create_user(UserName=PRINCIPAL)
    bootstrap(own_aws)
    options = ["--require-approval", "never", "-c", f"program={PROGRAM}", "--output", str(own_aws.folders.home / "cdk.out")]
    cdk(own_aws, ["deploy", "CollectPostgresSlice", "OrganizeDatabricksSlice", "HarnessPostgresSlice", *options])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(own_aws.folders.home.parent)
        found = open_target("local")
        program = compile_program({str(PROGRAM): PROGRAM.read_text()}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        yield found


@pytest.fixture(scope="module")
def served(target: Target, own_aws: EmbeddedAws) -> Served:
    """A workspace whose external location is read by the role of its storage credential."""
    found, bucket = databricks(), naming.data_bucket(ACCOUNT, own_aws.region)
    found.empty(None, bucket)
    found.api.workspace.locations = {f"s3://{bucket}/staging/": lambda: _by_role(own_aws, EXTERNAL_ID).client("s3", **_at(own_aws))}
    return found


def _by_role(aws: EmbeddedAws, external_id: str) -> boto3.Session:
    """The session of who takes the storage role as Unity Catalog does."""
    keys = aws.session().client("iam").create_access_key(UserName=PRINCIPAL)["AccessKey"]
    principal = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name=aws.region)
    role = f"arn:aws:iam::{ACCOUNT}:role/{named.role('dwh')}-{aws.region}"
    taken = principal.client("sts", **_at(aws)).assume_role(RoleArn=role, RoleSessionName="unity", ExternalId=external_id)[
        "Credentials"
    ]
    return boto3.Session(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"], region_name=aws.region)


def _at(aws: EmbeddedAws) -> dict[str, Any]:
    return {"endpoint_url": aws.endpoint, "verify": str(aws.ca_bundle)}


def run(target: Target, slice_id: str, flow: str) -> None:
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn(slice_id)
    started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow}))
    ended = wait_for(target, started["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended


def test_rows_of_a_database_are_loaded_a_view_is_computed_and_published(target: Target, served: Served, own_aws: EmbeddedAws) -> None:
    run(target, "collect.postgres", "dwh.ops.flights")
    run(target, "organize.databricks", "dwh.ops.flights:load")
    run(target, "organize.databricks", "dwh.ops.carriers")
    run(target, "organize.databricks", "ops.public.carriers:result")
    run(target, "harness.postgres", "ops.public.carriers")
    assert CATALOG in served.api.workspace.catalogs
    found = served.asked("SELECT id, carrier, delay FROM ops.flights ORDER BY id")
    assert [tuple(row.values()) for row in found] == ROWS
    carriers = served.asked("SELECT carrier, flights, delay FROM ops.carriers ORDER BY carrier")
    assert [tuple(row.values()) for row in carriers] == [("AA", 2, 4.0), ("UA", 1, None)]
    ((reason, data),) = (row.values() for row in served.asked("SELECT reason, data FROM ops.carriers__rejected"))
    assert (reason, json.loads(str(data))) == ("named", {"carrier": "XX", "flights": 1, "delay": 1.0})
    with psycopg.connect(own_aws.database("shop")) as connection:
        assert connection.execute("SELECT carrier, flights FROM carriers ORDER BY 1").fetchall() == [("AA", 2), ("UA", 1)]
    (told,) = target.reader.statistics("dwh.ops.carriers", 1)
    assert {one["purpose"] for one in told["statements"]} >= {"rows", "counts", "aside", "commit 0"}


def test_the_storage_role_is_taken_under_its_external_id_alone_and_reaches_no_other_object(
    target: Target, own_aws: EmbeddedAws
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        _by_role(own_aws, "another")
    s3 = _by_role(own_aws, EXTERNAL_ID).client("s3", **_at(own_aws))
    for key in ("warehouse/lake/x", "staging/collect.postgres/x"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=naming.data_bucket(ACCOUNT, own_aws.region), Key=key, Body=b"x")
