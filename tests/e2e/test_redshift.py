"""A warehouse in Redshift as a user has it: a program is compiled, its stacks deployed, and rows of a database are in its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from console.target import Target
from doubles.redshift_data.door import Door
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from slices.organize.redshift import named
from tests.e2e.one_program import CARRIERS, FLIGHTS, as_function, deployed, reads_one_secret, refused, run, shop, store_secret

pytestmark = [pytest.mark.xdist_group("redshift"), pytest.mark.timeout(900), pytest.mark.budget(200), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("redshift.sql")
WORKGROUP = "atoll-organize-redshift-dwh"
PAST, DESK = {"ClusterIdentifier": "analytics", "Database": "reports"}, {"WorkgroupName": "reports", "Database": "dev"}


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws) -> Iterator[Target]:
    """The account, with these stacks and this program, a database with flights, and a cluster and a workgroup that no stack made."""
    shop(own_aws)
    store_secret(own_aws, "desk", {"username": "atoll", "password": "x"})
    with deployed(own_aws, PROGRAM, "CollectPostgresSlice", "OrganizeRedshiftSlice") as found:
        role = found.session.client("iam").get_role(RoleName=f"{named.role()}-{own_aws.region}")["Role"]["Arn"]
        arn = f"arn:aws:redshift-serverless:{own_aws.region}:{found.account}:workgroup/01234567-89ab-cdef-0123-456789abcdef"
        door = Door(found.session, own_aws.endpoint, str(own_aws.ca_bundle))
        door.warehouse("analytics", kind="cluster", databases=["reports"], roles=[role])
        door.warehouse("reports", kind="workgroup", databases=["dev"], roles=[role], arn=arn)
        yield found


def rows(target: Target, query: str, **where: str) -> list[list[object]]:
    """As the account's owner asks the Data API."""
    client, where = target.session.client("redshift-data"), where or {"WorkgroupName": WORKGROUP, "Database": "dev"}
    id = client.execute_statement(**where, Sql=query, WaitTimeSeconds=20)["Id"]  # type: ignore[arg-type]
    records = client.get_statement_result(Id=id)["Records"]
    return [[None if field.get("isNull") else next(iter(field.values())) for field in record] for record in records]


def test_rows_of_a_database_are_loaded_and_a_view_is_computed_in_the_workgroup_that_was_made(target: Target) -> None:
    run(target, "collect.postgres", "dwh.ops.flights")
    run(target, "organize.redshift", "dwh.ops.flights:load")
    run(target, "organize.redshift", "dwh.ops.carriers")
    assert rows(target, "SELECT id, carrier, delay FROM ops.flights ORDER BY id") == [list(row) for row in FLIGHTS]
    assert rows(target, "SELECT carrier, flights, delay FROM ops.carriers ORDER BY carrier") == [list(row) for row in CARRIERS]
    ((reason, data),) = rows(target, "SELECT reason, data FROM ops.carriers__rejected")
    assert (reason, json.loads(str(data))) == ("named", {"carrier": "XX", "flights": 1, "delay": 1.0})
    (found,) = target.reader.statistics("dwh.ops.carriers", 1)
    assert {one["purpose"] for one in found["statements"]} >= {"rows", "counts", "aside", "commit 0"}


def test_a_role_asks_for_its_own_statements_and_reaches_no_other_warehouse(target: Target, own_aws: EmbeddedAws) -> None:
    """What refuses it is its policy: the account's owner does both."""
    client, door = target.session.client("redshift-data"), Door(target.session, own_aws.endpoint, str(own_aws.ca_bundle))
    door.warehouse("another", kind="workgroup", databases=["dev"], arn=f"arn:aws:redshift-serverless:{own_aws.region}:1:workgroup/x")
    theirs = client.execute_statement(WorkgroupName=WORKGROUP, Database="dev", Sql="SELECT 1 AS n", WaitTimeSeconds=20)["Id"]
    assert client.describe_statement(Id=theirs)["Status"] == "FINISHED"
    client.execute_statement(WorkgroupName="another", Database="dev", Sql="SELECT 1 AS n")
    function = as_function(target, own_aws, "atoll-organize-redshift-commit", "redshift-data")
    for call in (
        lambda: function.describe_statement(Id=theirs),
        lambda: function.get_statement_result(Id=theirs),
        lambda: function.cancel_statement(Id=theirs),
        lambda: function.execute_statement(WorkgroupName="another", Database="dev", Sql="SELECT 1 AS n"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|ResourceNotFound"):
            call()


@pytest.mark.parametrize(("warehouse", "where"), [("past", PAST), ("desk", DESK)])
def test_a_cluster_and_a_workgroup_that_are_there_take_the_same(target: Target, warehouse: str, where: dict[str, str]) -> None:
    run(target, "collect.postgres", f"{warehouse}.ops.flights")
    run(target, "organize.redshift", f"{warehouse}.ops.flights:load")
    run(target, "organize.redshift", f"{warehouse}.ops.carriers")
    assert rows(target, "SELECT id, carrier, delay FROM ops.flights ORDER BY id", **where) == [list(row) for row in FLIGHTS]
    assert rows(target, "SELECT carrier, flights FROM ops.carriers ORDER BY carrier", **where) == [["AA", 2], ["UA", 1], ["XX", 1]]


def test_a_role_is_no_other_user_of_the_cluster_and_reaches_no_other_one(target: Target, own_aws: EmbeddedAws) -> None:
    """Each call differs in one word from one that is taken."""
    door = Door(target.session, own_aws.endpoint, str(own_aws.ca_bundle))
    door.warehouse("another_cluster", kind="cluster", databases=["reports"])
    function = as_function(target, own_aws, "atoll-organize-redshift-load", "redshift-data")
    own = {**PAST, "DbUser": "atoll", "Sql": "SELECT 1 AS n"}
    assert function.execute_statement(**own)["Id"]
    for name, other in (("DbUser", "admin"), ("Database", "dev"), ("ClusterIdentifier", "another_cluster")):
        refused(lambda changed={name: other}: function.execute_statement(**{**own, **changed}))  # type: ignore[misc]
    refused(lambda: function.execute_statement(**DESK, SecretArn=naming.secret("ops"), Sql="SELECT 1 AS n"))
    reads_one_secret(target, own_aws, "atoll-organize-redshift-load", "desk")
