"""A slice function's environment: one model that its stack writes and its handler reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shared_metadata.errors import DefinitionError


@dataclass(frozen=True)
class Environment:
    """The variables of every slice function; never a secret."""

    atoll_slice_id: str
    atoll_metadata_table: str
    atoll_data_bucket: str

    def variables(self) -> dict[str, str]:
        return {name.upper(): value for name, value in asdict(self).items()}

    @staticmethod
    def read(variables: Mapping[str, str] = os.environ) -> Environment:
        """Raises DefinitionError for a variable that is missing."""
        found = {}
        for name in Environment.__dataclass_fields__:
            if name.upper() not in variables:
                raise DefinitionError(f"the variable {name.upper()} is missing", remedy="deploy the slice again")
            found[name] = variables[name.upper()]
        return Environment(**found)
