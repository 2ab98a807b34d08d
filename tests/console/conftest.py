"""An account in this process with the metadata table in it, and `atoll` as a user calls it, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from console.init import PROGRAM
from console.main import main
from shared_metadata import naming
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas
from shared_metadata.store.writer import MetadataWriter
from slices.registry import installed
from tests.memory.clients import QuickSession
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.light_moto import mend_moto

REGION = "eu-central-1"
SLICES = ("collect.postgres", "organize.iceberg", "harness.postgres")
PASSES = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
Atoll = Callable[..., Result]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty; no account anywhere near."""
    for name in ("ATOLL_PROFILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def atoll() -> Atoll:
    """Runs the command; a traceback fails the test instead of becoming an exit code."""

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def empty_account(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account without any stack of Atoll; its state machines run."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    mend_moto()
    monkeypatch.setattr(boto3, "Session", _sessions_of(MemoryDynamoDB()))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(botocore.session, "get_session", _core)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield


_first_clients: dict[str, Any] = {}  # they are dear to make, and know nothing of an account


@cache
def _core() -> botocore.session.Session:
    return botocore.session.Session()


def _sessions_of(dynamodb: MemoryDynamoDB) -> type[boto3.Session]:
    """The class of an account's sessions: its table is in memory, all else in moto."""

    class Session(QuickSession):
        def __init__(self, **given: Any) -> None:
            super().__init__({"dynamodb": dynamodb}, **{"botocore_session": _core(), "region_name": REGION, **given})
            self._first = _first_clients

    return Session


@pytest.fixture
def account(empty_account: None) -> Account:
    """An account with the metadata table."""
    return Account()


@pytest.fixture
def ready(account: Account, folder: Path) -> Account:
    """An account with all that the first program of `atoll init` needs, and that program in the folder."""
    (folder / "program.sql").write_text(PROGRAM)
    write_snapshot(folder)
    for slice_id in SLICES:
        account.deploy(slice_id)
    account.deploy_conductor()
    account.put_secret("ops")
    return account


def write_snapshot(folder: Path) -> None:
    """What `atoll discover` would find for the first program of `atoll init`."""
    orders = Schema(
        (
            SchemaColumn("id", "long", False, "id", "bigint"),
            SchemaColumn("customer", "string", True, "customer", "text"),
            SchemaColumn("amount", "decimal(18,2)", True, "amount", "numeric(18,2)"),
            SchemaColumn("updated_at", "timestamptz", False, "updated_at", "timestamp with time zone"),
        )
    )
    tables = {"public.orders": orders, "public.customers": orders, "public.customer_totals": None}
    schemas = ConnectionSchemas("ops", "postgres", tables)
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "ops.json").write_text(schemas.to_json())


class Account:
    """What tests put into the account, and read from it."""

    def __init__(self) -> None:
        boto3.client("dynamodb").create_table(
            TableName=naming.METADATA_TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )

    def writer(self, now: datetime | None = None) -> MetadataWriter:
        """As the slices write; `now` stands its clock still."""
        return MetadataWriter(boto3.client("dynamodb"), naming.METADATA_TABLE, lambda: now or datetime.now(UTC))

    def deploy(self, slice_id: str, definition: dict[str, Any] | None = None) -> None:
        """What is there of a slice's stack: its parameter and its state machine."""
        made = boto3.client("stepfunctions").create_state_machine(
            name=naming.state_machine(slice_id),
            definition=json.dumps(definition or PASSES),
            roleArn="arn:aws:iam::123456789012:role/machine",
        )
        values = {"state_machine": made["stateMachineArn"], "stack": installed()[slice_id].stack_name, "steps": ["plan"]}
        name = naming.parameter("slices", slice_id)
        boto3.client("ssm").put_parameter(Name=name, Value=json.dumps(values), Type="String")

    def deploy_conductor(self) -> None:
        boto3.client("ssm").put_parameter(Name=naming.CONDUCTOR_PARAMETER, Value="Atoll-Conductor", Type="String")

    def put_secret(self, reference: str) -> None:
        boto3.client("secretsmanager").create_secret(Name=naming.secret(reference), SecretString="{}")

    def executions(self, slice_id: str) -> list[dict[str, Any]]:
        """The inputs of every execution of the slice's state machine."""
        states = boto3.client("stepfunctions")
        arn = naming.state_machine_arn(slice_id, "123456789012", REGION)
        found = states.list_executions(stateMachineArn=arn)["executions"]
        return [json.loads(states.describe_execution(executionArn=e["executionArn"])["input"]) for e in found]
