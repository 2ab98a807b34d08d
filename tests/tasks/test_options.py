"""The options that say where steps run: what is accepted, and the size that follows."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.contract.accepted import refusals
from shared_metadata.contract.tasks.options import TaskOptions
from shared_metadata.contract.tasks.run import GB_OF_VCPUS, TaskSize, run_of, size_of


def refused(**options: Any) -> list[str]:
    return [one.name for one in refusals(TaskOptions, options)]


@pytest.mark.parametrize("vcpus", [*GB_OF_VCPUS])
def test_each_size_of_fargate_is_accepted_and_none_beside_it(vcpus: int) -> None:
    known = GB_OF_VCPUS[vcpus]
    for gb in range(1, 130):
        assert refused(task_vcpus=vcpus, task_gb=gb) == ([] if gb in known else ["task_gb"])
    assert size_of({"task_vcpus": vcpus}).gb == known[-1]
    assert size_of({"task_vcpus": vcpus, "task_gb": known[0]}) == TaskSize(vcpus, known[0], 100, 4)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"run": "lambda"}, "run"),
        ({"run": ""}, "run"),
        ({"task_vcpus": 3}, "task_vcpus"),
        ({"task_vcpus": True}, "task_vcpus"),
        ({"task_disk_gb": 20}, "task_disk_gb"),
        ({"task_disk_gb": 201}, "task_disk_gb"),
        ({"task_hours": 0}, "task_hours"),
        ({"task_hours": 6}, "task_hours"),
    ],
)
def test_what_fargate_or_the_keys_of_a_task_do_not_hold_is_refused(options: dict[str, Any], name: str) -> None:
    assert refused(**options) == [name]


def test_without_options_steps_run_in_functions() -> None:
    assert refused() == [] and run_of({}) == "function" and size_of({}) == TaskSize(4, 30, 100, 4)
