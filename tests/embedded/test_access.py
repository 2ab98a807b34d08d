"""The embedded AWS enforces IAM: a role can do what it was granted, and nothing else."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.embedded import LocalStack

pytestmark = pytest.mark.xdist_group("emulator")


def _s3(stack: LocalStack, key: str, secret: str, token: str | None = None) -> Any:
    session = boto3.Session(key, secret, token, region_name=stack.region)
    return session.client("s3", endpoint_url=stack.endpoint, verify=str(stack.ca_bundle))


def _s3_as_role(stack: LocalStack, role: str, **grant: str) -> Any:
    def document(**statement: object) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

    iam = stack.session().client("iam")
    trust = document(Principal={"AWS": stack.account}, Action="sts:AssumeRole")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="granted", PolicyDocument=document(**grant))
    issued = stack.session().client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return _s3(stack, issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])


def test_a_role_reads_what_it_was_granted_and_is_denied_the_rest(local_aws: LocalStack) -> None:
    s3 = local_aws.session().client("s3")
    for bucket in ("granted", "withheld"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="key", Body=b"data")
    as_role = _s3_as_role(local_aws, "reader", Action="s3:GetObject", Resource="arn:aws:s3:::granted/*")

    assert as_role.get_object(Bucket="granted", Key="key")["Body"].read() == b"data"
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.get_object(Bucket="withheld", Key="key")
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.put_object(Bucket="granted", Key="key", Body=b"")


def test_credentials_nobody_issued_are_refused(local_aws: LocalStack) -> None:
    with pytest.raises(ClientError) as refused:
        _s3(local_aws, "AKIAUNKNOWN000000000", "x").list_buckets()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_session_ignores_aws_settings_of_the_environment(local_aws: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    assert local_aws.session().client("sts").get_caller_identity()["Account"] == local_aws.account


def test_a_child_process_gets_this_aws_and_no_other(local_aws: LocalStack) -> None:
    environment = local_aws.process_environment({"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x", "LANG": "C"})
    assert "AWS_PROFILE" not in environment and "AWS_SESSION_TOKEN" not in environment
    assert environment["LANG"] == "C"
    assert environment["AWS_ENDPOINT_URL"] == local_aws.endpoint
