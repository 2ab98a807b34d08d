"""Where a program has the steps of a connection or a warehouse run; without what loads slowly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_metadata.program import Flow, Program

FUNCTION, TASK, AUTO = "function", "task", "auto"
VARIABLE = "ATOLL_TASK"  # in a task: the key of what it is to do
# What Fargate has: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
GB_OF_VCPUS: Mapping[int, range] = {
    1: range(2, 9),
    2: range(4, 17),
    4: range(8, 31),
    8: range(16, 61, 4),
    16: range(32, 121, 8),
}
VCPUS, DISK_GB, HOURS = 4, 100, 4
# The keys that a task is given hold for six hours, and DuckDB keeps those with which a statement began:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
MOST_HOURS = 5


@dataclass(frozen=True)
class TaskSize:
    """The size of a task, and how many hours it has."""

    vcpus: int
    gb: int
    disk_gb: int
    hours: int


def run_of(options: Mapping[str, Any]) -> str:
    """'function', 'task' or 'auto', of the options of a connection or a warehouse, whichever system's."""
    return str(options.get("run", FUNCTION))


def chooses(program: Program, flow: Flow) -> bool:
    """Whether the program says where a flow's steps run: its connection's options where it has one, else its warehouse's."""
    of = program.connections.get(flow.connection) if flow.connection else program.warehouses.get(flow.warehouse)
    return of is not None and run_of(of.options) != FUNCTION


def size_of(options: Mapping[str, Any]) -> TaskSize:
    """The size that options which were checked ask for."""
    vcpus = int(options.get("task_vcpus", VCPUS))
    gb = int(options.get("task_gb", 0)) or GB_OF_VCPUS[vcpus][-1]
    return TaskSize(vcpus, gb, int(options.get("task_disk_gb", DISK_GB)), int(options.get("task_hours", HOURS)))
