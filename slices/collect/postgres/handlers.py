"""The slice's Lambda functions."""

from __future__ import annotations

from functools import cache, partial

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.lambda_handler import LambdaHandler, services
from slices.collect.postgres.slice import SLICE


@cache
def _steps() -> CollectSteps:
    from slices.collect.postgres.client import open_source

    return CollectSteps(SLICE, services(), partial(open_source, aws=services().session))


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
