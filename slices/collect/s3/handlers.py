"""The slice's Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.s3.slice import SLICE


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.s3.client import S3Source  # commit opens no source and does without its libraries
    from slices.collect.s3.manifests import Manifests

    taken = Manifests(services().s3, services().environment.atoll_data_bucket, naming.staging_prefix(SLICE.id))
    return S3Source(connection, services().session, taken, partial(services().reader.known_source, connection.name))


def _look(connection: Connection, secret: Mapping[str, Any]) -> Source:
    """Opens a source for discover, which sees what is there, whatever a program knows."""
    from slices.collect.s3.client import S3Source
    from slices.collect.s3.manifests import Manifests

    return S3Source(connection, services().session, Manifests(services().s3, "", ""))


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _look))
