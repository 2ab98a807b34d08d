"""How a step says that it needs more than the function has in which it runs."""

from __future__ import annotations

from shared_metadata.errors import DefinitionError

OPTION = "run = 'auto'"
LARGER = "give it more by task_vcpus, task_gb, task_disk_gb or task_hours, or make the batches smaller"


class Outgrown(DefinitionError):
    """The work is more than its function holds: a task takes it over where there is one; else it is the error that it says."""

    def as_definition(self, *, at_work: bool, may_run: bool) -> DefinitionError:
        """The error for work that no task takes over.  at_work: a task has said so.  may_run: the slice has tasks for it."""
        if at_work:
            return DefinitionError(f"{self.what}, which is a task of Fargate", place=self.place, remedy=LARGER)
        remedy = self.remedy + (f"; or have it done by a task: {OPTION}" if may_run else "")
        return DefinitionError(self.what, place=self.place, remedy=remedy)
