"""The slice's Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.kafka.slice import SLICE


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.kafka.client import KafkaSource  # commit opens no source and does without its libraries

    return KafkaSource(connection, secret, services().session, partial(services().reader.known_source, connection.name))


def _look(connection: Connection, secret: Mapping[str, Any]) -> Source:
    """Opens a source for discover, which sees what is there, whatever a program knows."""
    from slices.collect.kafka.client import KafkaSource

    return KafkaSource(connection, secret, services().session)


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _look))
