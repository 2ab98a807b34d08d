"""The applications of EMR Serverless that the slice's stack makes, one for each warehouse, as its functions find them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from shared_metadata.errors import DefinitionError

VARIABLE = "ATOLL_SPARK_APPLICATIONS"


@dataclass(frozen=True)
class Application:
    """id: EMR's.  role: the ARN of the role by which its jobs run.  script: where their program lies in S3."""

    id: str
    role: str
    script: str


def variable(applications: Mapping[str, Application]) -> dict[str, list[str]]:
    """What the variable holds, as JSON: warehouse ▸ id, role, script."""
    return {warehouse: [one.id, one.role, one.script] for warehouse, one in applications.items()}


def application_of(warehouse: str, place: str, variables: Mapping[str, str] = os.environ) -> Application:
    """Raises DefinitionError where the slice was deployed before the warehouse was there."""
    known = json.loads(variables.get(VARIABLE, "{}"))
    if warehouse not in known:
        raise DefinitionError(
            f"no application of EMR Serverless was made for the warehouse {warehouse}",
            place=place,
            remedy="deploy OrganizeSparkSlice again: `atoll deploy OrganizeSparkSlice`",
        )
    return Application(*known[warehouse])
