"""The slice's Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.kinesis.slice import SLICE


@cache
def _kinesis(region: str) -> Any:
    """A client that leaves most waiting to the slice, which knows the deadline."""
    from shared_metadata.aws.client import aws_client

    return aws_client(services().session, "kinesis", max_attempts=2, region=region)


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.kinesis.client import KinesisSource  # commit opens no source and does without its libraries

    known = partial(services().reader.known_source, connection.name)
    return KinesisSource(connection, services().session, _kinesis, services().clock, known)


def _look(connection: Connection, secret: Mapping[str, Any]) -> Source:
    """Opens a source for discover, which sees what is there, whatever a program knows."""
    from slices.collect.kinesis.client import KinesisSource

    return KinesisSource(connection, services().session, _kinesis, services().clock)


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _look))
