"""A warehouse in Snowflake as a user has it: a program is compiled, its stacks deployed, rows of a database go in, and out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from console.run import wait_for
from console.target import Target, open_target
from examples.airline import production
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from slices.registry import installed
from tests.e2e.snowflake_account import Integration, opened, store_secret, written
from tests.memory.snowflake import OPTIONS, STAGE, Served

pytestmark = [pytest.mark.xdist_group("snowflake"), pytest.mark.timeout(900), pytest.mark.budget(240), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("snowflake.sql")
ROWS = [(1, "AA", 1.5), (2, "AA", 2.5), (3, "XX", 1.0), (4, "UA", None)]
LOAD = "dwh.ops.flights:load"


class Account(NamedTuple):
    """target: the AWS account.  dsn: of the database that is collected from and published to."""

    target: Target
    aws: EmbeddedAws
    served: Served
    integration: Integration
    dsn: str

    def execute(self, slice_id: str, flow: str) -> dict[str, Any]:
        """How an execution of a flow ended."""
        states, machine = self.target.session.client("stepfunctions"), self.target.state_machine_arn(slice_id)
        started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow}))
        return wait_for(self.target, started["executionArn"])

    def run(self, slice_id: str, flow: str) -> None:
        ended = self.execute(slice_id, flow)
        assert ended["status"] == "SUCCEEDED", ended

    def fails(self, slice_id: str, flow: str) -> str:
        """What the first attempt at a batch says that fails."""
        ended = self.execute(slice_id, flow)
        (error,) = (table.error for table in self.target.reader.flow_states([flow])[flow].tables.values())
        assert error, ended
        return str(error)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """As another session of the account reads."""
        return [tuple(row.values()) for row in self.served.asked(query)]


@pytest.fixture(scope="module")
def account(own_aws: EmbeddedAws) -> Iterator[Account]:
    """The account, with these stacks and this program, and a database with flights; what signs in to Snowflake is not there yet."""
    dsn = own_aws.database("shop")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE flights (id bigint PRIMARY KEY, carrier text, delay double precision, changed timestamptz)")
        connection.execute(
            "CREATE TABLE carriers (carrier text PRIMARY KEY, flights bigint, delay double precision, changed timestamptz)"
        )
        for row in ROWS:
            connection.execute("INSERT INTO flights VALUES (%s, %s, %s, '2026-01-01 00:00:00.000001+00')", row)
    secrets = own_aws.session().client("secretsmanager")
    secrets.create_secret(Name=naming.secret("ops"), SecretString=json.dumps(production.secret(dsn)))
    served, integration = opened(own_aws, "dwh")
    integration.user()
    bootstrap(own_aws)
    program = own_aws.folders.home.parent / PROGRAM.name
    program.write_text(PROGRAM.read_text().replace("OPTIONS", written(own_aws)))
    options = ["--require-approval", "never", "-c", f"program={program}", "--output", str(own_aws.folders.home / "cdk.out")]
    cdk(own_aws, ["deploy", "CollectPostgresSlice", "OrganizeSnowflakeSlice", "HarnessPostgresSlice", *options])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(own_aws.folders.home.parent)
        found = open_target("local")
        compiled = compile_program({program.name: program.read_text()}, installed())
        found.writer.put_program(compiled)
        found.writer.activate(compiled, former_version="")
        yield Account(found, own_aws, served, integration, dsn)


def test_what_a_deployment_lacks_is_told_by_name_in_the_order_in_which_somebody_meets_it(account: Account) -> None:
    """Each failure leaves the batch to be made, which the last line does."""
    account.run("collect.postgres", "dwh.ops.flights")
    said = account.fails("organize.snowflake", LOAD)
    assert "reading the secret atoll/snowflake was denied" in said and "atoll secret snowflake FILE" in said
    secrets = account.target.session.client("secretsmanager")
    secrets.create_secret(Name=naming.secret("snowflake"), SecretString=json.dumps({**account.served.secret, "user": "somebody"}))
    said = account.fails("organize.snowflake", LOAD)
    assert "Snowflake refuses the key in the secret 'snowflake'" in said and "PRIVATE KEY" not in said
    store_secret(account.aws, account.served)
    stage = account.served.api.account.stages.pop(STAGE)
    said = account.fails("organize.snowflake", LOAD)
    assert "'analytics.public.atoll' does not exist or not authorized" in said and "grant it to the role" in said
    account.served.api.account.stages[STAGE] = Integration(account.aws, "dwh", "another").stage
    said = account.fails("organize.snowflake", LOAD)
    assert "storage integration's role is the one that the slice's README names" in said
    account.served.api.account.stages[STAGE] = stage
    account.run("organize.snowflake", LOAD)


def test_rows_of_a_database_are_loaded_a_view_is_computed_and_what_it_says_is_published(account: Account) -> None:
    account.run("organize.snowflake", "dwh.ops.carriers")
    account.run("organize.snowflake", "ops.public.carriers:result")
    account.run("harness.postgres", "ops.public.carriers")
    assert account.rows("SELECT ID, CARRIER, DELAY FROM OPS.FLIGHTS ORDER BY ID") == ROWS
    assert account.rows("SELECT CARRIER, FLIGHTS, DELAY FROM OPS.CARRIERS ORDER BY CARRIER") == [("AA", 2, 4.0), ("UA", 1, None)]
    ((reason, data),) = account.rows('SELECT REASON, DATA FROM OPS."CARRIERS__REJECTED"')
    assert (reason, json.loads(str(data))["carrier"]) == ("named", "XX")
    with psycopg.connect(account.dsn) as connection:
        published = connection.execute("SELECT carrier, flights, delay, changed::text FROM carriers ORDER BY carrier").fetchall()
    assert published == [("AA", 2, 4.0, "2026-01-01 00:00:00.000001+00"), ("UA", 1, None, "2026-01-01 00:00:00.000001+00")]
    (found,) = account.target.reader.statistics("dwh.ops.carriers", 1)
    assert {one["purpose"] for one in found["statements"]} >= {"rows", "counts", "aside", "commit 0"}


def test_the_integration_s_role_reaches_what_is_staged_and_nothing_else(account: Account) -> None:
    """What refuses it is its policy, and its trust: the user may nothing by itself."""
    bucket, s3 = naming.data_bucket(account.aws.account, account.aws.region), account.integration.s3()
    own = account.aws.session().client("s3")
    own.put_object(Bucket=bucket, Key="warehouse/of-another/x", Body=b"x")
    staged = [one["Key"] for one in own.list_objects_v2(Bucket=bucket, Prefix="staging/")["Contents"]]
    readable = [key for key in staged if key.startswith("staging/collect.postgres/") and key.endswith(".parquet")]
    assert readable and s3.get_object(Bucket=bucket, Key=readable[0])["Body"].read()
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="warehouse/of-another/x"),
        lambda: s3.put_object(Bucket=bucket, Key="staging/collect.postgres/x", Body=b""),
        lambda: s3.delete_object(Bucket=bucket, Key=readable[0]),
        lambda: account.integration.client(account.integration.user(), "s3").get_object(Bucket=bucket, Key=readable[0]),
        lambda: Integration(account.aws, "dwh", "another").s3(),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_a_function_s_role_reads_the_one_secret(account: Account) -> None:
    role = account.target.session.client("lambda").get_function_configuration(FunctionName="atoll-organize-snowflake-commit")["Role"]
    keys = account.target.session.client("sts").assume_role(RoleArn=role, RoleSessionName="commit")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=account.aws.region)
    secrets = account.integration.client(session, "secretsmanager")
    assert secrets.get_secret_value(SecretId=naming.secret(OPTIONS["secret"]))["SecretString"]
    with pytest.raises(ClientError, match="AccessDenied"):
        secrets.get_secret_value(SecretId=naming.secret("ops"))
