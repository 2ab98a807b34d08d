"""What runs in a function's process: the slices' and the conductor's real handlers, at the moment that the harness says.

Imported once by the server that processes are forked from, so that a new process costs nothing but its clients. Nothing here is
known to the product: a clock in the place of the machine's, and waits for retries that take no time.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import boto3
import botocore.loaders
import duckdb  # noqa: F401
import psycopg  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pyiceberg.catalog.glue  # noqa: F401
import s3fs  # noqa: F401

import conductor.handlers
import slices.harness.postgres.database
from shared_metadata.contract.runtime import lambda_handler
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import FakeContext
from tests.faults.contents import Contents, read_contents
from tests.faults.faults import CONDUCTOR

LONGEST_WAIT_SECONDS = 0.02
_now = datetime.now(UTC)
_sleep, _sleep_async = time.sleep, asyncio.sleep
_loader = botocore.loaders.create_loader()


def clock() -> datetime:
    """The moment of this invocation."""
    return _now


class Moment(datetime):
    """`datetime` for the conductor's handlers, which ask it for the time."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return _now


@cache
def services() -> Services:
    return Services(Environment.read(), clock=clock)


@cache
def writer() -> MetadataWriter:
    return MetadataWriter(conductor.handlers.client("dynamodb"), os.environ["ATOLL_METADATA_TABLE"], clock)


async def _short_async(seconds: float, *rest: Any) -> Any:
    return await _sleep_async(min(seconds, LONGEST_WAIT_SECONDS), *rest)


time.sleep = lambda seconds: _sleep(min(seconds, LONGEST_WAIT_SECONDS))
asyncio.sleep = _short_async  # type: ignore[assignment]
botocore.loaders.create_loader = lambda *_: _loader  # the services' models are read once
for _service in ("dynamodb", "s3", "glue", "secretsmanager", "stepfunctions", "sns"):
    boto3.Session(region_name="us-east-1").client(_service, aws_access_key_id="x", aws_secret_access_key="x")
lambda_handler.services = services
slices.harness.postgres.database.IDLE_SECONDS = 0.5
conductor.handlers.writer = writer
conductor.handlers.datetime = Moment  # type: ignore[misc]
SLICES = ("collect.postgres", "collect.salesforce", "harness.postgres", "organize.iceberg")
HANDLERS = {name: importlib.import_module(f"slices.{name}.handlers") for name in SLICES} | {CONDUCTOR: conductor.handlers}
CLIENTS = ("organize.iceberg.client", "collect.postgres.scanning", "collect.salesforce.client", "harness.postgres.client")
for _name in CLIENTS:
    importlib.import_module(f"slices.{_name}")


def contents(event: Mapping[str, Any], _: FakeContext) -> Contents:
    """What a run has made; called past the doors."""
    return read_contents(services(), services().reader.program(event["program"]), event["dsn"], event["since"])


def serve(calls: Connection, slice_id: str, variables: Mapping[str, str]) -> None:
    """A function's process: answers one invocation after another until its end of the connection is closed."""
    global _now  # noqa: PLW0603 - the process's own clock
    os.environ.update(variables)
    while True:
        try:
            step, event, now, request_id = calls.recv()
        except EOFError:
            return
        _now = now
        handler: Callable[..., Any] = contents if slice_id == "contents" else getattr(HANDLERS[slice_id], step)
        try:
            answer = ("answer", handler(event, FakeContext(900, request_id)))
        except Exception as error:
            answer = ("error", (type(error).__name__, str(error)))
        calls.send(answer)
