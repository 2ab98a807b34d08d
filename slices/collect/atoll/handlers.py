"""The slice's Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.atoll.slice import SLICE


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.atoll.client import AtollSource  # commit opens no source and does without its libraries

    return AtollSource(connection, services())


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _open))
