"""An operator's door: the deployed state machines started by hand, through the Step Functions API, under their real roles."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import psycopg
import pytest

from infra.embedded import LocalStack, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from shared_metadata.intervals import floor, to_text
from shared_metadata.writer import MetadataWriter
from slices.registry import installed

pytestmark = [pytest.mark.xdist_group("operators"), pytest.mark.timeout(600)]
PROGRAM = Path(__file__).with_name("operators.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice", "HarnessPostgresSlice")
DEADLINE_SECONDS = 180
HOUR = 3600
Start = Callable[[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def source(own_aws: LocalStack) -> Iterator[psycopg.Connection[Any]]:
    dsn = own_aws.database("operators")
    at = urlparse(dsn)
    secret = {"host": at.hostname, "port": at.port, "dbname": "operators", "username": at.username, "sslmode": "disable"}
    secret["password"] = unquote(at.password or "")
    secrets = own_aws.session().client("secretsmanager")
    secrets.create_secret(Name=naming.secret("operators"), SecretString=json.dumps(secret))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, customer text, updated_at timestamptz)")
        connection.execute("INSERT INTO orders SELECT n, 'c' || n % 3, now() - interval '2 hours' FROM generate_series(1, 30) n")
        yield connection


@pytest.fixture(scope="module")
def start(own_aws: LocalStack, source: psycopg.Connection[Any]) -> Start:
    """Deploys the slices, without the conductor, so that nothing runs but what is started by hand."""
    bootstrap(own_aws)
    output = own_aws.folders.home / "cdk.out"
    options = ["--require-approval", "never", "--concurrency", "4", "-c", f"program={PROGRAM}"]
    cdk(own_aws, ["deploy", *STACKS, *options, "--output", str(output)])
    session = own_aws.session()
    program = compile_program({str(PROGRAM): PROGRAM.read_text()}, installed())
    writer = MetadataWriter(session.client("dynamodb"), naming.METADATA_TABLE)
    writer.put_program(program)
    writer.activate(program, former_version="")
    states = session.client("stepfunctions")

    def run(slice_id: str, wanted: Any) -> dict[str, Any]:
        machine = naming.state_machine_arn(slice_id, own_aws.account, own_aws.region)
        arn = states.start_execution(stateMachineArn=machine, input=json.dumps(wanted))["executionArn"]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} does not end"
            time.sleep(0.2)
        return found

    return run


def atoll(aws: LocalStack, *arguments: str) -> Any:
    """What the command prints as JSON, called with an operator's credentials."""
    command = [sys.executable, "-m", "console.main", *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, env=aws.process_environment(), check=False)
    assert shown.returncode == 0, shown.stderr + shown.stdout
    return json.loads(shown.stdout)


def test_an_operator_runs_what_is_due_one_flow_and_a_backfill(start, source, own_aws):
    collected = start("collect.postgres", {})
    assert collected["status"] == "SUCCEEDED", collected.get("cause")
    loaded = start("organize.iceberg", {"flow": "lake.shop.orders"})
    assert loaded["status"] == "SUCCEEDED", loaded.get("cause")
    computed = start("organize.iceberg", {})
    assert computed["status"] == "SUCCEEDED", computed.get("cause")
    published = start("harness.postgres", {"flow": "ops.public.customers"})
    assert published["status"] == "SUCCEEDED", published.get("cause")
    assert source.execute("SELECT * FROM customers ORDER BY 1").fetchall() == [("c0", 10), ("c1", 10), ("c2", 10)]

    rejected = atoll(own_aws, "rejected", "lake.shop.known", "--limit", "50", "--json")
    assert [(row["stage"], row["reason"], row["data"]["customer"]) for row in rejected] == [("organize", "known", "c2")] * 10
    (status,) = atoll(own_aws, "status", "lake.shop.known", "--json")["batches"]
    assert (status["rows"], status["rejected"]) == (20, 10)

    end = floor(datetime.now(UTC), HOUR)
    backfill = {"flow": "lake.shop.orders", "from": to_text(end - timedelta(hours=3)), "to": to_text(end - timedelta(hours=1))}
    again = start("collect.postgres", backfill)
    assert again["status"] == "SUCCEEDED", again.get("cause")


@pytest.mark.parametrize("slice_id", ["collect.postgres", "organize.iceberg", "harness.postgres"])
def test_a_wrong_input_fails_in_the_first_state_and_says_what_is_accepted(start, slice_id):
    refused = start(slice_id, {"flwo": "lake.shop.orders"})
    assert (refused["status"], refused["error"]) == ("FAILED", "InputError")
    message = json.loads(refused["cause"])["errorMessage"]
    assert "unknown field 'flwo'" in message and '{"flow": "<name>", "from": "<moment>", "to": "<moment>"}' in message
