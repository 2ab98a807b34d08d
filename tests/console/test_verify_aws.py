"""`make verify-aws`: what it takes away is what it has made, and what it could not see it does not take for absent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pymysql
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from console.target import Target, open_target
from examples.verify_aws import __main__ as verify
from examples.verify_aws.database import AuroraDatabase, GivenDatabase
from examples.verify_aws.mysql import GivenMysql
from examples.verify_aws.traces import buckets, traces
from examples.verify_aws.tried import stays, tried
from shared_metadata import naming
from shared_metadata.errors import AtollError, InputError
from shared_metadata.program import Connection
from slices.registry import installed
from systems.mysql.address import read_address
from tests.background import postgres_server
from tests.conformance.organize import HERE
from tests.console.conftest import REGION
from tests.mariadb import mariadb_server

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


TRUST = "storage_user_arn = 'arn:aws:iam::123456789012:user/x', storage_external_id = 'x'"
PRINCIPAL = "storage_principal_arn = 'arn:aws:iam::123456789012:role/x', storage_external_id = 'x'"
# Of each warehouse beside the lake: what a user writes of one that is there, and its secret.
WAREHOUSES: dict[str, tuple[str, Mapping[str, str]]] = {
    "redshift": ("cluster_identifier = 'c', database = 'd', secret = 's'", {"username": "u", "password": "p"}),
    "snowflake": (
        f"account = 'a-b', database = 'd', role = 'r', warehouse = 'w', stage = 'd.public.s', secret = 's', {TRUST}",
        {},
    ),
    "databricks": (
        f"host = 'dbc-a.cloud.databricks.com', warehouse_id = 'a1b234c567d8e9fa', catalog = 'c', secret = 's', {PRINCIPAL}",
        {"client_id": "i", "client_secret": "s"},
    ),
}
OF_DATABASES = {"postgres": "postgresql://u:p@h/d", "mysql": "mysql://u:p@h/"}


@pytest.mark.parametrize(
    "slice_id", [name for name, found in installed().items() if found.stage == "organize" and not found.functions]
)
def test_the_program_is_run_by_a_slice(account: None, called: list[Any], slice_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "secret_of", lambda *_: "")
    options, _ = WAREHOUSES.get(slice_id.partition(".")[2], ("", {}))
    with ExitStack() as undo:
        chosen = tried(slice_id.replace(".", "/"), options)
        made = verify.Verification(open_target(None), GivenDatabase(OF_DATABASES["postgres"]), [], undo, chosen)
    assert slice_id in {flow.slice_id for flow in made.program.flows.values()} and stays(made.program) == bool(options)
    own = [t.dataset for flow in made.program.flows.values() for t in flow.tables if t.dataset.startswith("lake.")]
    assert all(name.startswith(f"lake.{made._shop.schema}." if options else "lake.shop.") for name in own)


@pytest.mark.parametrize("system", OF_DATABASES)
@pytest.mark.parametrize("stage", ["collect", "harness"])
def test_the_program_reads_and_publishes_in_the_system_of_a_slice(account: None, called: list[Any], system: str, stage: str) -> None:
    for given, where in OF_DATABASES.items():
        with ExitStack() as undo:
            how = (open_target(None), verify.database_of(where, open_target(None)), [], undo, tried(f"{stage}/{system}"))
            if given == system:
                assert f"{stage}.{system}" in {flow.slice_id for flow in verify.Verification(*how).program.flows.values()}
            else:
                with pytest.raises(InputError, match=f"would read {given}, and not {system}"):
                    verify.Verification(*how)


def test_what_is_given_of_a_slice_has_to_be_its() -> None:
    for slice_id, options, told in (
        ("slices/collect/nothing", "", "does not use"),
        ("organize/redshift", "", "--with is missing for organize.redshift"),
        ("organize/athena", "managed = TRUE", "--with is not of organize.athena"),
        ("", "managed = TRUE", "--with is not of the lake"),
    ):
        with pytest.raises(InputError, match=told):
            tried(slice_id, options)


def test_a_warehouse_s_secret_is_one_that_its_slice_can_sign_in_with(account: None, called: list[Any]) -> None:
    options, values = WAREHOUSES["redshift"]
    for given, told in ((None, "no values for its secret"), ({"username": "u"}, "no text as its field password")):
        with pytest.raises(AtollError, match=told), ExitStack() as undo:
            verify.Verification(open_target(None), _given(), [], undo, tried("organize/redshift", options), given)
    with pytest.raises(InputError, match="the warehouse has no secret"), ExitStack() as undo:
        verify.Verification(open_target(None), _given(), [], undo, tried("organize/redshift", "managed = TRUE"), values)
    with ExitStack() as undo:
        made = verify.Verification(open_target(None), _given(), [], undo, tried("organize/redshift", options), values)
    assert made._secrets == {naming.secret("s"): values}


def _given() -> GivenDatabase:
    return GivenDatabase(OF_DATABASES["postgres"])


@pytest.mark.deep
def test_a_mysql_that_is_given_is_as_it_was(tmp_path: Path) -> None:
    """What the program reads and publishes is made there, told in the same words, and dropped, halves included."""
    with mariadb_server() as server:
        before = server.run("SHOW DATABASES")
        server.run("CREATE USER 'verify'@'%' IDENTIFIED BY 'p@ss'")
        server.run("GRANT ALL ON *.* TO 'verify'@'%'")
        certificate = tmp_path / "ca.pem"
        certificate.write_text(server.certificate.read_text())
        url = f"mysql://verify:p%40ss@127.0.0.1:{server.port}/?sslmode=verify-ca&sslrootcert={certificate}"
        database = GivenMysql(url)
        database.execute(database.shop.drop)  # of what is not there
        database.execute(database.shop.make)
        database.execute(database.shop.rows)
        first = database.rows(database.shop.source)
        database.execute(database.shop.change)
        assert len(first) == 7 and database.rows(database.shop.source) != first
        assert first[0] == ["customer 0", 142, "88838.75"] and database.rows(database.shop.target) == []
        assert read_address(Connection("shop", "mysql", {"secret": "verify"}, HERE), database.secret()).dbname == database.shop.schema
        with pytest.raises(pymysql.err.Error):
            database.execute(database.shop.make)
        database.execute(database.shop.drop)
        assert server.run("SHOW DATABASES") == before
        server.run("DROP USER 'verify'@'%'")


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
