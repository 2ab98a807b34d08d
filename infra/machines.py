"""A state machine with its role and its log: the same for those of slices and for that of the verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.acknowledge import acknowledge, acknowledge_resources
from infra.atoll_stack import AtollStack
from infra.places import Places
from infra.settings import LOG_DAYS

# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy: these take no resource
LOG_DELIVERY_ACTIONS = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]


def state_machine(
    stack: AtollStack, scope: Construct, name: str, definition: Mapping[str, Any], role: iam.Role
) -> stepfunctions.StateMachine:
    """Traced; its errors go to an encrypted log."""
    group = logs.LogGroup(
        scope,
        "ExecutionLogs",
        log_group_name=f"/aws/vendedlogs/states/{name}",
        retention=logs.RetentionDays(LOG_DAYS[stack.settings.log_days]),
        encryption_key=kms.Key.from_key_arn(scope, "Key", Places(stack).key_arn),
        removal_policy=RemovalPolicy.DESTROY,
    )
    machine = stepfunctions.StateMachine(
        scope,
        "StateMachine",
        state_machine_name=name,
        state_machine_type=stepfunctions.StateMachineType.STANDARD,
        definition_body=stepfunctions.DefinitionBody.from_string(stack.to_json_string(definition)),
        role=role,
        tracing_enabled=True,
        logs=stepfunctions.LogOptions(destination=group, level=stepfunctions.LogLevel.ERROR, include_execution_data=False),
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(machine, "AwsSolutions-SF1", "only errors are logged: every event of every execution is in its history already")
    return machine


def machine_role(scope: Construct, grants: Sequence[tuple[Sequence[str], Sequence[str]]]) -> iam.Role:
    """grants: actions and their resources, beside what every machine needs for its log."""
    role = iam.Role(scope, "MachineRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    for actions, resources in (*grants, (LOG_DELIVERY_ACTIONS, ["*"])):
        role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
    acknowledge_resources(role, ["*"], "X-Ray's and log delivery's actions take no resource")
    return role
