"""Iceberg tables whose views DuckDB computes, in the function itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.contract.work import Work
from systems.iceberg.computing import ComputingDriver


class IcebergDriver(ComputingDriver):
    """See shared_metadata.contract.organize.Driver."""

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        if work.outgrows:
            fits, why = self._fits(work, reads, int(self._config.task_from_gb * 10**9))
            if not fits:
                raise Outgrown(why, place=work.place)
        return self.computed(work, reads, staging)
