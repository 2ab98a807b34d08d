"""Steps that are tasks of Fargate, as a user has them: a program is compiled, its stacks deployed, and its batches run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.run import wait_for
from console.target import Target
from doubles.ecs.door import Door
from infra.embedded import EmbeddedAws
from tests.e2e.one_program import FLIGHTS, deployed, shop
from tests.e2e.same_rows import scanned

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(1500), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("tasks.sql")
COLLECT, LOAD, VIEW = "lake.ops.flights", "lake.ops.flights:load", "lake.ops.carriers"
TABLES = {COLLECT: "lake.ops.flights:staged", LOAD: "lake.ops.flights", VIEW: VIEW}
TASK = "Fargate task"


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws) -> Iterator[Target]:
    """The account, with these stacks and this program, and a database with flights, of which the first batch is loaded."""
    shop(own_aws)
    with deployed(own_aws, PROGRAM, "CollectPostgresSlice", "OrganizeIcebergSlice") as found, pytest.MonkeyPatch.context() as patch:
        for name, value in own_aws.environment().items():  # for what reads files of tables
            patch.setenv(name, value)
        yield found


@pytest.fixture
def door(target: Target, own_aws: EmbeddedAws) -> Iterator[Door]:
    opened = Door(target.session, own_aws.endpoint, str(own_aws.ca_bundle))
    yield opened
    opened.clear()


def start(target: Target, flow: str, **more: Any) -> str:
    slice_id = "collect.postgres" if flow == COLLECT else "organize.iceberg"
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn(slice_id)
    return str(states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow, **more}))["executionArn"])


def ended(target: Target, arn: str) -> dict[str, Any]:
    return dict(wait_for(target, arn))


def run(target: Target, flow: str, **more: Any) -> dict[str, Any]:
    return ended(target, start(target, flow, **more))


def again(target: Target, flow: str) -> dict[str, Any]:
    """The flow's last batch once more."""
    return run(target, flow, **last(target, flow))


def last(target: Target, flow: str) -> dict[str, str]:
    found = target.reader.latest_version(TABLES[flow])
    assert found
    moments = {"from": found.interval.start, "to": found.interval.end}
    return {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in moments.items()}


def error_of(target: Target, flow: str) -> str:
    return target.reader.batches(flow, TABLES[flow])[0].outcomes[TABLES[flow]].error


def rows(target: Target, table: str) -> list[dict[str, Any]]:
    found = scanned(target.session.client("glue"), "ops", table).to_pylist()
    return sorted(found, key=lambda row: str([*row.values()]))


def stopped(target: Target, family: str) -> list[dict[str, Any]]:
    """The tasks of a step that have ended, the last one first."""
    ecs = target.session.client("ecs")
    cluster = "atoll-collect-postgres" if "collect" in family else "atoll-organize-iceberg"
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    of = [task for task in found if f"/{family}:" in task["taskDefinitionArn"]]
    return sorted(of, key=lambda task: task["createdAt"], reverse=True)


def test_rows_of_a_database_are_collected_loaded_and_computed_by_tasks(target: Target) -> None:
    for flow in (COLLECT, LOAD, VIEW):
        done = run(target, flow)
        assert done["status"] == "SUCCEEDED", (flow, done, error_of(target, flow))
    assert [(row["id"], row["carrier"], row["delay"]) for row in rows(target, "flights")] == FLIGHTS
    assert [[*row.values()] for row in rows(target, "carriers")] == [["AA", 2, 4.0], ["UA", 1, None]]
    for flow in (COLLECT, LOAD, VIEW):
        (found,) = target.reader.statistics(flow, 1)
        assert (found["engine"], found["why"]) == (TASK, "the program says run = 'task'"), flow
        assert found["cost_dollars"] >= 60 * (8.99444 + 2 * 0.98889 + 80 * 0.03083) / 1e6, flow  # a minute at least, of each step
    for family in ("collect-postgres-extract", "organize-iceberg-load", "organize-iceberg-refresh", "organize-iceberg-check"):
        task = stopped(target, f"atoll-{family}")[0]
        assert (task["cpu"], task["memory"], task["containers"][0]["exitCode"]) == ("1024", "2048", 0), family


def test_what_a_task_says_stands_in_the_log_of_its_slice(target: Target) -> None:
    logs = target.session.client("logs")
    events = logs.filter_log_events(logGroupName="/aws/ecs/atoll-organize-iceberg")["events"]
    assert any("StepSeconds" in event["message"] for event in events)
    assert not any("'AA'" in event["message"] for event in events)  # no row is


def test_a_task_that_is_killed_for_its_memory_is_told_with_the_options_that_help(target: Target, door: Door) -> None:
    door.fault("killed")
    assert again(target, VIEW)["status"] == "FAILED"
    error = error_of(target, VIEW)
    assert "needs more than its 2 GB of memory Remedy: give it more by task_vcpus and task_gb" in error and "tasks.sql:7:" in error
    assert again(target, VIEW)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(("kind", "said"), [("image", "could not pull its image"), ("route", "a route to ECR")])
def test_a_task_that_does_not_begin_is_told_by_its_cause(target: Target, door: Door, kind: str, said: str) -> None:
    door.fault(kind)
    assert again(target, VIEW)["status"] == "FAILED"
    assert said in error_of(target, VIEW)


@pytest.mark.parametrize("kind", ["capacity", "lose_answer"])
def test_what_is_for_the_moment_is_waited_for_and_the_rows_are_made_once(target: Target, door: Door, kind: str) -> None:
    door.fault(kind)
    assert again(target, VIEW)["status"] == "SUCCEEDED"
    assert [[*row.values()] for row in rows(target, "carriers")] == [["AA", 2, 4.0], ["UA", 1, None]]


def test_a_task_ends_with_its_execution(target: Target, door: Door) -> None:
    door.fault("slow", seconds=120)
    arn = start(target, COLLECT, **last(target, COLLECT))
    task = running(target, "atoll-collect-postgres")
    target.session.client("stepfunctions").stop_execution(executionArn=arn)
    until = time.monotonic() + 60
    while (found := described(target, task))["lastStatus"] != "STOPPED":
        assert time.monotonic() < until, found
        time.sleep(0.1)
    assert found["stopCode"] == "UserInitiated" and "Step Functions" in found["stoppedReason"]


def test_a_task_has_its_functions_grants_and_a_grant_that_is_missing_is_told(target: Target) -> None:
    role = "TasksRefreshRole"
    with without(target, role, "glue:GetTable"):
        assert again(target, VIEW)["status"] == "FAILED"
        assert "AWS denies the function's role GetTable" in error_of(target, VIEW)
    assert again(target, VIEW)["status"] == "SUCCEEDED"


def test_a_machine_that_may_not_hand_the_tasks_role_on_runs_no_task(target: Target) -> None:
    before = len(stopped(target, "atoll-organize-iceberg-refresh"))
    with without(target, "MachineRole", "iam:PassRole"):
        assert again(target, VIEW)["status"] == "FAILED"
    assert "the state machine may not run the task" in error_of(target, VIEW)
    assert len(stopped(target, "atoll-organize-iceberg-refresh")) == before


def test_a_role_of_a_task_serves_tasks_alone(target: Target) -> None:
    iam = target.session.client("iam")
    for name in [one for one in roles(target, "Tasks") if "VpcFlows" not in one]:
        trusted = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        assert "ecs-tasks.amazonaws.com" in json.dumps(trusted) and "lambda" not in json.dumps(trusted), name


def running(target: Target, cluster: str) -> str:
    """The task that runs there now."""
    until, ecs = time.monotonic() + 60, target.session.client("ecs")
    while not (found := ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]):
        assert time.monotonic() < until, "no task runs"
        time.sleep(0.1)
    return str(found[0])


def described(target: Target, arn: str) -> dict[str, Any]:
    return dict(target.session.client("ecs").describe_tasks(cluster=arn.split("/")[1], tasks=[arn])["tasks"][0])


def roles(target: Target, part: str) -> list[str]:
    """The names of OrganizeIcebergSlice's roles whose logical ids hold this."""
    formation = target.session.client("cloudformation")
    found = formation.describe_stack_resources(StackName="Atoll-OrganizeIcebergSlice")["StackResources"]
    of = [one for one in found if one["ResourceType"] == "AWS::IAM::Role" and part in one["LogicalResourceId"]]
    return [one["PhysicalResourceId"] for one in of]


@contextmanager
def without(target: Target, role: str, action: str) -> Iterator[None]:
    """Takes an action out of a role's policies."""
    iam, (name,) = target.session.client("iam"), roles(target, role)
    before = {
        p: iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"]
        for p in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    assert any(action in json.dumps(document) for document in before.values()), before
    for policy, document in before.items():
        kept = []
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if left := [one for one in actions if one != action]:
                kept.append({**statement, "Action": left})
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps({**document, "Statement": kept}))
    try:
        yield
    finally:
        for policy, document in before.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
