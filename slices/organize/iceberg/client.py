"""Iceberg tables whose views DuckDB computes, in the function itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from systems.iceberg.computing import ComputingDriver


class IcebergDriver(ComputingDriver):
    """See shared_metadata.contract.organize.Driver."""

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        return self.computed(work, reads, staging)
