"""Counts what a step's own AWS clients ask for, in the units that AWS charges.

Calls that have no price cost nothing by themselves; what statements of services take that they start is in `Look.used`.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.tasks import at_work
from shared_metadata.costs import prices

S3_PUTS = ("PutObject", "ListObjectsV2")
SECRETS = "secretsmanager"
DYNAMODB_READS = ("GetItem", "BatchGetItem", "Query")


class Meter:
    """The requests of the clients it watches, and the seconds, since `restart`."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._began = time.monotonic()

    def watch(self, client: Any) -> Any:
        """Counts a boto3 client's requests from now on; DynamoDB's answers tell the capacity that they took."""
        events = client.meta.events
        events.register("provide-client-params.dynamodb", _ask_for_capacity)
        events.register("after-call", self._count)
        return client

    def restart(self) -> None:
        """Begins to count anew, at the beginning of an invocation."""
        self._requests.clear()
        self._began = time.monotonic()

    def used(self) -> dict[str, float]:
        """What this invocation, or this task, has used so far; a function's memory is what Lambda says in the environment."""
        if task := at_work.here():
            return {**self._requests, **task.used()}
        memory_gb = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")) / 1024
        seconds = time.monotonic() - self._began
        return {**self._requests, "lambda_invocation": 1, "lambda_arm64_gb_second": seconds * memory_gb}

    def _count(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        if service == "dynamodb":
            kind = "dynamodb_read_unit" if operation in DYNAMODB_READS else "dynamodb_write_unit"
            self._requests[kind] += capacity_units(parsed)  # type: ignore[assignment]
        elif service == "s3":
            self._requests["s3_put" if operation in S3_PUTS else "s3_get"] += 1
        elif service == SECRETS:
            self._requests["secrets_request"] += 1
        elif (kind := f"{service}_request") in prices()["per_million"]:  # of which each costs the same
            self._requests[kind] += 1


def capacity_units(answer: Mapping[str, Any]) -> float:
    """What DynamoDB says that a request took; one where it does not say."""
    consumed = answer.get("ConsumedCapacity") or [{"CapacityUnits": 1}]
    return float(sum(one.get("CapacityUnits", 0) for one in (consumed if isinstance(consumed, list) else [consumed])))


def _ask_for_capacity(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    known = "ReturnConsumedCapacity" in model.input_shape.members
    return {**params, "ReturnConsumedCapacity": "TOTAL"} if known else params
