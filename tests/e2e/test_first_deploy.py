"""A first deploy that fails, as late as can be, leaves nothing of the stack that holds data: the next one finds no name taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import EmbeddedAws, bootstrap, cdk
from infra.settings import Settings
from shared_metadata import naming

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "verify_aws" / "program.sql"
STACK = Settings().stack_name(naming.METADATA_STACK)
pytestmark = [pytest.mark.xdist_group("first_deploy"), pytest.mark.deep, pytest.mark.timeout(900), pytest.mark.budget(120)]
# The emulator makes none of this kind, nor does CloudFormation.
NEVER_MADE = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/never", "Type": "SecureString", "Value": "made"}}


def there(aws: EmbeddedAws) -> set[str]:
    """What the stack would make: buckets, tables, topics, parameters, and keys that are not on their way out."""
    session = aws.session()
    kms, found = session.client("kms"), set[str]()
    found |= {bucket["Name"] for bucket in session.client("s3").list_buckets()["Buckets"]}
    found |= set(session.client("dynamodb").list_tables()["TableNames"])
    found |= {topic["TopicArn"] for topic in session.client("sns").list_topics()["Topics"]}
    found |= {parameter["Name"] for parameter in session.client("ssm").describe_parameters()["Parameters"]}
    found |= {alias["AliasName"] for alias in kms.list_aliases()["Aliases"]}
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    return found | {key["KeyId"] for key in keys if key["KeyState"] == "Enabled"}


def behind(resources: dict[str, Any], name: str) -> set[str]:
    """The resource, and all that are made after it because of it."""
    found, before = {name}, set[str]()
    while found != before:
        before = set(found)
        found |= {other for other, resource in resources.items() if found & set(needed(resource))}
    return found


def needed(value: Any) -> Iterator[str]:
    """The names of resources that must be there before."""
    if isinstance(value, list):
        for item in value:
            yield from needed(item)
    elif isinstance(value, dict):
        depends = value.get("DependsOn", [])
        yield from [depends] if isinstance(depends, str) else depends
        yield from [value["Ref"]] if "Ref" in value else []
        yield from value["Fn::GetAtt"][:1] if "Fn::GetAtt" in value else []
        yield from (name for item in value.values() for name in needed(item))


def test_what_was_made_before_it_failed_is_taken_away(own_aws: EmbeddedAws) -> None:
    bootstrap(own_aws)
    output = own_aws.folders.home / "cdk.out"
    cdk(own_aws, ["synth", naming.METADATA_STACK, "--quiet", "--output", str(output), "-c", f"program={PROGRAM}"])
    template = json.loads((output / f"{naming.METADATA_STACK}.template.json").read_text())
    resources = template["Resources"]
    (table,) = (name for name, resource in resources.items() if resource["Type"] == "AWS::DynamoDB::Table")
    last = behind(resources, table)
    assert {resources[name]["Type"] for name in last} == {"AWS::DynamoDB::Table", "AWS::SSM::Parameter"} and len(last) == 2
    before, formation = there(own_aws), own_aws.session().client("cloudformation")

    failing = {**resources, "Never": {**NEVER_MADE, "DependsOn": sorted(set(resources) - last)}}
    failing[table] = {**resources[table], "DependsOn": [*resources[table]["DependsOn"], "Never"]}
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps({**template, "Resources": failing}))
    with pytest.raises(Exception, match="ROLLBACK_COMPLETE"):
        formation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    tried = {event["LogicalResourceId"] for event in formation.describe_stack_events(StackName=STACK)["StackEvents"]}
    assert tried >= set(resources) - last and there(own_aws) == before

    formation.delete_stack(StackName=STACK)
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    formation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    assert naming.METADATA_TABLE in there(own_aws)
