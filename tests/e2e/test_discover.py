"""`atoll discover`, masked columns and rotating grants on a real `cdk deploy` into the embedded AWS, TLS and IAM on, no conductor."""

from __future__ import annotations

import hmac
import io
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
import requests
from click.testing import Result

from console.project import compile_project
from console.run import wait_for
from console.target import open_target
from examples.airline import crm, production
from examples.airline.demo import PROGRAM
from infra.embedded import EmbeddedAws, bootstrap, cdk
from shared_metadata import naming
from shared_metadata.program.intervals import floor, to_text
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas
from shared_metadata.store.source_registry import SourceRegistry
from tests.command import called

pytestmark = [pytest.mark.xdist_group("discover"), pytest.mark.timeout(900), pytest.mark.budget(90), pytest.mark.deep]
STACKS = ("CollectPostgresSlice", "CollectSalesforceSlice", "HarnessPostgresSlice")
FUNCTION = naming.function("collect.postgres", "discover")
MASK_KEY = "e2e mask key that is long enough for it"
CLEAR = "N-CLEAR-1234"
Atoll = Callable[..., Result]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The airline's program with masked columns and a grant that rotates, beside its snapshots."""
    folder = tmp_path_factory.mktemp("masked")
    shutil.copytree(PROGRAM.parent / FOLDER, folder / FOLDER)
    text = PROGRAM.read_text().replace("USING iceberg;", "USING iceberg WITH (mask_key = 'mask');")
    text = text.replace("(secret = 'crm'", "(secret = 'crm', rotating_grant = TRUE")
    collect, rest = text.split("CURSOR updated_at\n", 1)
    path = folder / PROGRAM.name
    path.write_text(f"{collect}CURSOR updated_at MASK (tailnum HASH, flight DROP)\n{rest}")
    return path


@pytest.fixture(scope="module")
def ops(own_aws: EmbeddedAws, masked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The airline's sources, still empty, and the slices that know them; gives the address of the database."""
    dsn, folder = own_aws.database("production"), tmp_path_factory.mktemp("crm")
    with psycopg.connect(dsn) as connection:
        connection.execute(production.SCHEMA)  # type: ignore[arg-type]
    sales = crm.up(folder)
    try:
        sales.add_objects()
        secrets = own_aws.session().client("secretsmanager")
        for reference, secret in (("ops", production.secret(dsn)), ("crm", rotating(sales)), ("mask", {"key": MASK_KEY})):
            secrets.create_secret(Name=naming.secret(reference), SecretString=json.dumps(secret))
        bootstrap(own_aws)
        options = ["--require-approval", "never", "--concurrency", "4", "-c", f"program={masked}"]
        cdk(own_aws, ["deploy", *STACKS, *options, "--output", str(own_aws.folders.home / "cdk.out")])
        yield dsn
    finally:
        crm.down(folder)


@pytest.fixture
def atoll(own_aws: EmbeddedAws, ops: str, masked: Path, tmp_path: Path) -> Atoll:
    """The command, with a copy of the deployed program and its snapshots in tmp_path."""
    shutil.copy(masked, tmp_path)
    shutil.copytree(PROGRAM.parent / FOLDER, tmp_path / FOLDER)

    def call(*arguments: str) -> Result:
        return called(own_aws, "discover", *arguments, "--program", str(tmp_path / PROGRAM.name))

    return call


def test_the_examples_snapshots_are_what_its_sources_are(atoll: Atoll, own_aws: EmbeddedAws) -> None:
    checked = atoll("--check")
    assert checked.exit_code == 0, checked.output
    registry = SourceRegistry(own_aws.session().client("dynamodb"), naming.METADATA_TABLE)
    for connection in ("crm", "ops"):
        snapshot = ConnectionSchemas.from_json((PROGRAM.parent / FOLDER / f"{connection}.json").read_text())
        assert {seen.table: seen.schema for seen in registry.tables(connection)} == snapshot.tables


def test_a_changed_source_is_told_and_written(atoll: Atoll, ops: str, tmp_path: Path) -> None:
    with psycopg.connect(ops, autocommit=True) as connection:
        connection.execute("ALTER TABLE planes ADD COLUMN winglets boolean; ALTER TABLE published.airport_delays RENAME TO delays")
        try:
            assert atoll("--check").exit_code == 2
            result = atoll("ops")
            assert result.exit_code == 0 and "+ winglets: boolean (boolean)" in result.output, result.output
            assert "published.airport_delays is not there yet: the first batch" in result.output
        finally:
            connection.execute("ALTER TABLE planes DROP COLUMN winglets; ALTER TABLE published.delays RENAME TO airport_delays")
    tables = ConnectionSchemas.from_json((tmp_path / FOLDER / "ops.json").read_text()).tables
    planes = tables["public.planes"]
    assert planes and planes.columns[-1].name == "winglets" and tables["published.airport_delays"] is None
    assert atoll("ops").exit_code == 0 and atoll("--check").exit_code == 0


def test_tables_are_listed_and_misspelt_ones_are_shown_in_their_place(atoll: Atoll, tmp_path: Path) -> None:
    listed = json.loads(atoll("--list", "--json").stdout)
    assert listed["crm"] == ["Account", "Opportunity"] and "public.flights" in listed["ops"]
    program = tmp_path / PROGRAM.name
    program.write_text(program.read_text().replace("(Account, Opportunity)", "(Account, Oportunity)"))
    result = atoll("crm")
    assert result.exit_code == 0 and "has no table `Oportunity`" in result.output and "did you mean `Opportunity`?" in result.output


def test_each_function_reads_the_secrets_of_its_own_connections_only(own_aws: EmbeddedAws, ops: str) -> None:
    connection = {"name": "ops", "system": "postgres", "options": {"secret": "crm"}}
    answer = invoke(own_aws, {"connection": connection})
    assert answer["errorType"] == "SecretError" and "reading the secret atoll/crm was denied" in answer["errorMessage"]
    assert "if it is not there, store it: `atoll secret crm FILE`" in answer["errorMessage"]


def test_a_source_that_refuses_is_told_without_its_secret(atoll: Atoll, own_aws: EmbeddedAws, ops: str) -> None:
    secrets, right = own_aws.session().client("secretsmanager"), production.secret(ops)
    secrets.put_secret_value(SecretId=naming.secret("ops"), SecretString=json.dumps({**right, "password": "wr0ng-passw0rd"}))
    try:
        result = atoll("ops")
    finally:
        secrets.put_secret_value(SecretId=naming.secret("ops"), SecretString=json.dumps(right))
    assert result.exit_code == 1 and "the database refused the connection" in result.output and "help: " in result.output
    events = own_aws.session().client("logs").filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")["events"]
    shown = result.output + "".join(event["message"] for event in events)
    assert "step failed" in shown and "wr0ng-passw0rd" not in shown and str(right["password"]) not in shown


def invoke(stack: EmbeddedAws, event: dict[str, Any]) -> dict[str, Any]:
    answer = stack.session().client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())  # type: ignore[no-any-return]


def test_what_is_masked_reaches_no_object_and_the_key_no_log(own_aws: EmbeddedAws, ops: str, masked: Path) -> None:
    target, end = open_target("local", own_aws.folders.root), floor(datetime.now(UTC), 60)
    compilation = compile_project([str(masked)])
    target.writer.put_program(compilation.program, compilation.lineage)
    target.writer.activate(compilation.program, former_version=target.reader.active_version())
    with psycopg.connect(ops, autocommit=True) as connection:
        values = ("AA", 4321987, CLEAR, "JFK", "SEA", 2400, end, end - timedelta(seconds=30))
        columns = "carrier, flight, tailnum, origin, dest, distance, time_hour, updated_at"
        connection.execute(f"INSERT INTO flights ({columns}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", values)
    body = {"flow": "lake.ops.flights", "from": to_text(end - timedelta(minutes=1)), "to": to_text(end)}
    started = target.session.client("stepfunctions").start_execution(
        stateMachineArn=target.state_machine_arn("collect.postgres"), input=json.dumps(body)
    )
    assert wait_for(target, started["executionArn"])["status"] == "SUCCEEDED"
    bodies = list(staged(own_aws))
    (row,) = [row for key, body in bodies if key.endswith(".parquet") for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    assert row["tailnum"] == hmac.new(MASK_KEY.encode(), CLEAR.encode(), "sha256").hexdigest() and "flight" not in row
    events = own_aws.session().client("logs").filter_log_events(logGroupName="/aws/lambda/atoll-collect-postgres-extract")["events"]
    everything = [*(body.decode("latin-1") for _, body in bodies), str(row), *(event["message"] for event in events)]
    assert not [text for text in (CLEAR, "4321987", MASK_KEY) if any(text in one for one in everything)]


def staged(stack: EmbeddedAws) -> Iterator[tuple[str, bytes]]:
    """Every object of the data bucket."""
    s3, bucket = stack.session().client("s3"), naming.data_bucket(stack.account, stack.region)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            yield found["Key"], s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def rotating(sales: crm.Crm) -> dict[str, Any]:
    """The secret of a connection over OAuth with refresh token rotation."""
    return {**sales.secret(), "refresh_token": sales.authorize()}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_grant_that_rotates_is_renewed_and_written_back_by_the_deployed_function(
    atoll: Atoll, own_aws: EmbeddedAws, ops: str
) -> None:
    def stored() -> Any:
        found = own_aws.session().client("secretsmanager").get_secret_value(SecretId=naming.secret("crm"))
        return json.loads(found["SecretString"])

    assert atoll("crm", "--check").exit_code == 0
    before = stored()
    assert before["access_token"] and atoll("crm", "--check").exit_code == 0 and stored() == before
    requests.post(f"{before['login_url']}/double/expire-tokens", verify=False, timeout=30)
    assert atoll("crm", "--check").exit_code == 0
    assert {name for name, value in stored().items() if value != before[name]} == {"access_token", "refresh_token"}
