"""The Lambda functions of a source that airbyte-cdk reads; which one it is, the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from systems.rest.airbyte.declared import declared


def _declaration() -> Slice:
    return declared(services().environment.atoll_slice_id.partition(".")[2])


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from systems.rest.airbyte.client import AirbyteSource  # commit opens no source and does without its libraries
    from systems.rest.document import document_of

    return AirbyteSource(connection, secret, document_of(_declaration().system), services().session, clock=services().clock)


@cache
def _steps() -> CollectSteps:
    return CollectSteps(_declaration(), services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(_declaration(), services(), _open))
