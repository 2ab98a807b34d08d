"""Another emulator than the one that everything else is tried on, moto, takes the stacks too: deployed, deleted, deployed again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map
from moto.core.config import default_user_config

from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from tests.infra.conftest import ACCOUNT, REGION, Assembly, Templates, synthesise

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.deep, pytest.mark.budget(60)]
pytestmark.append(pytest.mark.filterwarnings("ignore:Tried to parse"))
ORDER = ("SharedMetadata", "Network", "Conductor")  # then the slices
# moto cannot read the tags of these; and it knows no DeletionPolicy but Retain, so that what holds data is not kept here.
UNREAD_TAGS = ("AWS::KMS::Key", "AWS::SSM::Parameter")


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})  # type: ignore[typeddict-item]
    with mock_aws():
        yield


def deploy(assembly: Assembly) -> list[str]:
    """Creates the stacks in their order; their names."""
    templates, stacks = assembly.templates, assembly.stacks
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String", Overwrite=True)
    order = [*(name for name in ORDER if name in templates), *sorted(set(templates) - set(ORDER))]
    cloudformation = boto3.client("cloudformation")
    for name in order:
        body = json.dumps(_readable(templates[name]))
        cloudformation.create_stack(StackName=stacks[name]["stackName"], TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        (made,) = cloudformation.describe_stacks(StackName=stacks[name]["stackName"])["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE", made.get("StackStatusReason")
    return [stacks[name]["stackName"] for name in order]


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
    s3, bucket = boto3.client("s3"), "assets"
    if bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("x.py", "")
    s3.put_object(Bucket=bucket, Key="x.zip", Body=archive.getvalue())
    return {"S3Bucket": bucket, "S3Key": "x.zip"}


@pytest.fixture(scope="module")
def trial(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(app_module, program, replace(Settings(), keep_data=False), tmp_path_factory.mktemp("trial"))


@pytest.mark.parametrize("which", ["assembly", "vpc_assembly", "tasks_assembly"])
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


def test_a_trial_is_deployed_destroyed_and_deployed_again(trial: Assembly) -> None:
    cloudformation = boto3.client("cloudformation")
    for _ in range(2):
        for name in reversed(deploy(trial)):
            cloudformation.delete_stack(StackName=name)
        assert naming.METADATA_TABLE not in boto3.client("dynamodb").list_tables()["TableNames"]
