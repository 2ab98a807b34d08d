"""Another emulator than everything else's, moto's server, takes the stacks too: deployed, deleted, deployed again."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.cloudformation.parsing import get_model_map
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from tests.infra.conftest import ACCOUNT, EVERY_OTHER, REGION, Assembly, Templates, synthesise

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.deep, pytest.mark.budget(60)]
pytestmark.append(pytest.mark.filterwarnings("ignore:Tried to parse"))
ORDER = ("SharedMetadata", "Network", "Conductor")  # then the slices
# moto cannot read the tags of these; and it knows no DeletionPolicy but Retain, so that what holds data is not kept here.
UNREAD_TAGS = ("AWS::KMS::Key", "AWS::SSM::Parameter")
ASSETS = "assets"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where it answers."""
    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture(autouse=True)
def account(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one, but for the bucket of the CDK's assets and its mark."""
    access = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": server}
    for name, value in {**access, "MOTO_ACCOUNT_ID": ACCOUNT}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})  # type: ignore[typeddict-item]
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    boto3.client("s3").create_bucket(Bucket=ASSETS, CreateBucketConfiguration={"LocationConstraint": REGION})
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")


def deploy(assembly: Assembly) -> list[str]:
    """Creates the stacks in their order; their names."""
    templates, stacks, s3 = assembly.templates, assembly.stacks, boto3.client("s3")
    order = [*(name for name in ORDER if name in templates), *sorted(set(templates) - set(ORDER))]
    cloudformation = boto3.client("cloudformation")
    for name in order:
        s3.put_object(Bucket=ASSETS, Key=f"{name}.json", Body=_owners(json.dumps(_readable(templates[name]))).encode())
        where = f"https://s3.amazonaws.com/{ASSETS}/{name}.json"  # as the CDK's own
        cloudformation.create_stack(StackName=stacks[name]["stackName"], TemplateURL=where, Capabilities=["CAPABILITY_NAMED_IAM"])
        (made,) = cloudformation.describe_stacks(StackName=stacks[name]["stackName"])["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE", made.get("StackStatusReason")
    return [stacks[name]["stackName"] for name in order]


def _owners(template: str) -> str:
    """The template with a key, a VPC and subnets that are there in place of those that the settings name; nobody chooses an id."""
    ec2, there = boto3.client("ec2"), dict[str, str]()
    if EVERY_OTHER.key_arn in template:
        there[EVERY_OTHER.key_arn] = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    if EVERY_OTHER.vpc_id in template:
        (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
        there[EVERY_OTHER.vpc_id] = vpc["VpcId"]
        there |= {named: found["SubnetId"] for named, found in zip(EVERY_OTHER.subnet_ids, subnets, strict=False)}
    for named, found in there.items():
        template = template.replace(named, found)
    return template


def _readable(template: dict[str, Any]) -> dict[str, Any]:
    for resource in template["Resources"].values():
        if resource["Type"] in UNREAD_TAGS:
            resource["Properties"].pop("Tags", None)
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = _code(resource["Properties"]["Code"])
    unknown = {name for name, resource in template["Resources"].items() if resource["Type"] not in get_model_map()}
    found: dict[str, Any] = _without_attributes_of(unknown, template)
    return found


def _without_attributes_of(names: set[str], value: Any) -> Any:
    """A template with a text in place of each attribute of these resources, which this emulator makes nothing of."""
    if isinstance(value, list):
        return [_without_attributes_of(names, item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::GetAtt"} and value["Fn::GetAtt"][0] in names:
        return "-".join(value["Fn::GetAtt"])
    return {key: _without_attributes_of(names, item) for key, item in value.items()}


def _code(code: dict[str, Any]) -> dict[str, Any]:
    if "S3Bucket" not in code:
        return code
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("x.py", "")
    boto3.client("s3").put_object(Bucket=ASSETS, Key="x.zip", Body=archive.getvalue())
    return {"S3Bucket": ASSETS, "S3Key": "x.zip"}


@pytest.fixture(scope="module")
def trial(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(app_module, program, replace(Settings(), keep_data=False), tmp_path_factory.mktemp("trial"))


@pytest.mark.parametrize("which", ["assembly", "vpc_assembly", "other_assembly", "tasks_assembly"])
def test_all_stacks_are_made(which: str, request: pytest.FixtureRequest) -> None:
    made: Assembly = request.getfixturevalue(which)
    names = deploy(made)
    functions = {found["FunctionName"] for found in boto3.client("lambda").list_functions()["Functions"]}
    machines = {found["name"] for found in boto3.client("stepfunctions").list_state_machines()["stateMachines"]}
    assert len(names) == len(made.stacks)
    assert functions == set(_named(made.templates, "AWS::Lambda::Function", "FunctionName"))
    assert machines == set(_named(made.templates, "AWS::StepFunctions::StateMachine", "StateMachineName"))


def _named(templates: Templates, kind: str, name: str) -> Iterator[str]:
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                yield resource["Properties"][name]


def detach_policies() -> None:
    """Detaches managed policies, as CloudFormation does before it deletes their roles, and moto does not."""
    iam = boto3.client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            for policy in iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy["PolicyArn"])


def test_a_trial_is_deployed_destroyed_and_deployed_again(trial: Assembly) -> None:
    cloudformation = boto3.client("cloudformation")
    for _ in range(2):
        names = deploy(trial)
        detach_policies()
        for name in reversed(names):
            cloudformation.delete_stack(StackName=name)
        assert naming.METADATA_TABLE not in boto3.client("dynamodb").list_tables()["TableNames"]
