"""The slice's Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.postgres.slice import SLICE


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.postgres.capture.watching import bounds_of  # commit opens no source and does without its libraries
    from slices.collect.postgres.client import open_source

    environment = services().environment

    def bounds() -> Mapping[str, int]:
        return bounds_of(services().reader.programs(), services().clock(), environment.atoll_data_bucket)

    return open_source(
        connection,
        secret,
        aws=services().session,
        until=lambda: services().deadline_monotonic,
        part_mb=environment.atoll_part_mb or SLICE.capabilities.part_mb,
        owner=environment.atoll_data_bucket,
        bounds=bounds,
    )


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _open))
