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
from shared_metadata.contract.work import Work
from shared_metadata.program import Connection
from slices.harness.webhook.slice import SLICE


def open_target(connection: Connection, secret: Mapping[str, Any], services: Services) -> Target:
    """Imported on demand: plan and commit never open the target."""
    from slices.harness.webhook.client import Webhook
    from slices.harness.webhook.config import read_config
    from slices.harness.webhook.receiver import read_receiver
    from systems.application_target.target import ApplicationTarget

    config, receiver = read_config(connection), read_receiver(connection, secret)

    def where(work: Work) -> str:
        return receiver.address(work.table.dataset.removeprefix(f"{connection.name}."))

    return ApplicationTarget(lambda work, changes: Webhook(connection, config, receiver, services), services, where=where)


def look(connection: Connection, services: Services, flows: Mapping[str, str], deadline: Deadline) -> Mapping[str, Landed | None]:
    from systems.application_target.journal import newest_batches

    return newest_batches(services, flows, f"connection {connection.name} ({connection.position})")


@cache
def _steps() -> HarnessSteps:
    return HarnessSteps(SLICE, services(), open_target)


plan = LambdaHandler("plan", lambda: _steps().plan)
diff = LambdaHandler("diff", lambda: _steps().diff)
publish = LambdaHandler("publish", lambda: _steps().publish)
commit = LambdaHandler("commit", lambda: _steps().commit)
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
