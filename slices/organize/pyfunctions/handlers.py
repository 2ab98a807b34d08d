"""The slice's Lambda functions; one for each step. Those of a program's functions have function/handler.py."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared_metadata.contract.landed import LandedStep
from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from slices.organize.pyfunctions.slice import SLICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared_metadata.contract.landed import Landed
    from shared_metadata.contract.organize import Driver
    from shared_metadata.contract.runtime.deadline import Deadline
    from shared_metadata.contract.runtime.services import Services
    from shared_metadata.program import Warehouse


def open_driver(warehouse: Warehouse, of: Services) -> Driver:
    """Imported here, because plan needs none of it."""
    from slices.organize.pyfunctions.client import PythonDriver

    return PythonDriver(warehouse, of)


def look(warehouse: Warehouse, of: Services, flows: Mapping[str, str], deadline: Deadline) -> Mapping[str, Landed | None]:
    from systems.iceberg.landed import newest_batches

    return newest_batches(warehouse, of, flows, deadline)


@cache
def _steps() -> OrganizeSteps:
    return OrganizeSteps(SLICE, services(), open_driver)


plan = LambdaHandler("plan", lambda: _steps().plan)
refresh = LambdaHandler("refresh", lambda: _steps().refresh)
check = LambdaHandler("check", lambda: _steps().check)
commit = LambdaHandler("commit", lambda: _steps().commit)
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
maintain = LambdaHandler("maintain", lambda: MaintainStep(SLICE, services(), open_driver))
