"""The Lambda functions of the slice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.harness import HarnessSteps, Target
from shared_metadata.contract.landed import Landed, LandedStep
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.s3.slice import SLICE


def open_target(connection: Connection, secret: Mapping[str, Any], services: Services) -> Target:
    """Imported on demand: plan and commit never open the target."""
    from slices.harness.s3.client import S3Target

    return S3Target(connection, services)


def look(connection: Connection, services: Services, flows: Mapping[str, str], deadline: Deadline) -> Mapping[str, Landed | None]:
    from slices.harness.s3.client import newest_batches

    return newest_batches(connection, services, flows)


@cache
def _steps() -> HarnessSteps:
    return HarnessSteps(SLICE, services(), open_target)


plan = LambdaHandler("plan", lambda: _steps().plan)
diff = LambdaHandler("diff", lambda: _steps().diff)
publish = LambdaHandler("publish", lambda: _steps().publish)
commit = LambdaHandler("commit", lambda: _steps().commit)
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
