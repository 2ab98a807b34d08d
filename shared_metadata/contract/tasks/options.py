"""The options of a connection or a warehouse that say where its steps run, and how large a task of Fargate then is."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from shared_metadata.contract.tasks.run import DISK_GB, FUNCTION, GB_OF_VCPUS, HOURS, MOST_HOURS, VCPUS

LISTED = "; ".join(f"{vcpus}: {gb[0]} to {gb[-1]}{f' by {gb.step}' if gb.step > 1 else ''}" for vcpus, gb in GB_OF_VCPUS.items())


class TaskOptions(BaseModel):
    """Options that the Config of a slice with tasks inherits.

    run: where the steps that work with rows run: in a 'function', as a 'task' of Fargate, or by 'auto' in a function for as long as
        that suffices.
    task_vcpus, task_gb: the processors and the memory of a task; 0 GB for the most that so many processors can have.
    task_disk_gb: its disk.  task_hours: how long one step may take as a task before it is ended.
    """

    run: str = Field(default=FUNCTION, pattern=r"^(function|task|auto)$")
    task_vcpus: int = Field(default=VCPUS, description=f"a number of processors that Fargate has: {', '.join(map(str, GB_OF_VCPUS))}")
    task_gb: int = Field(default=0, description=f"as many GB as Fargate has for its task_vcpus: {LISTED}")
    task_disk_gb: int = Field(default=DISK_GB, ge=21, le=200)
    task_hours: int = Field(default=HOURS, ge=1, le=MOST_HOURS)

    @field_validator("task_vcpus")
    @classmethod
    def _vcpus(cls, value: int) -> int:
        if value not in GB_OF_VCPUS:
            raise ValueError("task_vcpus")
        return value

    @field_validator("task_gb")
    @classmethod
    def _gb(cls, value: int, given: ValidationInfo) -> int:
        if value and value not in GB_OF_VCPUS.get(given.data.get("task_vcpus", 0), ()):
            raise ValueError("task_gb")
        return value
