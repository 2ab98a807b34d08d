"""What is told of a task that has left no answer: cause and remedy by ECS's codes, or another try."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared_metadata.contract.tasks.run import TaskSize
from shared_metadata.contract.tasks.stopped import Stopped, stopped
from shared_metadata.errors import DefinitionError

SIZE = TaskSize(4, 30, 100, 4)


def of_task(stop: str, code: int | None = None, reason: str = "", said: str = "") -> Any:
    container: dict[str, Any] = (
        {"Name": "step"} | ({} if code is None else {"ExitCode": code}) | ({"Reason": reason} if reason else {})
    )
    task = {"TaskArn": "arn:aws:ecs:eu-central-1:111122223333:task/atoll/0f3a", "StopCode": stop, "StoppedReason": said}
    cause = json.dumps({**task, "Containers": [container]})
    return stopped({"failed": {"Error": "States.TaskFailed", "Cause": cause}}, "program.sql:3:1: lake.ops.t", SIZE)


@pytest.mark.parametrize(
    ("given", "cause", "remedy"),
    [
        (
            ("EssentialContainerExited", 137, "OutOfMemoryError: Container killed due to memory usage"),
            "more than its 30 GB",
            "task_vcpus",
        ),
        (("EssentialContainerExited", 137), "more than its 30 GB", "task_gb"),
        (("EssentialContainerExited", 81), "another bundle", "deploy"),
        (("EssentialContainerExited", 82), "could not fetch its bundle", "cdk bootstrap"),
        (("EssentialContainerExited", 84), "within its hours", "task_hours"),
        (("EssentialContainerExited", 1), "ended with code 1 and without an answer", "log group"),
        (("UserInitiated", 143), "stopped by somebody else", "who administers"),
        (("TaskFailedToStart", None, "", "CannotPullContainerError: no such manifest"), "could not pull its image", "taskImage"),
        (("TaskFailedToStart", None, "", "ResourceInitializationError: i/o timeout"), "could not begin", "a route to ECR"),
    ],
)
def test_the_steps_own_failure_has_cause_and_remedy(given: tuple[Any, ...], cause: str, remedy: str) -> None:
    found = of_task(*given)
    assert isinstance(found, DefinitionError)
    assert cause in found.what and remedy in found.remedy and found.place == "program.sql:3:1: lake.ops.t" and "0f3a" in found.what


@pytest.mark.parametrize(
    "given",
    [
        ("SpotInterruption", 143),
        ("TerminationNotice", 143),
        ("TaskFailedToStart", None, "", "Capacity is unavailable at this time"),
        ("TaskFailedToStart", None, "", "InternalError: the agent is gone"),
    ],
)
def test_what_fargate_has_not_kept_is_tried_again(given: tuple[Any, ...]) -> None:
    assert isinstance(of_task(*given), Stopped)


@pytest.mark.parametrize("error", ["ECS.AmazonECSException", "ECS.ServerException", "AmazonECS.Unknown", ""])
def test_what_ecs_refuses_is_tried_again(error: str) -> None:
    assert isinstance(stopped({"failed": {"Error": error, "Cause": "Capacity is unavailable"}}, "here", SIZE), Stopped)


@pytest.mark.parametrize("error", ["ECS.AccessDeniedException", "States.Permissions"])
def test_what_the_machine_may_not_do_is_told_as_such(error: str) -> None:
    found = stopped({"failed": {"Error": error, "Cause": "not authorized to perform: ecs:RunTask"}}, "here", SIZE)
    assert isinstance(found, DefinitionError) and "may not run the task" in found.what


def test_a_task_over_its_time_is_told_with_its_hours() -> None:
    found = stopped({"failed": {"Error": "States.Timeout", "Cause": ""}}, "here", SIZE)
    assert isinstance(found, DefinitionError) and "within 4 hours" in found.what


def test_one_that_ended_well_and_left_nothing_is_told() -> None:
    task = {"ended": {"TaskArn": "arn:aws:ecs:eu-central-1:111122223333:task/atoll/0f3a", "StopCode": "EssentialContainerExited"}}
    found = stopped(task, "here", SIZE)
    assert isinstance(found, DefinitionError) and "without an answer" in found.what
