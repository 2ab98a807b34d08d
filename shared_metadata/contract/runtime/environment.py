"""A slice function's environment: one model that its stack writes and its handler reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shared_metadata.errors import DefinitionError


@dataclass(frozen=True)
class Environment:
    """The variables of every slice function; never a secret.

    atoll_part_mb: what `Capabilities.part_mb` is in this installation.  atoll_has_task: 1 where the step has a task to go on in.
    """

    atoll_slice_id: str
    atoll_metadata_table: str
    atoll_data_bucket: str
    atoll_part_mb: int = 0
    atoll_has_task: int = 0

    def variables(self) -> dict[str, str]:
        return {name.upper(): str(value) for name, value in asdict(self).items() if value}

    @staticmethod
    def read(variables: Mapping[str, str] = os.environ) -> Environment:
        """Raises DefinitionError for a variable that is missing."""
        for name in ("ATOLL_SLICE_ID", "ATOLL_METADATA_TABLE", "ATOLL_DATA_BUCKET"):
            if name not in variables:
                raise DefinitionError(f"the variable {name} is missing", remedy="deploy the slice again")
        return Environment(
            variables["ATOLL_SLICE_ID"],
            variables["ATOLL_METADATA_TABLE"],
            variables["ATOLL_DATA_BUCKET"],
            int(variables.get("ATOLL_PART_MB", "0")),
            int(variables.get("ATOLL_HAS_TASK", "0")),
        )
