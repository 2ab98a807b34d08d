"""`atoll secret`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from console.main import main
from console.prerequisites import missing_secrets
from console.project import compile_files
from console.target import open_target
from shared_metadata import naming
from shared_metadata.contract.secrets.secret_store import read_secret
from slices.registry import installed
from tests.memory import databricks
from tests.memory.snowflake import OPTIONS, snowflake

Atoll = Callable[..., Result]
FIELDS = {"host": "db", "dbname": "shop", "username": "atoll", "password": "hush-7"}
SECRET = json.dumps(FIELDS)
MISTAKES = ["", "{", '["hush-7"]', '"hush-7"', "hush-7", '{"password": hush-7}']


@pytest.fixture
def key(account: Any) -> None:
    made = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    boto3.client("kms").create_alias(AliasName=naming.KEY_ALIAS, TargetKeyId=made)


def test_it_is_stored_under_the_key_and_then_replaced(atoll: Atoll, key: None, folder: Path) -> None:
    (folder / "ops.json").write_text(SECRET)
    assert atoll("secret", "ops", "ops.json").stdout == "stored atoll/ops\n"
    client = boto3.client("secretsmanager")
    assert client.get_secret_value(SecretId="atoll/ops")["SecretString"] == SECRET
    assert client.describe_secret(SecretId="atoll/ops")["KmsKeyId"] == naming.KEY_ALIAS
    piped = CliRunner().invoke(main, ["secret", "ops", "-", "--json"], input='{"host": "other"}')
    assert json.loads(piped.stdout) == {"secret": "atoll/ops", "made": False}
    assert json.loads(client.get_secret_value(SecretId="atoll/ops")["SecretString"]) == {"host": "other"}


@pytest.mark.security
@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_it_is_told_without_what_stands_there(atoll: Atoll, key: None, folder: Path, text: str) -> None:
    (folder / "ops.json").write_text(text)
    result = atoll("secret", "ops", "ops.json")
    assert result.exit_code == 1 and "ops.json" in result.stderr and "JSON" in result.stderr
    assert "hush" not in result.output + result.stderr
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == []


def test_a_name_that_cannot_be_one_is_refused(atoll: Atoll, key: None, folder: Path) -> None:
    (folder / "ops.json").write_text(SECRET)
    assert "cannot be the name of a secret" in atoll("secret", "op*", "ops.json").stderr


def test_before_its_key_is_deployed_it_says_what_to_deploy(atoll: Atoll, account: Any, folder: Path) -> None:
    (folder / "ops.json").write_text(SECRET)
    result = atoll("secret", "ops", "ops.json")
    assert result.exit_code == 1 and "help: atoll deploy\n" in result.stderr


def test_one_that_is_being_deleted_is_named_with_its_remedy(atoll: Atoll, key: None, folder: Path) -> None:
    (folder / "ops.json").write_text(SECRET)
    atoll("secret", "ops", "ops.json")
    boto3.client("secretsmanager").delete_secret(SecretId="atoll/ops")
    assert "restore-secret --secret-id atoll/ops" in atoll("secret", "ops", "ops.json").stderr


def test_a_byte_order_mark_is_no_part_of_it(atoll: Atoll, key: None, folder: Path) -> None:
    (folder / "ops.json").write_text("\ufeff" + SECRET, encoding="utf-8")
    assert atoll("secret", "ops", "ops.json").stdout == "stored atoll/ops\n"
    client = boto3.client("secretsmanager")
    assert client.get_secret_value(SecretId="atoll/ops")["SecretString"] == SECRET
    piped = CliRunner().invoke(main, ["secret", "ops", "-"], input=b"\xef\xbb\xbf" + SECRET.encode())
    assert piped.exit_code == 0 and client.get_secret_value(SecretId="atoll/ops")["SecretString"] == SECRET
    client.put_secret_value(SecretId="atoll/ops", SecretString="\ufeff" + SECRET)
    assert read_secret(client, "ops", place="").values["host"] == "db"


@pytest.mark.security
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"password":\n "hush-\xff7"}', "ops.json:2: byte 20 is not UTF-8"),
        (SECRET.encode("utf-16"), "is not UTF-8"),
        (b'{"hush": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "ops.json: this is JSON of too many levels"),
    ],
)
@pytest.mark.parametrize("piped", [False, True])
def test_what_cannot_be_read_as_json_ends_with_a_message(
    atoll: Atoll, key: None, folder: Path, data: bytes, said: str, piped: bool
) -> None:
    (folder / "ops.json").write_bytes(data)
    found = CliRunner().invoke(main, ["secret", "ops", "-" if piped else "ops.json"], input=data)
    assert found.exit_code == 1 and isinstance(found.exception, SystemExit), found.exception
    assert (said.replace("ops.json", "standard input") if piped else said) in found.stderr and "hush" not in found.output
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == []


@pytest.mark.parametrize("name", ["opps", "atoll/ops", "crm"])
def test_a_secret_that_the_program_does_not_name_is_stored_only_anyway(atoll: Atoll, key: None, folder: Path, name: str) -> None:
    assert atoll("init").exit_code == 0
    (folder / "x.json").write_text(SECRET)
    result = atoll("secret", name, "x.json")
    assert result.exit_code == 1 and "it names ops" in result.stderr and "--anyway" in result.stderr
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == []
    assert atoll("secret", name, "x.json", "--anyway").exit_code == 0
    assert atoll("secret", "ops", "x.json").exit_code == 0


def test_a_secret_of_a_mask_is_one_that_the_program_names(atoll: Atoll, key: None, folder: Path) -> None:
    assert atoll("init").exit_code == 0
    text = (folder / "program.sql").read_text().replace("USING iceberg", "USING iceberg WITH (mask_key = 'mask')")
    (folder / "program.sql").write_text(text.replace("CURSOR updated_at", "CURSOR updated_at MASK (customer HASH)", 1))
    (folder / "x.json").write_text(json.dumps({"key": "0" * 64}))
    assert atoll("secret", "mask", "x.json").exit_code == 0
    (folder / "x.json").write_text(json.dumps({"key": "hush-7"}))
    result = atoll("secret", "mask", "x.json")
    assert result.exit_code == 1 and "holds no `key` of" in result.stderr and "hush" not in result.stderr


UNFIT = [
    ({"dbname": None}, "dbname"),
    ({"host": None, "password": None}, "password"),
    ({"port": "hush-7"}, "port"),
    ({"sslmode": "hush-7"}, "sslmode"),
    ({"sslmode": "disabled"}, "sslmode"),
]


@pytest.mark.security
@pytest.mark.parametrize(("change", "field"), UNFIT)
@pytest.mark.parametrize("publishes", [True, False])
def test_a_secret_with_which_a_slice_cannot_sign_in_is_stored_only_anyway(
    atoll: Atoll, key: None, folder: Path, change: dict[str, Any], field: str, publishes: bool
) -> None:
    assert atoll("init").exit_code == 0
    text = (folder / "program.sql").read_text()
    (folder / "program.sql").write_text(text if publishes else text.split("-- Harness")[0])
    values = {name: value for name, value in {**FIELDS, **change}.items() if value is not None}
    (folder / "x.json").write_text(json.dumps(values))
    result = atoll("secret", "ops", "x.json")
    assert result.exit_code == 1 and field in result.stderr and "help: " in result.stderr and "hush" not in result.output, (
        result.stderr
    )
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == []
    assert atoll("secret", "ops", "x.json", "--anyway").exit_code == 0


def test_each_slice_of_a_connection_that_a_model_has_is_asked() -> None:
    asked = {slice_.id for slice_ in installed().values() if slice_.secret}
    databases = {"collect.mysql", "collect.oracle", "collect.postgres", "harness.mysql", "harness.postgres"}
    others = {"collect.http", "collect.kafka", "harness.salesforce", "harness.webhook"}
    assert asked == {*databases, *others, "organize.databricks", "organize.redshift", "organize.snowflake"}


def using(system: str, options: Mapping[str, Any]) -> str:
    return f"USING {system} WITH (" + ", ".join(f"{name} = '{value}'" for name, value in options.items()) + ")"


SNOWFLAKE, DATABRICKS = using("snowflake", OPTIONS), using("databricks", {**databricks.OPTIONS, "secret": "snowflake"})
CLUSTER = "USING redshift WITH (cluster_identifier = 'c', secret = 'snowflake')"
OF_WAREHOUSES = [
    (SNOWFLAKE, {"user": "atoll", "private_key": "hush-7"}, "private_key"),
    (SNOWFLAKE, {"user": "atoll"}, "private_key"),
    (SNOWFLAKE, {"user": "hush 7", "private_key": "hush-7"}, "user"),
    (CLUSTER, {"username": "atoll"}, "password"),
    (DATABRICKS, {"client_id": "hush"}, "client_secret"),
    (DATABRICKS, {"client_id": "", "client_secret": "hush-7"}, "client_id"),
]
FIT = {CLUSTER: {"username": "atoll", "password": "hush-7"}, DATABRICKS: {"client_id": "a", "client_secret": "hush-7"}}


@pytest.mark.security
@pytest.mark.parametrize(("warehouse", "values", "field"), OF_WAREHOUSES)
def test_a_warehouse_s_secret_is_one_that_the_program_names_and_its_slice_checks(
    atoll: Atoll, key: None, folder: Path, warehouse: str, values: dict[str, Any], field: str
) -> None:
    assert atoll("init").exit_code == 0
    text = (folder / "program.sql").read_text()
    (folder / "program.sql").write_text(text.replace("USING iceberg", warehouse))
    (folder / "x.json").write_text(json.dumps(values))
    result = atoll("secret", "snowflake", "x.json")
    assert result.exit_code == 1 and field in result.stderr and "hush" not in result.output, result.stderr
    assert "names no secret" not in result.stderr
    (_, lacks) = missing_secrets(open_target(None), compile_files([]))
    assert "warehouse lake: the secret atoll/snowflake does not exist; store it: atoll secret snowflake snowflake.json" in lacks
    (folder / "x.json").write_text(json.dumps(FIT.get(warehouse) or snowflake().secret))
    assert atoll("secret", "snowflake", "x.json").exit_code == 0


def test_what_is_piped_in_is_called_standard_input(atoll: Atoll, key: None) -> None:
    piped = CliRunner().invoke(main, ["secret", "ops", "-"], input="{")
    assert "standard input:1:" in piped.stderr
