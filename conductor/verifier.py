"""The function that verifies the records, as `atoll state verify` does, inside the account; called by its state machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from shared_metadata import naming
from shared_metadata.aws.client import aws_client
from shared_metadata.contract.landed import STEP
from shared_metadata.contract.runtime.deadline import Context
from shared_metadata.contract.runtime.lambda_handler import LambdaHandler
from shared_metadata.errors import AtollError
from shared_metadata.verification.asked import Asked
from shared_metadata.verification.in_function import VerifyStep

logger = Logger(service="conductor")
ANSWER_SECONDS = 310  # a `landed` function runs 300 at most


def ask(client: Any, slice_id: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the answer of the slice's `landed` function. Raises AtollError where there is none."""
    name = naming.function(slice_id, STEP)
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    except client.exceptions.ResourceNotFoundException:
        raise AtollError(f"there is no function {name}", remedy="deploy the slice's stack") from None
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise AtollError(f"{name} failed: {body.get('errorMessage', 'it gives no cause')}", remedy=f"atoll logs {slice_id}")
    return body


@cache
def _step() -> VerifyStep:
    session, landing = boto3.Session(), list(filter(None, os.environ["ATOLL_LANDING"].split(",")))
    # not sent again: a call without an answer may still be at work
    client = session.client("lambda", config=Config(read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1}))
    return VerifyStep(
        aws_client(session, "dynamodb"),
        aws_client(session, "s3"),
        os.environ["ATOLL_METADATA_TABLE"],
        os.environ["ATOLL_DATA_BUCKET"],
        lambda: Asked(lambda slice_id, event: ask(client, slice_id, event), landing),
    )


def _told(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    found = _step()(event, context)
    tell = logger.warning if found["differences"] else logger.info
    tell("verified: `atoll state verify --last` shows what was found", **found)
    return found


verify = LambdaHandler("verify", lambda: _told)
