"""The slice's Lambda functions; one for each step."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared_metadata.contract.landed import LandedStep
from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from slices.organize.databricks.slice import SLICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared_metadata.contract.landed import Landed
    from shared_metadata.contract.organize import Driver
    from shared_metadata.contract.runtime.deadline import Deadline
    from shared_metadata.contract.runtime.services import Services
    from shared_metadata.program import Warehouse


def open_driver(warehouse: Warehouse, of: Services) -> Driver:
    """Imported here, because plan needs none of it."""
    from slices.organize.databricks.client import DatabricksDriver

    return DatabricksDriver(warehouse, of)


def look(warehouse: Warehouse, of: Services, flows: Mapping[str, str], deadline: Deadline) -> Mapping[str, Landed | None]:
    """Asks the ledgers alone; it copies nothing."""
    from slices.organize.databricks.client import service_of
    from slices.organize.databricks.logic import DatabricksSql
    from systems.sql_warehouse.landed import newest_batches

    place = f"warehouse {warehouse.name}"
    return newest_batches(DatabricksSql(), service_of(warehouse, of, place), flows, of.deadline_monotonic)


@cache
def _steps() -> OrganizeSteps:
    return OrganizeSteps(SLICE, services(), open_driver)


plan = LambdaHandler("plan", lambda: _steps().plan)
load = LambdaHandler("load", lambda: _steps().load)
refresh = LambdaHandler("refresh", lambda: _steps().refresh)
check = LambdaHandler("check", lambda: _steps().check)
commit = LambdaHandler("commit", lambda: _steps().commit)
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
maintain = LambdaHandler("maintain", lambda: MaintainStep(SLICE, services(), open_driver))
