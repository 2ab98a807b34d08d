"""`make verify-aws`: what it takes away is what it has made, and what it could not see it does not take for absent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from console.target import Target, open_target
from examples.verify_aws import __main__ as verify
from examples.verify_aws.database import AuroraDatabase, GivenDatabase
from examples.verify_aws.traces import buckets, traces
from shared_metadata import naming
from shared_metadata.errors import InputError
from slices.registry import installed
from tests.background import postgres_server
from tests.console.conftest import REGION

pytestmark = pytest.mark.budget(30)
LOOKED_AT = ("dynamodb", "kms", "glue", "s3", "cloudformation")
NOT_LOOKED = ("AccessDenied", "AccessDeniedException", "403", "ThrottlingException", "ExpiredToken", "InternalServerError")
STEPS = ("make a secret", "make the schema", "fill it", "discover", "apply", "compare")


class Refusing(Target):
    """An account in which one service answers everything with one code."""

    def client(self, service: str) -> Any:
        return _Refuses(self.variables["code"]) if service == self.variables.get("service") else super().client(service)


class _Refuses:
    def __init__(self, code: str) -> None:
        self._code = code

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> Any:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, operation)

        return refuse


@pytest.fixture
def account(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty one, all of it in moto."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        yield


@pytest.fixture
def url() -> Iterator[str]:
    """A database in which somebody has a table `orders` already."""
    with postgres_server() as (folder, port):
        name, where = f"verify_{secrets.token_hex(4)}", f"?host={folder}&port={port}"
        with psycopg.connect(f"postgresql://postgres@/postgres{where}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        found = f"postgresql://postgres:none@/{name}{where}"
        with psycopg.connect(found) as connection:
            connection.execute("CREATE TABLE orders (mine text); INSERT INTO orders VALUES ('kept')")
            connection.execute("CREATE TABLE customer_totals (mine text); INSERT INTO customer_totals VALUES ('kept')")
        yield found


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """The CDK's calls; it does nothing, so that there is no function that would look at a source."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(verify.Verification, "_discover", lambda _: None)
    monkeypatch.setattr(verify.Verification, "_cdk", lambda _, *arguments, **__: found.append(arguments))
    monkeypatch.setattr(verify, "MADE_PROGRAM", tmp_path / "made" / "program.sql")
    return found


def run(database: Any, target: Target | None = None, undo: ExitStack | None = None) -> verify.Verification:
    with undo or ExitStack() as stack:
        made = verify.Verification(target or open_target(None), database, [], stack)
        made.run()
    return made


def kept(url: str) -> bool:
    with psycopg.connect(url) as connection:
        texts = connection.execute("TABLE public.orders UNION ALL TABLE public.customer_totals").fetchall()
        schemas = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'atoll%'").fetchone()
    return texts == [("kept",)] * 2 and schemas == (0,)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fails", STEPS)
def test_whatever_fails_a_database_that_is_given_is_as_it_was(
    account: None, url: str, called: list[Any], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    database, seen = GivenDatabase(url), list[Any]()
    real = database.execute

    def execute(sql: str) -> None:
        if (fails, sql.split()[0]) in (("make the schema", "CREATE"), ("fill it", "INSERT")):
            raise verify.Failed(fails)
        real(sql)

    def end(*_: object) -> None:
        if fails == "compare":
            seen.append(database.rows(f"SELECT customer FROM {shop(url)}.orders"))
        raise verify.Failed(fails)

    if fails == "make a secret":
        boto3.client("secretsmanager").create_secret(Name=verify.SECRET, SecretString="somebody's")
    monkeypatch.setattr(database, "execute", execute)
    monkeypatch.setattr(verify, "activate", end if fails == "apply" else lambda *_: None)
    monkeypatch.setattr(verify.Verification, "_compare", end)
    if fails == "discover":
        monkeypatch.setattr(verify.Verification, "_discover", end)
    with pytest.raises((verify.Failed, ClientError)):
        run(database)
    assert kept(url) and [len(rows) for rows in seen] == [1000] * len(seen)
    left = boto3.client("secretsmanager").list_secrets()["SecretList"]
    assert len(left) == (fails == "make a secret")


def shop(url: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'atoll_verify_%'").fetchone()
    assert found
    return str(found[0])


def test_the_program_reads_and_publishes_in_the_schema_of_its_run(account: None, url: str, called: list[Any]) -> None:
    with ExitStack() as undo:
        first = verify.Verification(open_target(None), GivenDatabase(url), [], undo)
        second = verify.Verification(open_target(None), GivenDatabase(url), [], undo)
    schemas = [made._shop.schema for made in (first, second)]
    assert schemas[0] != schemas[1]
    for made, schema in zip((first, second), schemas, strict=True):
        named = json.dumps([[t.source, t.dataset] for flow in made.program.flows.values() for t in flow.tables])
        assert schema in named and "public" not in named and f"tags={verify.RUN}={schema}" in made._options


@pytest.mark.parametrize("slice_id", [name for name, found in installed().items() if found.warehouse == "iceberg"])
def test_the_program_is_run_by_the_engine_of_a_slice(account: None, url: str, called: list[Any], slice_id: str) -> None:
    engine = verify.engine_of(slice_id.replace(".", "/"))
    with ExitStack() as undo:
        made = verify.Verification(open_target(None), GivenDatabase(url), [], undo, engine)
    assert slice_id in {flow.slice_id for flow in made.program.flows.values()}


def test_a_slice_that_the_program_does_not_use_is_refused() -> None:
    with pytest.raises(InputError, match="does not use"):
        verify.engine_of("slices/collect/nothing")
    assert verify.engine_of("harness.postgres") == ""


@pytest.mark.sampled(4)
@pytest.mark.parametrize("service", LOOKED_AT)
@pytest.mark.parametrize("code", NOT_LOOKED)
def test_who_may_not_look_or_is_throttled_or_signed_out_deploys_nothing(
    account: None, url: str, called: list[Any], service: str, code: str
) -> None:
    target = Refusing("", boto3.Session(), {"service": service, "code": code})
    with pytest.raises(ClientError):
        run(GivenDatabase(url), target)
    assert called == [] and kept(url)


@pytest.mark.parametrize("service", LOOKED_AT)
def test_nothing_is_said_to_be_gone_where_it_cannot_be_seen(
    account: None, url: str, called: list[Any], monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    variables = {"code": "AccessDenied"}
    target = Refusing("", boto3.Session(), variables)

    def end(*_: object) -> None:
        variables["service"] = service
        raise verify.Failed("so")

    monkeypatch.setattr(verify, "activate", end)
    with pytest.raises(ClientError):
        run(GivenDatabase(url), target)


def _make(what: str, target: Target) -> None:
    where: dict[str, Callable[[], Any]] = {
        "the table atoll-metadata": lambda: boto3.client("dynamodb").create_table(
            TableName=naming.METADATA_TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
        "the key alias/atoll": lambda: boto3.client("kms").create_alias(
            AliasName=naming.KEY_ALIAS, TargetKeyId=boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        ),
        "the Glue database lake_shop": lambda: boto3.client("glue").create_database(DatabaseInput={"Name": "lake_shop"}),
        "the bucket": lambda: _bucket(buckets(target)[0]),
        "the bucket of logs": lambda: _bucket(buckets(target)[1]),
        "the stack Atoll-Conductor": lambda: _stack("Atoll-Conductor"),
        "the stack Atoll-Network": lambda: _stack("Atoll-Network"),
    }
    where[what]()


def _bucket(name: str) -> None:
    there = {"LocationConstraint": boto3.Session().region_name}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=there)  # type: ignore[arg-type]
    boto3.client("s3").put_object(Bucket=name, Key="a", Body=b"kept")


def _stack(name: str, **tags: str) -> None:
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    given = [{"Key": key.replace("_", "-"), "Value": value} for key, value in tags.items()]
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=template, Tags=given)  # type: ignore[arg-type]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "what",
    [
        "the table atoll-metadata",
        "the key alias/atoll",
        "the Glue database lake_shop",
        "the bucket",
        "the bucket of logs",
        "the stack Atoll-Conductor",
        "the stack Atoll-Network",
    ],
)
def test_where_anything_of_atolls_is_nothing_is_touched(account: None, url: str, called: list[Any], what: str) -> None:
    target = open_target(None)
    _make(what, target)
    [found] = traces(target, verify.DATABASE)
    with pytest.raises(verify.Failed, match="choose another account or region"):
        run(GivenDatabase(url))
    assert called == [] and traces(target, verify.DATABASE) == [found] and found.startswith(what.removesuffix(" of logs"))


def test_of_what_came_meanwhile_only_the_stacks_of_this_run_are_taken_down(
    account: None, url: str, called: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's deploy of the same minute stays, with its buckets, and is told."""
    target = open_target(None)

    def deploy(made: verify.Verification, *arguments: str, **_: object) -> None:
        called.append(arguments)
        if arguments[0] == "deploy":
            _stack("Atoll-Conductor", atoll_verify=made._shop.schema)
            _stack("Atoll-SharedMetadata", atoll_verify="another run")
            _bucket(buckets(target)[0])
            raise verify.Failed("the deploy")

    monkeypatch.setattr(verify.Verification, "_cdk", deploy)
    with pytest.raises(verify.Failed, match=r"still there: .*the stack Atoll-SharedMetadata, the bucket"):
        run(GivenDatabase(url))
    assert [arguments[:3] for arguments in called if arguments[0] == "destroy"] == [("destroy", "Conductor", "--force")]
    assert boto3.client("s3").get_object(Bucket=buckets(target)[0], Key="a")["Body"].read() == b"kept"


def test_with_keep_everything_stays(account: None, url: str, called: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "activate", lambda *_: None)
    monkeypatch.setattr(verify.Verification, "_compare", lambda *_: None)
    assert verify.main(["--yes", "--keep", "--database-url", url]) == 0
    assert shop(url) and boto3.client("secretsmanager").list_secrets()["SecretList"]
    assert [arguments[0] for arguments in called] == ["bootstrap", "deploy"]


def test_a_stack_of_the_databases_name_that_is_somebodys_stays(account: None) -> None:
    boto3.client("cloudformation").create_stack(StackName="Atoll-VerifyDatabase", TemplateBody='{"Resources": {}}')
    with pytest.raises(ClientError), ExitStack() as undo:
        AuroraDatabase(boto3.Session()).make(undo)
    names = {stack["StackName"] for stack in boto3.client("cloudformation").describe_stacks()["Stacks"]}
    assert "Atoll-VerifyDatabase" in names
