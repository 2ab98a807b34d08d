"""What operators look at: a few alarms to the alerts topic, and one dashboard a slice. Both cost money, so they stay few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.places import Places

FIVE_MINUTES = Duration.minutes(5)


def alarm(
    scope: Construct,
    id: str,
    metric: cloudwatch.IMetric,
    description: str,
    *,
    threshold: float = 1,
    periods: int = 1,
    below: bool = False,
) -> cloudwatch.Alarm:
    """Tells the alerts topic when `metric` reaches `threshold`; `below`: falls under it, also by silence."""
    operators = cloudwatch.ComparisonOperator
    missing = cloudwatch.TreatMissingData
    made = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        alarm_description=description,
        threshold=threshold,
        evaluation_periods=periods,
        comparison_operator=operators.LESS_THAN_THRESHOLD if below else operators.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
    )
    topic = sns.Topic.from_topic_arn(made, "Alerts", Places(made.stack).alerts_arn)
    made.add_alarm_action(actions.SnsAction(topic))
    return made


def slice_dashboard(
    scope: Construct,
    name: str,
    slice_id: str,
    machine: stepfunctions.StateMachine,
    functions: Mapping[str, lambda_.Function],
) -> cloudwatch.Dashboard:
    """Executions, and of each step: seconds, errors, invocations; and the slice's own figures."""
    executions = [
        machine.metric_started(statistic="Sum"),
        machine.metric_succeeded(statistic="Sum"),
        machine.metric_failed(statistic="Sum"),
    ]
    widgets: list[list[cloudwatch.IWidget]] = [
        [
            _graph("Executions", executions),
            _graph("Milliseconds of an execution", [machine.metric_time(statistic="p50"), machine.metric_time()]),
        ],
        [
            _graph("Milliseconds of a step", [f.metric_duration(label=step) for step, f in functions.items()]),
            _graph("Errors of steps", [f.metric_errors(label=step) for step, f in functions.items()]),
        ],
        [
            _graph("Invocations of steps", [f.metric_invocations(label=step) for step, f in functions.items()]),
            _graph("Failures that steps reported", [_own("Failures", slice_id)]),
        ],
    ]
    return cloudwatch.Dashboard(scope, "Dashboard", dashboard_name=name, widgets=widgets, default_interval=Duration.days(1))


def _graph(title: str, metrics: list[Any]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=12, period=FIVE_MINUTES)


def _own(name: str, slice_id: str) -> cloudwatch.Metric:
    """What the handlers publish by Powertools."""
    return cloudwatch.Metric(namespace="Atoll", metric_name=name, dimensions_map={"service": slice_id}, statistic="Sum")
