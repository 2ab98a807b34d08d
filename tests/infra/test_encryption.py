"""Everything that stores something is encrypted with Atoll's own key, is reached by TLS alone, and by nobody from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.security]
KEY = "SsmParameterValueatollmetadatakeyarn"  # how other stacks refer to the key that SharedMetadata makes
BUCKET = ("BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault")
# Resource type ▸ where its key is named.
KEYS = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Lambda::Function": ("KmsKeyArn",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        0,
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
    "AWS::RedshiftServerless::Namespace": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::Athena::WorkGroup": ("WorkGroupConfiguration", "ResultConfiguration", "EncryptionConfiguration", "KmsKey"),
}
OTHER_KEYS = {"AccessLogs": "S3 delivers access logs only to buckets under its own key; they hold names of objects"}
# Every other resource type, and why it needs no key.
WITHOUT = {
    "AWS::ApiGatewayV2::Api": "stores nothing",
    "AWS::ApiGatewayV2::Integration": "the ARN of a function",
    "AWS::ApiGatewayV2::Route": "the names of connections and tables",
    "AWS::ApiGatewayV2::Stage": "numbers, and the ARN of its log group, which has the key",
    "AWS::CloudWatch::Alarm": "names of metrics and thresholds",
    "AWS::CloudWatch::Dashboard": "names of metrics",
    "AWS::EC2::FlowLog": "its log group has the key",
    "AWS::EC2::RouteTable": "stores nothing",
    "AWS::EC2::SecurityGroup": "stores nothing",
    "AWS::EC2::SecurityGroupIngress": "stores nothing",
    "AWS::EC2::Subnet": "stores nothing",
    "AWS::EC2::SubnetRouteTableAssociation": "stores nothing",
    "AWS::EC2::VPC": "stores nothing",
    "AWS::EC2::VPCEndpoint": "stores nothing",
    "AWS::EMRServerless::Application": "its workers' disks, for as long as a job takes, under AWS's own key",
    "AWS::Events::Rule": "names of state machines and statuses",
    "AWS::IAM::Policy": "policies",
    "AWS::IAM::ManagedPolicy": "policies",
    "AWS::IAM::Role": "policies",
    "AWS::KMS::Alias": "the key's name",
    "AWS::KMS::Key": "the key",
    "AWS::Lambda::EventInvokeConfig": "numbers",
    "AWS::Lambda::EventSourceMapping": "names of items' kinds",
    "AWS::Lambda::Permission": "policies",
    "AWS::RedshiftServerless::Workgroup": "stores nothing: its namespace does",
    "AWS::S3::BucketPolicy": "policies",
    "AWS::SNS::TopicPolicy": "policies",
    "AWS::SQS::QueuePolicy": "policies",
    "AWS::SSM::Parameter": "names and ARNs, which CloudFormation must be able to read",
    "AWS::Scheduler::Schedule": "the constant input of the clock",
    "AWS::StepFunctions::StateMachine": "pointers: flows, intervals and keys of objects, under AWS's own key",
}
PUBLIC = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
VARIABLES = {
    "ATOLL_ACCOUNT", "ATOLL_DATA_BUCKET", "ATOLL_ENDPOINTS", "ATOLL_LANDING", "ATOLL_MAX_RUNNING", "ATOLL_METADATA_TABLE",
    "ATOLL_PARTITION", "ATOLL_PART_MB", "ATOLL_REDSHIFT_ROLE", "ATOLL_SLICE_ID", "ATOLL_SPARK_APPLICATIONS", "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME",
}  # fmt: skip
Resource = tuple[str, str, dict[str, Any]]  # 'stack name', type, properties


@pytest.fixture(scope="module")
def resources(templates: Any, vpc_templates: Any) -> list[Resource]:
    """Of all stacks, also of those in a VPC."""
    return [
        (f"{stack} {name}", resource["Type"], resource.get("Properties", {}))
        for found in (templates, vpc_templates)
        for stack, template in found.items()
        for name, resource in template["Resources"].items()
        if not resource["Type"].startswith("AWS::CDK::")
    ]


def of(resources: list[Resource], *kinds: str) -> Iterator[Resource]:
    return (resource for resource in resources if resource[1] in kinds)


def test_each_type_of_resource_has_a_key_or_a_reason_to_have_none(resources: list[Resource]) -> None:
    kinds = {kind for _, kind, _ in resources}
    assert kinds == {*KEYS, *WITHOUT}, f"to be judged: {kinds - {*KEYS, *WITHOUT}}; not there any more: {({*KEYS, *WITHOUT}) - kinds}"


def test_everything_that_stores_data_is_encrypted_with_atolls_key(resources: list[Resource]) -> None:
    seen = 0
    for where, kind, properties in of(resources, *KEYS):
        if any(name in where for name in OTHER_KEYS):
            continue
        value: Any = properties
        for step in KEYS[kind]:
            value = value[step] if isinstance(step, int) else value.get(step, {})
        text = json.dumps(value)
        assert KEY in text or text == '{"Fn::GetAtt": ["Key961B73FD", "Arn"]}', where
        seen += 1
    assert seen > 40


def test_the_key_is_made_anew_each_year(resources: list[Resource]) -> None:
    assert all(properties["EnableKeyRotation"] for _, _, properties in of(resources, "AWS::KMS::Key"))


@pytest.mark.parametrize(
    ("kind", "policies", "reference"),
    [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", lambda policy: [policy["Bucket"]["Ref"]]),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", lambda policy: [topic["Ref"] for topic in policy["Topics"]]),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", lambda policy: [queue["Ref"] for queue in policy["Queues"]]),
    ],
)
def test_buckets_topics_and_queues_refuse_what_comes_without_tls(
    resources: list[Resource], kind: str, policies: str, reference: Any
) -> None:
    guarded = {
        name
        for _, _, properties in of(resources, policies)
        for statement in properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for name in reference(properties)
    }
    assert {where.split()[1] for where, _, _ in of(resources, kind)} == guarded


def test_nothing_is_public(resources: list[Resource]) -> None:
    for where, kind, properties in resources:
        if kind == "AWS::S3::Bucket":
            assert all(properties["PublicAccessBlockConfiguration"][name] for name in PUBLIC), where
        if kind in ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"):
            for statement in properties["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Deny" or "*" not in json.dumps(statement["Principal"]), where
        if kind == "AWS::EC2::Subnet":
            assert not properties.get("MapPublicIpOnLaunch"), where
        assert "0.0.0.0/0" not in json.dumps(properties.get("SecurityGroupIngress", "")), where
        if kind == "AWS::Lambda::Permission":  # a rule of the account's own may call, and an endpoint's API; nobody else
            calls = "apigateway.amazonaws.com" if where.endswith(" Call") else "events.amazonaws.com"
            assert (properties["Principal"], "SourceArn" in properties) == (calls, True), where
        if kind == "AWS::ApiGatewayV2::Route":  # of the one endpoint, which verifies the sender of each request by itself
            assert where.startswith("CollectHttpSlice ") and properties["RouteKey"].startswith("POST /"), where
        assert kind not in ("AWS::Lambda::Url", "AWS::EC2::InternetGateway"), where


def test_the_environment_of_functions_holds_names_and_sizes_only(resources: list[Resource]) -> None:
    for where, _, properties in of(resources, "AWS::Lambda::Function"):
        assert set(properties["Environment"]["Variables"]) <= VARIABLES, where


def test_no_template_reads_a_secret(resources: list[Resource]) -> None:
    """CloudFormation would write it where others read it."""
    assert not [where for where, _, properties in resources if "{{resolve:" in json.dumps(properties)]
