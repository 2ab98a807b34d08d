"""What others know of AWS's rules, asked of every stack with every option: cfn-lint, IAM's tables of actions, the States Language."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.bundling import PROJECT
from tests.infra.conftest import Assembly
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
ASSEMBLIES = ("assembly", "vpc_assembly", pytest.param("other_assembly", marks=pytest.mark.deep))


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


def validated(*documents: Path) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / "node_modules" / ".bin" / "asl-validator")]
    command += [word for document in documents for word in ("--json-path", str(document))]
    return subprocess.run(command, capture_output=True, text=True, check=False)
