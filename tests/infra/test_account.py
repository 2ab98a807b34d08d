"""What an account, a new one at that, takes of the stacks: names, characters, quotas, a failed first deploy, one after a destroy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from language import compile_program
from shared_metadata import naming
from slices.registry import installed
from tests.infra.conftest import ACCOUNT, EVERY_OTHER, PLAIN, REGION, synthesise

pytestmark = pytest.mark.xdist_group("synth")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
ROLE = re.compile(r"\w+Role[0-9A-F]{8}")  # as the CDK names it in a template
GROUP_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
KEPT = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
NAMED = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName"}
# What a resource, a stack or a function may have at most. A new account has less memory and concurrency than others; neither is here
# raised: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html,
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
QUOTAS = {
    "memory of a function, MB": 3008,
    "time of a function, s": 900,
    "/tmp of a function, MB": 10_240,
    "environment of a function, bytes": 4096,
    "reserved concurrency of a new account": 0,
    "template, bytes": 1_000_000,
    "resources of a template": 500,
    "parameters of a template": 200,
    "inline policies of a role, characters": 10_240,
    "managed policy, characters": 6144,
    "state machine, bytes": 1_048_576,
    "SSM parameter, bytes": 4096,
    "description of a stack, bytes": 1024,
    "name of a stack, characters": 128,
    "name of a function, characters": 64,
    "name of a state machine, characters": 80,
}


def resources(templates: Any, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """'stack id' and properties."""
    for stack, template in templates.items():
        for name, resource in template["Resources"].items():
            if resource["Type"] == kind:
                yield f"{stack} {name}", resource.get("Properties", {})


def resolved(value: Any) -> Any:
    """With what CloudFormation puts in the place of references: an ARN is as long as any."""
    if isinstance(value, list):
        return [resolved(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return separator.join(map(str, resolved(parts)))
    if set(value) == {"Ref"}:
        known = {"AWS::Partition": "aws-us-gov", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com"}
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{naming.METADATA_TABLE}/stream/2026-11-01T00:00:00.000"
        key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{'x' * 36}"
        if value["Ref"].startswith("Tasks"):
            return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{value['Ref']}:1"
        return known.get(value["Ref"], table if "stream" in value["Ref"] else key)
    if set(value) == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        if attribute == "ApplicationId":
            return "00f1a2b3c4d5e6f7"
        if name.startswith("Job") or ROLE.fullmatch(name):  # a role, of jobs too
            return f"arn:aws:iam::{ACCOUNT}:role/{name}"
        kinds = {"DeadLetters": ("sqs", name), "FlowLogs": ("logs", f"log-group:{name}:*")}
        service, rest = next((found for start, found in kinds.items() if name.startswith(start)), ("lambda", f"function:{name}"))
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
    return {key: resolved(one) for key, one in value.items()}


def compact(value: Any) -> str:
    return json.dumps(resolved(value), separators=(",", ":"))


def used(assembly: Any) -> dict[str, int]:
    """Quota ▸ the most that anything takes of it."""
    most: Counter[str] = Counter()

    def take(quota: str, amount: int) -> None:
        most[quota] = max(most[quota], amount)

    templates, stacks = assembly.templates, assembly.stacks
    for stack, template in templates.items():
        take("template, bytes", (assembly.folder / f"{stack}.template.json").stat().st_size)
        take("resources of a template", len(template["Resources"]))
        take("parameters of a template", len(template.get("Parameters", {})))
        take("description of a stack, bytes", len(template["Description"].encode()))
        take("name of a stack, characters", len(stacks[stack]["stackName"]))
    for _, function in resources(templates, "AWS::Lambda::Function"):
        take("memory of a function, MB", function["MemorySize"])
        take("time of a function, s", function["Timeout"])
        take("/tmp of a function, MB", function["EphemeralStorage"]["Size"])
        take("environment of a function, bytes", len(compact(function["Environment"]["Variables"])))
        take("reserved concurrency of a new account", function.get("ReservedConcurrentExecutions", 0))
        take("name of a function, characters", len(function["FunctionName"]))
    inline: Counter[str] = Counter()
    for stack, template in templates.items():  # roles of two stacks may have one name in their templates
        for _, policy in resources({stack: template}, "AWS::IAM::Policy"):
            (role,) = policy["Roles"]
            inline[f"{stack} {role['Ref']}"] += len(compact(policy["PolicyDocument"]))
    for size in inline.values():
        take("inline policies of a role, characters", size)
    for _, policy in resources(templates, "AWS::IAM::ManagedPolicy"):
        take("managed policy, characters", len(compact(policy["PolicyDocument"])))
    for _, machine in resources(templates, "AWS::StepFunctions::StateMachine"):
        take("state machine, bytes", len(compact(machine["DefinitionString"])))
        take("name of a state machine, characters", len(machine["StateMachineName"]))
    for _, parameter in resources(templates, "AWS::SSM::Parameter"):
        take("SSM parameter, bytes", len(compact(parameter["Value"])))
    return dict(most)


def test_no_quota_of_a_new_account_is_passed(assembly, vpc_assembly):
    for made in (assembly, vpc_assembly):
        over = {quota: most for quota, most in used(made).items() if most > QUOTAS[quota]}
        assert not over
    assert set(used(assembly)) == set(QUOTAS)


@pytest.mark.deep
def test_no_quota_is_passed_with_every_other_option(other_assembly, tasks_assembly):
    reserved = "reserved concurrency of a new account"
    for made in (other_assembly, tasks_assembly):
        assert not {quota for quota, most in used(made).items() if most > QUOTAS[quota] and quota != reserved}


def test_ec2_takes_what_is_said_of_security_groups(vpc_templates):
    texts = [p["GroupDescription"] for _, p in resources(vpc_templates, "AWS::EC2::SecurityGroup")]
    rules = [
        r
        for _, p in resources(vpc_templates, "AWS::EC2::SecurityGroup")
        for r in (*p.get("SecurityGroupEgress", ()), *p.get("SecurityGroupIngress", ()))
    ]
    rules += [p for _, p in resources(vpc_templates, "AWS::EC2::SecurityGroupIngress")]
    texts += [str(resolved(rule["Description"])) for rule in rules if "Description" in rule]
    assert len(texts) > 3 and not [text for text in texts if not GROUP_TEXT.fullmatch(text)]


@pytest.mark.deep
def test_ec2_takes_what_is_said_of_security_groups_in_a_vpc_of_the_owners(other_templates):
    texts = [p["GroupDescription"] for _, p in resources(other_templates, "AWS::EC2::SecurityGroup")]
    assert texts and not [text for text in texts if not GROUP_TEXT.fullmatch(text)]


def test_no_stack_can_be_taken_for_another_of_the_account(assembly):
    """CloudFormation knows a stack by its name alone; a user types what comes after the prefix."""
    assert {name: stack["stackName"] for name, stack in assembly.stacks.items()} == {
        name: f"Atoll-{name}" for name in assembly.stacks
    }


@pytest.mark.deep
def test_two_installations_differ_by_their_prefix(other_assembly):
    assert all(stack["stackName"] == f"Analytics-{name}" for name, stack in other_assembly.stacks.items())


def test_what_holds_data_can_be_taken_over_by_a_stack_that_is_made_anew(templates):
    """`cdk deploy --import-existing-resources` finds resources by names of their own, if they have a DeletionPolicy."""
    for kind, name in NAMED.items():
        for _, properties in resources(templates, kind):
            assert isinstance(properties.get(name), str)
    buckets = {properties["BucketName"] for _, properties in resources(templates, "AWS::S3::Bucket")}
    assert buckets == {naming.data_bucket(ACCOUNT, REGION), naming.access_log_bucket(ACCOUNT, REGION)}


def test_a_first_deploy_that_fails_leaves_nothing_behind(templates):
    """What is kept is not kept then; and the table, which is protected from deletion, is made when nothing else can fail any more."""
    metadata = templates["SharedMetadata"]["Resources"]
    assert {r["DeletionPolicy"] for r in metadata.values() if r["Type"] in KEPT} == {"RetainExceptOnCreate"}
    (table,) = (r for r in metadata.values() if r["Type"] == "AWS::DynamoDB::Table")
    after = [r for name, r in metadata.items() if r is not table and name not in table["DependsOn"]]
    assert [r["Type"] for r in after] == ["AWS::SSM::Parameter"] and "StreamArn" in str(after), "and what tells its stream"


def test_the_stack_that_holds_data_is_protected_and_the_others_can_be_destroyed(assembly):
    protected = {name for name, stack in assembly.stacks.items() if stack.get("terminationProtection")}
    assert protected == {"SharedMetadata"}


@pytest.mark.deep
def test_a_trial_leaves_nothing_and_uses_a_key_that_is_there(other_assembly):
    metadata = other_assembly.templates["SharedMetadata"]["Resources"]
    assert {r["Type"]: r.get("DeletionPolicy") for r in metadata.values() if r["Type"] in KEPT} == {
        "AWS::DynamoDB::Table": "Delete",
        "AWS::S3::Bucket": "Delete",
    }
    (table,) = (r["Properties"] for r in metadata.values() if r["Type"] == "AWS::DynamoDB::Table")
    assert not table.get("DeletionProtectionEnabled") and table["SSESpecification"]["KMSMasterKeyId"] == EVERY_OTHER.key_arn
    (alias,) = (r["Properties"] for r in metadata.values() if r["Type"] == "AWS::KMS::Alias")
    assert alias["AliasName"] == naming.KEY_ALIAS
    assert not other_assembly.stacks["SharedMetadata"].get("terminationProtection")


@pytest.mark.deep
def test_a_boundary_bounds_every_role_and_tags_are_on_every_stack(other_assembly):
    roles = dict(resources(other_assembly.templates, "AWS::IAM::Role"))
    assert len(roles) > 20
    for name, role in roles.items():
        assert resolved(role["PermissionsBoundary"]).endswith(f":iam::{ACCOUNT}:policy/developers"), name
        assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {"atoll": "true", **EVERY_OTHER.tags}, name


@pytest.mark.deep
def test_an_installation_never_uses_more_than_its_concurrency(other_templates):
    reserved = {f["FunctionName"]: f["ReservedConcurrentExecutions"] for _, f in resources(other_templates, "AWS::Lambda::Function")}
    assert sum(reserved.values()) == EVERY_OTHER.ceilings.installation and reserved[naming.CONDUCTOR_FUNCTION] == 3
    assert sum(n for name, n in reserved.items() if name.startswith("atoll-organize-iceberg-")) == 40
    assert all(reserved.values())


@pytest.mark.deep
def test_functions_have_the_sizes_that_the_installation_says_and_plan_is_told(other_templates):
    made = {f["FunctionName"].removeprefix("atoll-"): f for _, f in resources(other_templates, "AWS::Lambda::Function")}
    iceberg = {name.rpartition("-")[2]: f["MemorySize"] for name, f in made.items() if name.startswith("organize-iceberg-")}
    assert iceberg == {"plan": 256, "load": 2560, "refresh": 3000, "check": 2560, "commit": 2560, "landed": 512, "maintain": 2560}
    assert made["organize-iceberg-load"]["EphemeralStorage"]["Size"] == 8192
    parts = {name: f["Environment"]["Variables"].get("ATOLL_PART_MB") for name, f in made.items()}
    assert (parts["collect-postgres-plan"], parts["collect-salesforce-extract"]) == ("1024", "128")
    assert parts["organize-iceberg-load"] is None
    (told,) = (
        json.loads(resolved(p["Value"]))
        for name, p in resources(other_templates, "AWS::SSM::Parameter")
        if name.startswith("OrganizeIcebergSlice Installed")
    )
    assert told["given"]["load"] == {"memory_mb": 2560, "tmp_mb": 8192, "seconds": 900}


def test_what_the_clock_calls_is_not_called_again_when_it_fails_nor_long_after(templates):
    """EventBridge hands its calls to Lambda's queue, which has retries of its own."""
    ages = {}
    for name, config in resources(templates, "AWS::Lambda::EventInvokeConfig"):
        assert config["MaximumRetryAttempts"] == 0
        if name.startswith("OrganizePythonSlice Function"):  # a program's, called by a step that gives it up
            assert config["MaximumEventAgeInSeconds"] == 300
            continue
        ages[name.split()[0]] = config["MaximumEventAgeInSeconds"]
    maintaining = [declared.stack_name for declared in installed().values() if declared.capabilities.maintains]
    assert ages == {"Conductor": 60, **dict.fromkeys(maintaining, 3600)}
    assert len(ages) == len(list(resources(templates, "AWS::Scheduler::Schedule")))


def test_the_stream_is_read_with_all_that_lambda_asks_for(templates):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html; the last takes no resource."""
    granted = {
        (action, resolved(statement["Resource"]) == "*")
        for kind in ("Policy", "ManagedPolicy")
        for _, policy in resources(templates, f"AWS::IAM::{kind}")
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    on_the_stream = ("DescribeStream", "GetRecords", "GetShardIterator")
    assert {*((f"dynamodb:{name}", False) for name in on_the_stream), ("dynamodb:ListStreams", True)} <= granted


def test_keys_are_used_by_way_of_services_as_every_partition_names_them(templates):
    """https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html: amazonaws.com in all partitions, also in China."""
    via = [
        s["Condition"]["StringEquals"]["kms:ViaService"]
        for kind in ("Policy", "ManagedPolicy")
        for _, policy in resources(templates, f"AWS::IAM::{kind}")
        for s in policy["PolicyDocument"]["Statement"]
        if "kms:ViaService" in json.dumps(s.get("Condition", {}))
    ]
    assert via and "URLSuffix" not in json.dumps(via)
    assert all(str(one).endswith(".amazonaws.com") for found in via for one in (found if isinstance(found, list) else [found]))


@pytest.mark.deep
def test_schemas_that_are_applied_later_need_no_other_grants_and_pass_no_quota(app_module, environment, tmp_path):
    def policies(schemas: int) -> list[Any]:
        text = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
        every = "INSERT INTO lake.business_domain_{}.orders EVERY '1 hour' AS SELECT id FROM ops.public.orders;\n"
        program = compile_program({"program.sql": text + "".join(map(every.format, range(schemas)))}, installed())
        made = synthesise(app_module, program, PLAIN, tmp_path / str(schemas))
        assert not {quota: most for quota, most in used(made).items() if most > QUOTAS[quota]}
        return [policy["PolicyDocument"] for _, policy in resources(made.templates, "AWS::IAM::Policy")]

    assert policies(1) == policies(300)


@pytest.mark.deep
def test_a_slice_reads_the_secrets_of_hundreds_of_connections(app_module, environment, tmp_path):
    """Each of its own; and what is too much for a role's own policy is in others that it has."""
    names = [f"a_source_system_with_a_long_name_{number:03}" for number in range(200)]
    text = "CREATE WAREHOUSE lake USING iceberg;\n" + "".join(
        f"CREATE CONNECTION {name} TO postgres WITH (secret = '{name}');\n"
        f"INSERT INTO lake.{name}.orders EVERY '1 hour' AS SELECT id FROM {name}.public.orders;\n"
        for name in names
    )
    made = synthesise(app_module, compile_program({"program.sql": text}, installed()), PLAIN, tmp_path)
    assert not {quota: most for quota, most in used(made).items() if most > QUOTAS[quota]}
    found = [p for kind in ("Policy", "ManagedPolicy") for _, p in resources(made.templates, f"AWS::IAM::{kind}")]
    extract = [p for p in found if any("ExtractRole" in json.dumps(role) for role in p.get("Roles", ()))]
    granted = compact([p["PolicyDocument"] for p in extract])
    assert extract and not [name for name in names if f"secret:atoll/{name}-??????" not in granted]
    assert len(extract) - 1 <= 10  # managed policies that a role may have


def test_the_page_tells_between_which_sizes_functions_are(templates):
    page = (Path(__file__).resolve().parents[2] / "docs" / "deploying.md").read_text()
    functions = [properties for _, properties in resources(templates, "AWS::Lambda::Function")]
    sizes = {
        "memoryOf": [properties["MemorySize"] for properties in functions],
        "tmpOf": [properties.get("EphemeralStorage", {"Size": 512})["Size"] for properties in functions],
    }
    for option, found in sizes.items():
        assert f"| `{option}` | {min(found)} to {max(found):,} |" in page
