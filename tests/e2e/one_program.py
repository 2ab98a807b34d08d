"""The program of one test module as its user has it: its stacks are deployed, it is active, and its batches are run by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from language import compile_program
from shared_metadata import naming
from slices.registry import installed

FLIGHTS = [(1, "AA", 1.5), (2, "AA", 2.5), (3, "XX", 1.0), (4, "UA", None)]
CHANGED = "2026-01-01 00:00:00.000001+00"
CARRIERS = [("AA", 2, 4.0), ("UA", 1, None)]  # what a program's view makes of them, with XX set aside


def shop(aws: EmbeddedAws) -> str:
    """A database with FLIGHTS, to which carriers can be published; its DSN. Its secret is 'ops'."""
    dsn, kinds = aws.database("shop"), "delay double precision, changed timestamptz"
    with psycopg.connect(dsn) as connection:
        connection.execute(f"CREATE TABLE flights (id bigint PRIMARY KEY, carrier text, {kinds})")  # type: ignore[arg-type]
        connection.execute(f"CREATE TABLE carriers (carrier text PRIMARY KEY, flights bigint, {kinds})")  # type: ignore[arg-type]
        for row in FLIGHTS:
            connection.execute("INSERT INTO flights VALUES (%s, %s, %s, %s)", (*row, CHANGED))
    store_secret(aws, "ops", production.secret(dsn))
    return dsn


def store_secret(aws: EmbeddedAws, reference: str, values: dict[str, Any]) -> None:
    """In the place of what was stored under this reference."""
    secrets = aws.session().client("secretsmanager")
    name, text = naming.secret(reference), json.dumps(values)
    try:
        secrets.put_secret_value(SecretId=name, SecretString=text)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, SecretString=text)


def published(dsn: str) -> list[tuple[Any, ...]]:
    """The carriers that a program has published, the moment as text."""
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT carrier, flights, delay, changed::text FROM carriers ORDER BY carrier").fetchall()


@contextmanager
def deployed(aws: EmbeddedAws, program: Path, *stacks: str, options: str = "") -> Iterator[Target]:
    """The account, with these stacks.  options: in the place of the program's word OPTIONS."""
    bootstrap(aws)
    if options:
        written = aws.folders.home.parent / program.name
        written.write_text(program.read_text().replace("OPTIONS", options))
        program = written
    given = ["--require-approval", "never", "-c", f"program={program}", "--output", str(aws.folders.home / "cdk.out")]
    cdk(aws, ["deploy", *stacks, *given])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(aws.folders.home.parent)
        found = open_target("local")
        compiled = compile_program({program.name: program.read_text()}, installed())
        found.writer.put_program(compiled)
        found.writer.activate(compiled, former_version="")
        yield found


def execute(target: Target, slice_id: str, flow: str, **more: str) -> dict[str, Any]:
    """How an execution of a flow ended."""
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn(slice_id)
    started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow, **more}))
    return wait_for(target, started["executionArn"])


def run(target: Target, slice_id: str, flow: str, **more: str) -> None:
    ended = execute(target, slice_id, flow, **more)
    assert ended["status"] == "SUCCEEDED", ended


def refusal(target: Target, slice_id: str, flow: str) -> str:
    """What an attempt at a batch says that fails."""
    ended = execute(target, slice_id, flow)
    (error,) = (table.error for table in target.reader.flow_states([flow])[flow].tables.values())
    assert error, ended
    return str(error)


def as_function(target: Target, aws: EmbeddedAws, name: str, service: str) -> Any:
    """A client of a service, by the role of a function."""
    role = target.session.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    keys = target.session.client("sts").assume_role(RoleArn=role, RoleSessionName="function")["Credentials"]
    signed = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=aws.region)
    return signed.client(service, endpoint_url=aws.endpoint, verify=str(aws.ca_bundle))  # type: ignore[call-overload]


def reads_one_secret(target: Target, aws: EmbeddedAws, function: str, reference: str) -> None:
    """Asserts that a function's role reads the secret of this reference, and not the database's."""
    secrets = as_function(target, aws, function, "secretsmanager")
    assert secrets.get_secret_value(SecretId=naming.secret(reference))["SecretString"]
    refused(lambda: secrets.get_secret_value(SecretId=naming.secret("ops")))


def writes_below_one_prefix(target: Target, aws: EmbeddedAws, function: str, slice_id: str) -> None:
    """Asserts that a function's role writes what its slice stages, and no other slice's, nor what beside that is in the bucket."""
    s3, bucket = as_function(target, aws, function, "s3"), naming.data_bucket(aws.account, aws.region)
    s3.put_object(Bucket=bucket, Key=f"{naming.staging_prefix(slice_id)}probe", Body=b"probe")
    for prefix in (*(naming.staging_prefix(other) for other in installed() if other != slice_id), "warehouse/other/", ""):
        refused(lambda prefix=prefix: s3.put_object(Bucket=bucket, Key=f"{prefix}probe", Body=b"probe"))  # type: ignore[misc]


def refused(*calls: Callable[[], object]) -> None:
    """Asserts that each is refused for what the caller may do."""
    for call in calls:
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
