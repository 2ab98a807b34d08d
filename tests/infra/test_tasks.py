"""What a program that asks for tasks has deployed: their roles, networks and images, and what it is without them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from language import compile_program
from shared_metadata.program import Program
from slices.registry import installed
from tests.infra.conftest import EVERY_OTHER, Templates, synthesise
from tests.infra.test_grants import _grants, of_resources, pairs, statements

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.budget(120), pytest.mark.timeout(900)]
PROGRAM, REVIEWED = Path(__file__).with_name("tasks.sql"), Path(__file__).with_name("grants_of_tasks.txt")
DIGEST = f"@sha256:{'0' * 64}"
PUBLIC = f"public.ecr.aws/lambda/python{DIGEST}"
PRIVATE = f"111122223333.dkr.ecr.eu-central-1.amazonaws.com/ecr-public/lambda/python{DIGEST}"
STEPS = {"OrganizeIcebergSlice": ("Load", "Refresh", "Check", "Commit"), "CollectPostgresSlice": ("Extract",)}
Made = Callable[[Settings], Templates]


@pytest.fixture(scope="module")
def asking() -> Program:
    return compile_program({"program.sql": PROGRAM.read_text()}, installed())


@pytest.fixture(scope="module")
def made(app_module: Any, asking: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return lambda settings: synthesise(app_module, asking, settings, tmp_path_factory.mktemp("tasks")).templates


@pytest.fixture(scope="module")
def alone(made: Made) -> Templates:
    """An installation without a VPC."""
    return made(Settings(task_image=PUBLIC))


@pytest.fixture(scope="module")
def placed(made: Made) -> Templates:
    """One in its owner's subnets, with an image in the account's own repository."""
    return made(replace(EVERY_OTHER, task_image=PRIVATE, ceilings=Settings().ceilings, sizes=Settings().sizes))


def resources(templates: Templates, kind: str) -> dict[str, dict[str, Any]]:
    return {
        f"{stack} {name}": resource["Properties"]
        for stack, template in templates.items()
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def machines(templates: Templates) -> dict[str, str]:
    return {
        name: json.dumps(found["DefinitionString"])
        for name, found in resources(templates, "AWS::StepFunctions::StateMachine").items()
    }


def test_a_task_may_do_what_its_function_may_and_read_its_bundle(alone: Templates) -> None:
    """But for what Lambda does with the function's role itself: its log, its traces, its variables."""
    found: dict[str, set[tuple[str, str]]] = {}
    for who, action, resource in pairs(alone):
        found.setdefault(who, set()).add((action, resource))
    for stack, steps in STEPS.items():
        for step in steps:
            own = {
                one for one in found[f"{stack} {step}Role"] if not one[0].startswith(("logs:", "xray:")) and "lambda" not in one[1]
            }
            assert own and found[f"{stack} Tasks{step}Role"] == own, (stack, step)


def test_every_grant_of_tasks_was_reviewed(alone: Templates, placed: Templates) -> None:
    """After a review: REVIEWED=1 pytest tests/infra/test_tasks.py writes the list again."""

    def of(templates: Templates) -> list[str]:
        lines = [*_grants(templates), *of_resources(templates)]
        return sorted(
            line
            for line in lines
            if "Tasks" in line.split(" | ")[0] or ("MachineRole" in line and ("ecs" in line or "PassRole" in line))
        )

    found = [*of(alone), *(f"with a private image: {line}" for line in of(placed) if line not in of(alone))]
    if os.environ.get("REVIEWED"):
        REVIEWED.write_text("\n".join(found) + "\n")
    assert found == REVIEWED.read_text().splitlines()


def test_no_grant_of_tasks_has_a_wildcard_in_its_action_and_roles_serve_this_accounts_tasks_alone(alone: Templates) -> None:
    for who, statement in statements(alone):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action], who
    trusts = {
        name: found["AssumeRolePolicyDocument"] for name, found in resources(alone, "AWS::IAM::Role").items() if " Tasks" in name
    }
    for name, trusted in trusts.items():
        (statement,) = trusted["Statement"]
        if "VpcFlows" in name:
            continue
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}, name
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}, name


def test_without_a_vpc_tasks_have_one_of_their_own_that_lets_nothing_in_and_has_no_nat(alone: Templates) -> None:
    assert not resources(alone, "AWS::EC2::NatGateway") and len(resources(alone, "AWS::EC2::VPC")) == 2
    groups = resources(alone, "AWS::EC2::SecurityGroup")
    assert groups and not any(group.get("SecurityGroupIngress") for group in groups.values())
    assert not resources(alone, "AWS::EC2::SecurityGroupIngress")
    assert {name.split()[0] for name, text in machines(alone).items() if '\\"AssignPublicIp\\":\\"ENABLED\\"' in text} == {*STEPS}


def test_in_a_vpc_tasks_stand_in_its_subnets_in_the_functions_group_and_have_no_public_address(placed: Templates) -> None:
    assert not resources(placed, "AWS::EC2::VPC")
    of_tasks = {name.split()[0]: text for name, text in machines(placed).items() if "ecs:runTask" in text}
    assert {*of_tasks} == {*STEPS}
    for stack, text in of_tasks.items():
        assert "ENABLED" not in text.replace("DISABLED", ""), stack
        assert EVERY_OTHER.subnet_ids[0] in text and EVERY_OTHER.subnet_ids[1] in text
        (group,) = [name for name in resources(placed, "AWS::EC2::SecurityGroup") if name.startswith(stack)]
        assert group.split()[1] in text


def test_a_task_writes_below_its_tmp_alone_and_runs_the_image_that_was_named(alone: Templates) -> None:
    definitions = resources(alone, "AWS::ECS::TaskDefinition")
    assert len(definitions) == 5
    for name, found in definitions.items():
        (container,) = found["ContainerDefinitions"]
        assert container["Image"] == PUBLIC and container["ReadonlyRootFilesystem"] is True, name
        assert [mount["ContainerPath"] for mount in container["MountPoints"]] == ["/tmp"]
        assert "privileged" not in json.dumps(container).lower()
        handler = {one["Name"]: one["Value"] for one in container["Environment"]}["ATOLL_HANDLER"]
        assert handler.rpartition(".")[2].capitalize() in name


def test_logs_of_tasks_are_encrypted_and_forgotten(alone: Templates) -> None:
    groups = {
        found["LogGroupName"]: found
        for found in resources(alone, "AWS::Logs::LogGroup").values()
        if "/aws/ecs/" in str(found["LogGroupName"])
    }
    assert {*groups} == {"/aws/ecs/atoll-organize-iceberg", "/aws/ecs/atoll-collect-postgres"}
    assert all(group["RetentionInDays"] == 30 and group["KmsKeyId"] for group in groups.values())


def test_a_slice_of_the_program_that_asks_for_none_has_none(alone: Templates) -> None:
    assert {name.split()[0] for name in resources(alone, "AWS::ECS::Cluster")} == {*STEPS}
    assert "ecs" not in json.dumps(alone["HarnessPostgresSlice"])


def test_a_program_that_asks_for_none_has_none(templates: Templates) -> None:
    assert not [name for kind in ("Cluster", "TaskDefinition") for name in resources(templates, f"AWS::ECS::{kind}")]
    assert not [text for text in machines(templates).values() if "ecs:runTask" in text]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), "-c taskImage="),
        (Settings(own_vpc=True, task_image=PUBLIC), "repository of this account's ECR"),
    ],
)
def test_a_deploy_without_an_image_that_can_be_reached_is_refused(made: Made, settings: Settings, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(settings)


@pytest.mark.parametrize("image", ["public.ecr.aws/lambda/python:3.13", "python@sha256:00", "", DIGEST])
def test_an_image_is_named_by_its_digest(image: str) -> None:
    if not image:
        assert Settings.of_context({}.get, {}).task_image == ""
        return
    with pytest.raises(ValueError, match="by its digest"):
        Settings.of_context({"taskImage": image}.get, {})


@pytest.mark.parametrize(
    ("image", "repository"), [(PUBLIC, ""), (PRIVATE, "eu-central-1:111122223333:repository/ecr-public/lambda/python")]
)
def test_a_private_image_is_pulled_by_a_grant_on_its_repository(image: str, repository: str) -> None:
    assert Settings.of_context({"taskImage": image}.get, {}).task_repository == repository
