"""The Lambda functions of the slice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.discovery import Catalog, DiscoverStep
from shared_metadata.contract.harness import HarnessSteps, Target
from shared_metadata.contract.landed import Landed, LandedStep
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.mysql.slice import SLICE


def open_target(connection: Connection, secret: Mapping[str, Any], services: Services) -> Target:
    """Imported on demand: plan and commit never open the target."""
    from slices.harness.mysql.client import MysqlTarget

    return MysqlTarget(connection, secret, services)


def open_catalog(connection: Connection, secret: Mapping[str, Any]) -> Catalog:
    from slices.harness.mysql.discovery import MysqlCatalog

    return MysqlCatalog(connection, secret)


def look(connection: Connection, services: Services, flows: Mapping[str, str], deadline: Deadline) -> Mapping[str, Landed | None]:
    from slices.harness.mysql.landed import newest_batches

    return newest_batches(connection, services, flows, deadline)


@cache
def _steps() -> HarnessSteps:
    return HarnessSteps(SLICE, services(), open_target)


plan = LambdaHandler("plan", lambda: _steps().plan)
diff = LambdaHandler("diff", lambda: _steps().diff)
publish = LambdaHandler("publish", lambda: _steps().publish)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), open_catalog))
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
