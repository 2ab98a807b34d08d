"""Calls a function at a rate, by an EventBridge schedule of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct


def every(scope: Construct, rate: Duration, name: str, function: lambda_.Function, event: Mapping[str, Any] | None = None) -> None:
    """A call that fails is not repeated, and one that cannot be made waits no longer than until the next one, which comes by itself.

    EventBridge hands the call to Lambda's queue, which would call a function that fails twice more, and keep what it cannot call for
    six hours: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """
    seconds = int(rate.to_seconds())
    function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.seconds(max(seconds, 60)))
    account = Stack.of(scope).account
    principal = iam.ServicePrincipal("scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}})
    role = iam.Role(scope, "ClockRole", assumed_by=principal)
    role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn]))
    clock = scheduler.CfnSchedule(
        scope,
        "Clock",
        name=name,
        schedule_expression=_expression(seconds),
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": function.function_arn,
            "roleArn": role.role_arn,
            "input": json.dumps(dict(event or {}), separators=(",", ":")),
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
    )
    clock.node.add_dependency(role)


def _expression(seconds: int) -> str:
    number, unit = (seconds // 3600, "hour") if seconds % 3600 == 0 else (seconds // 60, "minute")
    return f"rate({number} {unit}{'s' if number > 1 else ''})"
