"""The slice's Lambda functions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from shared_metadata import naming
from shared_metadata.aws.client import aws_client
from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from slices.collect.http.inbox import READERS, Inbox
from slices.collect.http.slice import SLICE

PUT_SECONDS = 3


def _inbox(connection: str, s3: Any) -> Inbox:
    prefix = naming.inbox_prefix(SLICE.id, connection)
    return Inbox(s3, services().environment.atoll_data_bucket, prefix, services().clock, time.sleep)


@cache
def _reading() -> Any:
    return aws_client(services().session, "s3", connections=READERS)


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from slices.collect.http.client import HttpSource  # commit opens no source and does without its libraries

    inbox = _inbox(connection.name, _reading())
    known = partial(services().reader.known_source, connection.name)
    return HttpSource(connection, services().session, inbox, services().clock, known)


def _look(connection: Connection, secret: Mapping[str, Any]) -> Source:
    """Opens a source for discover, which sees what is there, whatever a program knows."""
    from slices.collect.http.client import HttpSource

    return HttpSource(connection, services().session, _inbox(connection.name, _reading()), services().clock)


@cache
def _steps() -> CollectSteps:
    return CollectSteps(SLICE, services(), _open)


@cache
def _receiving() -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    from slices.collect.http.receive_handler import ReceiveHandler  # no other function needs what it imports
    from slices.collect.http.receiving import ENDPOINTS, Receiver, receiver

    s3 = aws_client(services().session, "s3", max_attempts=2, timeout_seconds=PUT_SECONDS)

    def made() -> Receiver:
        return receiver(json.loads(os.environ[ENDPOINTS]), lambda name: _inbox(name, s3), services().secret, services().clock)

    return ReceiveHandler(made)


def receive(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The function behind the endpoint."""
    return _receiving()(event, context)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(SLICE, services(), _look))
