"""What holds data outlives its stack, and a stack that is made anew takes it over, as docs/deploying.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.embedded import EmbeddedAws, bootstrap, cdk
from infra.settings import Settings
from shared_metadata import naming

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "verify_aws" / "program.sql"
STACK = Settings().stack_name(naming.METADATA_STACK)
pytestmark = [pytest.mark.xdist_group("redeploy"), pytest.mark.deep, pytest.mark.timeout(900), pytest.mark.budget(180)]


def run(stack: EmbeddedAws, verb: str, *options: str) -> None:
    where = ["--output", str(stack.folders.home / "cdk.out"), "-c", f"program={PROGRAM}"]
    cdk(stack, [verb, naming.METADATA_STACK, *where, *options])


def test_after_a_destroy_the_same_data_is_taken_over(own_aws: EmbeddedAws) -> None:
    session = own_aws.session()
    dynamodb, s3, formation = (session.client(name) for name in ("dynamodb", "s3", "cloudformation"))
    bootstrap(own_aws)
    run(own_aws, "deploy", "--require-approval", "never")
    bucket = naming.data_bucket(own_aws.account, own_aws.region)
    dynamodb.put_item(TableName=naming.METADATA_TABLE, Item={"pk": {"S": "kept"}, "sk": {"S": "kept"}})
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    key = session.client("kms").describe_key(KeyId=naming.KEY_ALIAS)["KeyMetadata"]["Arn"]  # AWS tells it of the table, too

    formation.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    run(own_aws, "destroy", "--force")
    assert not [s for s in formation.list_stacks()["StackSummaries"] if s["StackName"] == STACK and "DELETE" not in s["StackStatus"]]

    run(own_aws, "deploy", "--require-approval", "never", "--import-existing-resources", "-c", f"keyArn={key}")
    found = dynamodb.get_item(TableName=naming.METADATA_TABLE, Key={"pk": {"S": "kept"}, "sk": {"S": "kept"}})
    assert found["Item"] and s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"kept"
    described = {r["LogicalResourceId"]: r for r in formation.describe_stack_resources(StackName=STACK)["StackResources"]}
    assert naming.METADATA_TABLE in {r["PhysicalResourceId"] for r in described.values()}
