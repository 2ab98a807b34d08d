"""Calls a function at a rate, by an EventBridge schedule of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct


def every(scope: Construct, rate: str, name: str, function: lambda_.Function, event: Mapping[str, Any] | None = None) -> None:
    """rate: '1 minute'.  A call that fails is not repeated: the next one comes by itself."""
    account = Stack.of(scope).account
    principal = iam.ServicePrincipal("scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}})
    role = iam.Role(scope, "ClockRole", assumed_by=principal)
    role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn]))
    clock = scheduler.CfnSchedule(
        scope,
        "Clock",
        name=name,
        schedule_expression=f"rate({rate})",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": function.function_arn,
            "roleArn": role.role_arn,
            "input": json.dumps(dict(event or {}), separators=(",", ":")),
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
    )
    clock.node.add_dependency(role)
