"""The Lambda functions of a tap's folder; which one it is, the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Source
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.program import Connection
from systems.singer.declared import declared


def _declaration() -> Slice:
    return declared(services().environment.atoll_slice_id.partition(".")[2])


def _open(connection: Connection, secret: Mapping[str, Any]) -> Source:
    from systems.singer.client import SingerSource  # commit opens no source and does without its libraries
    from systems.singer.tap_file import document_of

    return SingerSource(connection, secret, document_of(_declaration().system), services().session)


@cache
def _steps() -> CollectSteps:
    return CollectSteps(_declaration(), services(), _open)


plan = LambdaHandler("plan", lambda: _steps().plan)
extract = LambdaHandler("extract", lambda: _steps().extract)
commit = LambdaHandler("commit", lambda: _steps().commit)
discover = LambdaHandler("discover", lambda: DiscoverStep(_declaration(), services(), _open))
