"""What others know of AWS's rules, asked of every stack with every option: cfn-lint, IAM's tables of actions, the States Language."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.bundling import PROJECT
from infra.settings import OPTIONS, Settings
from shared_metadata import naming
from shared_metadata.program import Program
from tests.infra.conftest import CONTEXT, EVERY_OTHER, OWN_VPC, PLAIN, TASKS, Assembly
from tests.infra.looked_at import looked_at
from tests.infra.test_account import resolved
from tests.infra.test_workflows import BUILDERS, machine

pytestmark = pytest.mark.xdist_group("synth")
REGIONS = ["us-east-1", "us-gov-west-1", "cn-north-1"]
# A dependency that is written down though a reference implies it; the VPC's id, which the CDK reads and not every stack needs.
HARMLESS = ["W3005", "W2001"]
NAMED = re.compile(r"\$\{[^}]*\}")
ROOT_CATALOG = "arn:${Partition}:glue:${Region}:${Account}:catalog"  # the tables of IAM name only those with a name
ANY = re.compile(r"\\?\$\\?\{[^}]*\\?\}")
DEEP = ("other_assembly", "tasks_assembly")
ASSEMBLIES = ("assembly", "vpc_assembly", *(pytest.param(name, marks=pytest.mark.deep) for name in DEEP))


@pytest.fixture(params=ASSEMBLIES)
def made(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


# -- cfn-lint


@pytest.mark.deep
@pytest.mark.budget(60)
def test_cfn_lint_finds_nothing(made: Assembly) -> None:
    from cfnlint.api import ManualArgs, lint

    for stack in made.stacks:
        text = (made.folder / f"{stack}.template.json").read_text()
        found = lint(text, config=ManualArgs(regions=REGIONS, ignore_checks=HARMLESS))
        assert not [f"{stack}: {match.rule.id} {match.message}" for match in found]


@pytest.mark.deep
def test_cfn_lint_would_find_a_description_that_ec2_refuses(made: Assembly) -> None:
    from cfnlint.api import ManualArgs, lint

    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "Atoll's", "VpcId": "vpc-0123456789abcdef0"}}
    found = lint(json.dumps({"Resources": {"Group": group}}), config=ManualArgs(regions=REGIONS))
    assert "E3031" in {match.rule.id for match in found}


# -- IAM


def statements(made: Assembly) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack, template in made.templates.items():
        for name, resource in template["Resources"].items():
            if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    yield f"{stack} {name}", resolved(statement)


def wrong_grants(actions: list[str], resources: list[str], conditions: list[str]) -> list[str]:
    """What IAM would never match in a statement: an unknown action, a resource or a condition that is none of them has."""
    from policy_sentry.querying.actions import get_action_data

    found, taken = [], set[str]()
    for action in actions:
        service, name = action.split(":")
        rows = [row for row in (get_action_data(service, name) or {}).get(service, []) if row["action"].lower() == action.lower()]
        formats = {row["resource_arn_format"] for row in rows} | ({ROOT_CATALOG} if service == "glue" else set())
        keys = {key.lower() for row in rows for key in row["condition_keys"]}
        mine = {one for one in resources if any(_fits(one, form) for form in formats)}
        taken |= mine
        found += [] if mine else [f"{action}: nothing of {resources} is one of {sorted(formats)}"]
        found += [f"{action}: no condition {key}" for key in conditions if key.lower() not in keys]
    return found + [f"{one} is for none of {actions}" for one in set(resources) - taken]


def _fits(resource: str, form: str) -> bool:
    """Whether an ARN, with wildcards, can be one of that form; an action that takes no resource has '*' alone."""
    if form == "*" or resource == "*":
        return resource == form
    if re.fullmatch(ANY.sub(".+", re.escape(form)), resource.replace("*", "x").replace("?", "x")):
        return True
    return resource.split(":")[2] == form.split(":")[2] and _meet(resource.split(":", 5)[5], NAMED.sub("*", form).split(":", 5)[5])


@cache
def _meet(one: str, other: str) -> bool:
    """Whether some text is meant by both, of which * stands for any."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "*":
        return _meet(one, other[1:]) or _meet(one[1:], other)
    return one[0] == other[0] and _meet(one[1:], other[1:])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_iam_knows_every_action_resource_and_condition(made: Assembly) -> None:
    found = []
    for who, statement in statements(made):
        keys = [key for tested in statement.get("Condition", {}).values() for key in tested]
        wrong = wrong_grants(as_list(statement["Action"]), as_list(statement["Resource"]), keys)
        found += [f"{who}: {one}" for one in wrong]
    assert not found


@pytest.mark.parametrize(
    ("action", "resource", "condition"),
    [
        ("dynamodb:ListStreams", "arn:aws:dynamodb:eu-central-1:111122223333:table/atoll-metadata/stream/x", ""),
        ("dynamodb:GetItems", "arn:aws:dynamodb:eu-central-1:111122223333:table/atoll-metadata", ""),
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:111122223333:tables/atoll-metadata", ""),
        ("glue:GetTable", "arn:aws:glue:eu-central-1:111122223333:database", ""),
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:111122223333:table/atoll-metadata", "dynamodb:LeadingKey"),
    ],
)
def test_a_grant_that_iam_would_never_match_is_found(action: str, resource: str, condition: str) -> None:
    assert wrong_grants([action], [resource], [condition] if condition else [])


# -- the States Language


def test_the_states_language_is_kept_to(tmp_path: Path) -> None:
    documents = []
    for declaration in looked_at().values():
        documents.append(tmp_path / f"{declaration.id}.asl.json")
        documents[-1].write_text(json.dumps(BUILDERS[declaration.stage](machine(declaration))))
    done = validated(*documents)
    assert done.returncode == 0 and len(documents) > 3, done.stdout
    wrong = json.loads(documents[0].read_text())
    wrong["States"]["Plan"]["Next"] = "Nowhere"
    documents[0].write_text(json.dumps(wrong))
    assert validated(documents[0]).returncode


@pytest.mark.deep
@pytest.mark.budget(60)
def test_every_state_machine_of_the_stacks_keeps_to_the_states_language(made: Assembly, tmp_path: Path) -> None:
    """As it is deployed: with tasks of Fargate, with several batches in one execution, and the one that verifies."""
    documents = []
    for stack, name, definition in definitions(made):
        documents.append(tmp_path / f"{stack}-{name}.asl.json")
        documents[-1].write_text(definition)
    done = validated(*documents)
    assert done.returncode == 0 and any("Verification" in document.name for document in documents), done.stdout


def definitions(made: Assembly) -> Iterator[tuple[str, str, str]]:
    """The stack, the name and the definition of each state machine."""
    for stack, template in made.templates.items():
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::StepFunctions::StateMachine":
                yield stack, name, str(resolved(resource["Properties"]["DefinitionString"]))


@pytest.mark.deep
@pytest.mark.budget(60)
def test_tasks_are_among_the_state_machines_that_are_looked_at(tasks_assembly: Assembly) -> None:
    assert any("ecs:runTask" in text for _, _, text in definitions(tasks_assembly))


# -- cdk-nag, and that nothing is left out


@pytest.mark.deep
@pytest.mark.budget(60)
def test_a_synthesis_with_a_finding_of_cdk_nag_fails(
    app_module: ModuleType, tasks_program: Program, environment: None, tmp_path: Path
) -> None:
    """A queue without encryption in transit, in the stack of the conductor."""
    from aws_cdk import Stack, aws_sqs

    made = app_module.make_app(tasks_program, Settings(task_image=TASKS.task_image), outdir=str(tmp_path), context=CONTEXT)
    conductor = next(stack for stack in made.node.children if isinstance(stack, Stack) and stack.node.id == naming.CONDUCTOR_STACK)
    aws_sqs.Queue(conductor, "Unencrypted")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        made.synth()
    assert "AwsSolutions-SQS4" in (tmp_path / "validation-report.json").read_text()


def test_every_option_differs_from_its_default_in_one_of_the_assemblies() -> None:
    """An option that is in none of them is looked at by none of these rules."""
    made, known = (OWN_VPC, EVERY_OTHER, TASKS), {option.lower(): option for option in OPTIONS} | {"ownvpc": "vpc"}
    fields = {name.replace("_", "") for one in made for name, value in vars(one).items() if value != vars(PLAIN)[name]}
    ceilings, sizes = EVERY_OTHER.ceilings, EVERY_OTHER.sizes
    shared = {"concurrency": ceilings.installation, "concurrencyOf": ceilings.slices}
    shared |= {"memoryOf": sizes.memory, "tmpOf": sizes.tmp, "partOf": sizes.parts}
    found = {known[name] for name in fields & known.keys()} | {name for name, value in shared.items() if value}
    assert found == set(OPTIONS) - {"program"}


def validated(*documents: Path) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / "node_modules" / ".bin" / "asl-validator")]
    command += [word for document in documents for word in ("--json-path", str(document))]
    return subprocess.run(command, capture_output=True, text=True, check=False)
