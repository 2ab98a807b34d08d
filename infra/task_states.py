"""A step as a task of Fargate, in Amazon States Language; no CDK here.

    Refresh ▸ to be handed over ▸ RefreshTask ▸ Refresh, which takes up what the task has left, or tells why it has left nothing
            ▸ lost ▸ RefreshLost, the same function, which hands the step over where the program allows it

https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.tasks.run import MOST_HOURS, VARIABLE

State = dict[str, Any]
CONTAINER = "step"
HANDED_OVER = "{% $exists($states.input.task) %}"
# The process ends itself before that; what ECS needs to begin and to end is beside it.
TIMEOUT_SECONDS = MOST_HOURS * 3600 + 1800
_TOLD = "{{% $merge([$states.input, {{'task': $merge([$states.input.task, {{'{name}': {what}}}])}}]) %}}"
# What the step asks of ECS's description; all of it would fill the state with addresses and tags.
_ENDED = "{'TaskArn': $states.result.TaskArn, 'StopCode': $states.result.StopCode}"
# RunTask was refused, which may be for the moment: no capacity, too many calls. The pauses are together shorter than the batch's
# lease; then the function asks for another task.
REFUSED = ["ECS.AmazonECSException", "ECS.ClientException", "ECS.SdkClientException", "ECS.ServerException", "AmazonECS.Unknown"]
RETRY = {
    "ErrorEquals": REFUSED,
    "IntervalSeconds": 10,
    "BackoffRate": 2,
    "MaxDelaySeconds": 120,
    "MaxAttempts": 7,
    "JitterStrategy": "FULL",
}


@dataclass(frozen=True)
class TaskPlace:
    """Where a step's tasks run.  cluster, definition: ARNs.  public: with an address of the internet, for lack of another way."""

    cluster: str
    definition: str
    subnets: Sequence[str]
    security_groups: Sequence[str]
    public: bool = False


def with_task(
    partition: str, place: TaskPlace, step: str, function: State, catchers: Sequence[State], lost: Sequence[str]
) -> dict[str, State]:
    """The states of a step that may run as a task.

    step: the name of its own state, which comes before and after the task's.  function: that state, without what it catches.
    lost: the errors of a function that ended without a word, or ran into its time limit.
    """
    output = "{% $merge([$states.input, {'lost': $states.errorOutput}]) %}"
    first = {"ErrorEquals": list(lost), "Output": output, "Next": f"{step}Lost"}
    return {
        step: catching(function, [first, *catchers]),
        f"{step}Lost": catching(function, catchers),
        f"{step}Task": task_state(partition, place, step),
    }


def catching(state: State, catchers: Sequence[State]) -> State:
    return {**state, "Catch": [*catchers]} if catchers else state


def task_state(partition: str, place: TaskPlace, step: str) -> dict[str, Any]:
    """The state that runs a task and waits for its end."""
    task = "{% $states.input.task."
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::ecs:runTask.sync",
        "Arguments": {
            "LaunchType": "FARGATE",
            "Cluster": place.cluster,
            "TaskDefinition": place.definition,
            "PropagateTags": "TASK_DEFINITION",
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": list(place.subnets),
                    "SecurityGroups": list(place.security_groups),
                    "AssignPublicIp": "ENABLED" if place.public else "DISABLED",
                }
            },
            "Overrides": {
                "Cpu": f"{task}cpu %}}",
                "Memory": f"{task}memory %}}",
                "EphemeralStorage": {"SizeInGiB": f"{task}disk_gb %}}"},
                "ContainerOverrides": [{"Name": CONTAINER, "Environment": [{"Name": VARIABLE, "Value": f"{task}key %}}"}]}],
            },
        },
        "Output": _TOLD.format(name="ended", what=_ENDED),
        "TimeoutSeconds": TIMEOUT_SECONDS,
        "Retry": [RETRY],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": _TOLD.format(name="failed", what="$states.errorOutput"), "Next": step}],
        "Next": step,
    }
