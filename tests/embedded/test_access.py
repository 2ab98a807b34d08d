"""The embedded AWS enforces IAM: a role can do what it was granted, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.embedded import EmbeddedAws

pytestmark = pytest.mark.xdist_group("emulator")


def _client(stack: EmbeddedAws, service: str, key: str, secret: str, token: str | None = None) -> Any:
    session = boto3.Session(key, secret, token, region_name=stack.region)
    return session.client(service, endpoint_url=stack.endpoint, verify=str(stack.ca_bundle))


def _client_as_role(stack: EmbeddedAws, service: str, role: str, grants: Sequence[Mapping[str, Any]]) -> Any:
    def document(*statements: Mapping[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})

    iam = stack.session().client("iam")
    trust = document({"Principal": {"AWS": stack.account}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="granted", PolicyDocument=document(*grants))
    issued = stack.session().client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return _client(stack, service, issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])


def test_a_role_reads_what_it_was_granted_and_is_denied_the_rest(local_aws: EmbeddedAws) -> None:
    s3 = local_aws.session().client("s3")
    for bucket in ("granted", "withheld"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="key", Body=b"data")
    as_role = _client_as_role(local_aws, "s3", "reader", [{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::granted/*"}])

    assert as_role.get_object(Bucket="granted", Key="key")["Body"].read() == b"data"
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.get_object(Bucket="withheld", Key="key")
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.put_object(Bucket="granted", Key="key", Body=b"")


def test_credentials_nobody_issued_are_refused(local_aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError) as refused:
        _client(local_aws, "s3", "AKIAUNKNOWN000000000", "x").list_buckets()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_session_ignores_aws_settings_of_the_environment(local_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    assert local_aws.session().client("sts").get_caller_identity()["Account"] == local_aws.account


def test_a_child_process_gets_this_aws_and_no_other(local_aws: EmbeddedAws) -> None:
    environment = local_aws.process_environment({"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x", "LANG": "C"})
    assert "AWS_PROFILE" not in environment and "AWS_SESSION_TOKEN" not in environment
    assert environment["LANG"] == "C"
    assert environment["AWS_ENDPOINT_URL"] == local_aws.endpoint


def _table_as_role(stack: EmbeddedAws) -> Any:
    """A table, and a client that may read and write its items of kind A, and put those of kind B, and nothing else."""
    table = (
        stack.session()
        .resource("dynamodb")
        .create_table(
            TableName="kinds",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at")],
            BillingMode="PAY_PER_REQUEST",
        )
    )
    actions = {"A#*": ["GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "BatchWriteItem"], "B#*": ["PutItem"]}
    grants = [
        {
            "Action": [f"dynamodb:{name}" for name in names],
            "Resource": table.table_arn,
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [pattern]}},
        }
        for pattern, names in actions.items()
    ]
    return _client_as_role(stack, "dynamodb", "kinds", grants)


def _item(key: str) -> dict[str, Any]:
    return {"id": {"S": key}, "at": {"S": "1"}}


def _put(key: str) -> dict[str, Any]:
    return {"Put": {"TableName": "kinds", "Item": _item(key)}}


def _of(key: str) -> dict[str, Any]:
    """A query that names the sort key before the partition key."""
    condition = {"KeyConditionExpression": "#at = :at AND id = :id", "ExpressionAttributeNames": {"#at": "at"}}
    return {"TableName": "kinds", **condition, "ExpressionAttributeValues": {":id": {"S": key}, ":at": {"S": "1"}}}


def test_a_role_works_with_the_items_whose_keys_it_was_granted_and_with_no_others(local_aws: EmbeddedAws) -> None:
    dynamodb = _table_as_role(local_aws)
    dynamodb.transact_write_items(TransactItems=[_put("A#1"), _put("B#1")])
    assert dynamodb.get_item(TableName="kinds", Key=_item("A#1"))["Item"] and dynamodb.query(**_of("A#1"))["Count"] == 1
    assert dynamodb.batch_get_item(RequestItems={"kinds": {"Keys": [_item("A#1")]}})["Responses"]["kinds"]
    dynamodb.batch_write_item(RequestItems={"kinds": [{"PutRequest": {"Item": _item("A#2")}}]})
    refused = [
        lambda: dynamodb.get_item(TableName="kinds", Key=_item("B#1")),
        lambda: dynamodb.query(**_of("B#1")),
        lambda: dynamodb.batch_get_item(RequestItems={"kinds": {"Keys": [_item("A#1"), _item("B#1")]}}),
        lambda: dynamodb.batch_write_item(RequestItems={"kinds": [{"PutRequest": {"Item": _item("B#2")}}]}),
        lambda: dynamodb.put_item(TableName="kinds", Item=_item("C#1")),
        lambda: dynamodb.transact_write_items(TransactItems=[_put("A#3"), _put("C#1")]),
    ]
    for call in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
