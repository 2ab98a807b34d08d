"""`atoll discover` on a real `cdk deploy` into the embedded AWS, with TLS and IAM on, before any program is applied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from console.main import main
from examples.airline import crm, production
from examples.airline.demo import PROGRAM
from infra.embedded import LocalStack, bootstrap, cdk
from shared_metadata import naming
from shared_metadata.source_registry import SourceRegistry
from shared_metadata.source_schemas import FOLDER, ConnectionSchemas

pytestmark = [pytest.mark.xdist_group("discover"), pytest.mark.timeout(900)]
STACKS = ("CollectPostgresSlice", "CollectSalesforceSlice", "HarnessPostgresSlice")
FUNCTION = naming.function("collect.postgres", "discover")
Atoll = Callable[..., Result]


@pytest.fixture(scope="module")
def ops(own_aws: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The airline's sources, still empty, and the slices that know them; gives the address of the database."""
    dsn, folder = own_aws.database("production"), tmp_path_factory.mktemp("crm")
    with psycopg.connect(dsn) as connection:
        connection.execute(production.SCHEMA)  # type: ignore[arg-type]
    sales = crm.up(folder)
    try:
        sales.add_objects()
        secrets = own_aws.session().client("secretsmanager")
        for reference, secret in (("ops", production.secret(dsn)), ("crm", sales.secret())):
            secrets.create_secret(Name=naming.secret(reference), SecretString=json.dumps(secret))
        bootstrap(own_aws)
        options = ["--require-approval", "never", "--concurrency", "4", "-c", "dependencies=host", "-c", f"program={PROGRAM}"]
        cdk(own_aws, ["deploy", *STACKS, *options, "--output", str(own_aws.folders.home / "cdk.out")])
        yield dsn
    finally:
        crm.down(folder)


@pytest.fixture
def atoll(own_aws: LocalStack, ops: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Atoll:
    """The command, with a copy of the airline's program and snapshots in tmp_path."""
    shutil.copy(PROGRAM, tmp_path)
    shutil.copytree(PROGRAM.parent / FOLDER, tmp_path / FOLDER)
    monkeypatch.chdir(own_aws.folders.home.parent)

    def call(*arguments: str) -> Result:
        options = ["--program", str(tmp_path / PROGRAM.name), "--profile", "local"]
        return CliRunner().invoke(main, ["discover", *arguments, *options])

    return call


def test_the_examples_snapshots_are_what_its_sources_are(atoll: Atoll, own_aws: LocalStack) -> None:
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


def test_each_function_reads_the_secrets_of_its_own_connections_only(own_aws: LocalStack, ops: str) -> None:
    connection = {"name": "ops", "system": "postgres", "options": {"secret": "crm"}}
    answer = invoke(own_aws, {"connection": connection})
    assert answer["errorType"] == "SecretError" and "reading the secret atoll/crm was denied" in answer["errorMessage"]


def test_a_source_that_refuses_is_told_without_its_secret(atoll: Atoll, own_aws: LocalStack, ops: str) -> None:
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


def invoke(stack: LocalStack, event: dict[str, Any]) -> dict[str, Any]:
    answer = stack.session().client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())  # type: ignore[no-any-return]
