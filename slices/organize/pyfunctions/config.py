"""The options of `CREATE WAREHOUSE … USING iceberg`, which are the lake's, and those of `CREATE FUNCTION … USING python WITH (…)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.accepted import refusals
from shared_metadata.errors import DefinitionError
from systems.iceberg.config import Config

__all__ = ["Config", "FunctionOptions"]
MOST_SECONDS = 870  # of the 900 that a function of Lambda has


class FunctionOptions(BaseModel):
    """Options of CREATE FUNCTION … USING python.

    handler: module and function, as in 'models.delay:risk', which is the file models/delay.py of the project.

    memory_mb: what its function of Lambda has, and with it more of a processor.  timeout_seconds: how long one call may take.
    deterministic: that the same rows give the same rows. No compiler can see that of Python, so it is the author's word.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    handler: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*$",
        description="a module in a folder of the project and its function, as in 'models.delay:risk' for risk in models/delay.py",
    )
    memory_mb: int = Field(default=1024, ge=256, le=10_240)
    timeout_seconds: int = Field(default=300, ge=10, le=MOST_SECONDS)
    deterministic: bool = True

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> FunctionOptions:
        """Raises DefinitionError that names the option and what is accepted.  place: the function, with where it is declared."""
        remedy = f"the options of a function are: {', '.join(cls.model_fields)}"
        if unknown := sorted(set(options) - set(cls.model_fields)):
            raise DefinitionError(f"{place} has no option {unknown[0]}", remedy=remedy)
        for wrong in refusals(cls, options):
            what = "needs the option" if wrong.missing else "has another value than it takes for the option"
            raise DefinitionError(f"{place} {what} {wrong.name}: {wrong.takes}", remedy=remedy)
        found = cls(**options)
        if not found.deterministic:
            cause = f"{place} is not deterministic, and a batch that is made again has to give the same rows"
            raise DefinitionError(cause, remedy="seed what is random, take moments from the rows, and leave the option out")
        return found
