"""The Lambda functions of the slice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from shared_metadata.contract.discovery import Catalog, DiscoverStep
from shared_metadata.contract.harness import HarnessSteps, Target
from shared_metadata.contract.landed import Landed, LandedStep
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.work import Work
from shared_metadata.program import Connection
from slices.harness.salesforce.slice import SLICE


def open_target(connection: Connection, secret: Mapping[str, Any], services: Services) -> Target:
    """Imported on demand: plan and commit never open the target."""
    from shared_metadata.contract.results.results import Results
    from slices.harness.salesforce.client import Salesforce
    from slices.harness.salesforce.config import read_config
    from slices.harness.salesforce.sessions import session_of
    from systems.application_target.budget import Budget
    from systems.application_target.target import ApplicationTarget
    from systems.salesforce.credentials import read_credentials

    config, read = read_config(connection), read_credentials(connection, secret)

    def opened(work: Work, changes: Mapping[str, Any]) -> Salesforce:
        budget = Budget(services, connection.name, config.calls_a_day, work.place)
        results = partial(Results, services, work.place)
        return Salesforce(session_of(connection, read, services.grant), budget, config, work, changes, results)

    return ApplicationTarget(opened, services, takes_back=SLICE.capabilities.takes_back)


def open_catalog(connection: Connection, secret: Mapping[str, Any]) -> Catalog:
    from slices.harness.salesforce.discovery import SalesforceCatalog
    from slices.harness.salesforce.sessions import session_of

    return SalesforceCatalog(session_of(connection, secret, services().grant))


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
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), open_catalog))
landed = LambdaHandler("landed", lambda: LandedStep(SLICE, services(), look))
