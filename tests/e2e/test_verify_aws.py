"""`make verify-aws`, as far as the embedded AWS goes: with a database that is given, and without the VPC."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.verify_aws import database
from infra.embedded import EmbeddedAws
from infra.embedded.ports import LOOPBACK
from tests.mariadb import mariadb_server

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.xdist_group("verify"),
    pytest.mark.deep,
    pytest.mark.nightly,
    pytest.mark.timeout(900),
    pytest.mark.budget(240),
]


def verify(stack: EmbeddedAws, *options: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    database_url = database_url or f"{stack.database('shop')}?sslmode=disable"
    command = [sys.executable, "-m", "examples.verify_aws", "--yes", "--database-url", database_url, *options]
    return subprocess.run(command, cwd=ROOT, env=stack.process_environment(), capture_output=True, text=True, check=False)


OF = {"organize/athena": (), "organize/redshift": ("--with", "managed = TRUE")}


@pytest.mark.parametrize("slice_id", OF)
def test_it_deploys_runs_compares_and_leaves_nothing(own_aws: EmbeddedAws, slice_id: str) -> None:
    left_nothing(verify(own_aws, "--slice", slice_id, *OF[slice_id]))


def test_so_it_does_with_a_mysql_that_is_given(own_aws: EmbeddedAws, tmp_path: Path) -> None:
    with mariadb_server(("--require-secure-transport=ON",)) as server:
        server.run("CREATE USER 'verify'@'%' IDENTIFIED BY 'p@ss'")
        server.run("GRANT ALL ON *.* TO 'verify'@'%'")
        certificate = tmp_path / "ca.pem"
        certificate.write_text(server.certificate.read_text())
        url = f"mysql://verify:p%40ss@{LOOPBACK}:{server.port}/?sslmode=verify-full&sslrootcert={certificate}"
        before = server.run("SHOW DATABASES")
        left_nothing(verify(own_aws, "--slice", "collect/mysql", database_url=url))
        assert server.run("SHOW DATABASES") == before


def left_nothing(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout and "Atoll was deployed, ran, and is gone" in done.stdout


def test_where_atoll_is_nothing_is_touched(own_aws: EmbeddedAws) -> None:
    client = own_aws.session().client("dynamodb")
    key = {"AttributeName": "pk", "KeyType": "HASH"}
    kind = {"AttributeName": "pk", "AttributeType": "S"}
    client.create_table(TableName="atoll-metadata", KeySchema=[key], AttributeDefinitions=[kind], BillingMode="PAY_PER_REQUEST")
    done = verify(own_aws)
    assert done.returncode == 1 and "choose another account or region" in done.stdout
    client.delete_table(TableName="atoll-metadata")


def test_its_database_is_one_that_cloudformation_knows() -> None:
    from cfnlint.api import ManualArgs, lint

    found = lint(json.dumps(database._template()), config=ManualArgs(regions=["us-east-1"], ignore_checks=["W", "I"]))
    assert not [f"{match.rule.id} {match.message}" for match in found]
