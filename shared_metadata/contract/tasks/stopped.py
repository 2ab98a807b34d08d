"""What became of a task that has left no answer: its cause and its remedy, by ECS's codes and not by its words.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.tasks.run import TaskSize
from shared_metadata.errors import AtollError, DefinitionError, RetryLater

KILLED = 137  # by the kernel, when the memory is used up
WRONG_BUNDLE, NO_BUNDLE, OVERTAKEN, TOO_LONG = 81, 82, 83, 84  # of the task's own program
PERMISSIONS = ("AccessDenied", "States.Permissions")
MORE_MEMORY = "give it more by task_vcpus and task_gb, or make the batches smaller"
IMAGES = ("CannotPullContainerError", "CannotPullECRContainerError", "CannotPullImageManifestError", "ImageNotFoundException")
# The network, or what the service has to fetch by it before the image; then what the service itself was at fault for.
UNREACHED = ("ResourceInitializationError", "CannotStartContainerError")
LATER_CODES = ("SpotInterruption", "TerminationNotice", "ServiceSchedulerInitiated")
SAID_CHARACTERS = 300


@dataclass(frozen=True)
class Stopped:
    """A task that another one can do better than: it was not the step's fault.  error: where there have been too many."""

    error: AtollError


def stopped(task: Mapping[str, Any], place: str, size: TaskSize) -> Stopped | DefinitionError:
    """task: of the state: what ECS, or Step Functions, says of it."""
    failed: Mapping[str, Any] = task.get("failed") or {}
    error = str(failed.get("Error", ""))
    described = task.get("ended") or _described(str(failed.get("Cause", "")))
    if described:
        return _of_task(described, place, size)
    if error == "States.Timeout":
        return DefinitionError(f"the task was not done within {size.hours} hours", place=place, remedy=_longer())
    if any(word in error for word in PERMISSIONS):
        remedy = (
            "deploy the slice's stack again with this program; if that is done, a boundary or a policy of the organisation denies it"
        )
        return DefinitionError(f"the state machine may not run the task: {error}", place=place, remedy=remedy)
    return Stopped(
        RetryLater(f"ECS did not run the task: {error or 'it has left no answer'}", place=place, remedy=_look(place="ECS"))
    )


def _described(cause: str) -> Mapping[str, Any]:
    """ECS's task, where the cause is one."""
    try:
        found = json.loads(cause)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and ("StopCode" in found or "Containers" in found) else {}


def _of_task(task: Mapping[str, Any], place: str, size: TaskSize) -> Stopped | DefinitionError:
    containers = task.get("Containers") or [{}]
    code, reason = containers[0].get("ExitCode"), str(containers[0].get("Reason") or "")
    stop, said = str(task.get("StopCode", "")), str(task.get("StoppedReason", ""))[:SAID_CHARACTERS]
    name, kind = f"the task {str(task.get('TaskArn', '')).rpartition('/')[2]}", (reason or said).partition(":")[0]
    if stop == "UserInitiated":
        return DefinitionError(
            f"{name} was stopped by somebody else", place=place, remedy="ask who administers ECS why; it is tried again"
        )
    if code == KILLED or kind == "OutOfMemoryError":
        return DefinitionError(f"{name} needs more than its {size.gb} GB of memory", place=place, remedy=MORE_MEMORY)
    if code is not None and code in _OWN:
        what, remedy = _OWN[code]
        return DefinitionError(f"{name} {what}", place=place, remedy=remedy)
    if stop in LATER_CODES or (stop == "TaskFailedToStart" and kind not in IMAGES + UNREACHED):
        return Stopped(RetryLater(f"{name} was not kept by Fargate: {said or stop}", place=place, remedy=_look(place="ECS")))
    if kind in IMAGES:
        remedy = "see that -c taskImage names an image for arm64 that is there, and that the subnets reach it (docs/deploying.md)"
        return DefinitionError(f"{name} could not pull its image: {said}", place=place, remedy=remedy)
    if kind in UNREACHED:
        remedy = "give the subnets a route to ECR, S3 and CloudWatch Logs: endpoints of the VPC, or a NAT (docs/deploying.md)"
        return DefinitionError(f"{name} could not begin: {said}", place=place, remedy=remedy)
    return DefinitionError(f"{name} ended with code {code} and without an answer", place=place, remedy=_look(place="its log group"))


def _longer() -> str:
    return "make the batches smaller, give it more processors by task_vcpus, or more time by task_hours"


def _look(*, place: str) -> str:
    return f"the batch is tried again; {place} tells more, by the task's id"


_OWN: Mapping[int, tuple[str, str]] = {
    WRONG_BUNDLE: ("was given another bundle than it was deployed with", "deploy the slice's stack again"),
    NO_BUNDLE: (
        "could not fetch its bundle from the bucket of assets",
        "see that the bucket of `cdk bootstrap` is there and its policy lets the task's role read it; then deploy the stack again",
    ),
    OVERTAKEN: ("was given up: another worker has its batch", "nothing is to be done"),
    TOO_LONG: ("was not done within its hours, and ended itself", _longer()),
}
